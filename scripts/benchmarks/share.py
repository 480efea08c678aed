"""What wrk_parse.py and hey_parse.py share: a tool's output on stdin, results CSV on stdout.

Standard library only: the scripts run where nothing is installed.
"""

import argparse
import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from exporter.live.results_csv import ResultRow, one_line, rows_text


class ParsedRun(Protocol):
    """One run as a tool printed it."""

    @property
    def is_empty(self) -> bool:
        """Its output began, and nothing of what it measured is there."""
        ...

    def row(self, label: str) -> ResultRow:
        """As a row of a results file."""
        ...


Run = TypeVar("Run", bound=ParsedRun)


def filter_text(
    tool: str,
    description: str,
    epilog: str,
    parse: Callable[[str], Sequence[Run]],
    complaints: Callable[[str, Sequence[Run]], list[str]],
) -> int:
    """Run `<tool>_parse.py`: every run with figures is a row, the rest is reported on standard error.

    `complaints` names what else is not in the rows. Returns the exit code: 0 every run is a row, 1 something
    is not, 2 nothing to parse (and nothing on stdout, so that no header alone looks like a result).
    """
    script = f"{tool}_parse.py"
    parser = argparse.ArgumentParser(
        prog=script,
        description=description,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--label", required=True, metavar="L", help="what the row is called")
    label = one_line(parser.parse_args().label).strip()
    if not label:
        parser.error("--label is empty")
    if sys.stdin.isatty():
        parser.error(f"pipe {tool}'s output in; --help has an example")
    # Ctrl-C is for the program at the other end of the pipe; what it then says is still a result.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    text = sys.stdin.buffer.read().decode("utf-8", errors="replace")
    runs = parse(text)
    whole = [run for run in runs if not run.is_empty]
    if not whole:
        first = next((line.strip() for line in text.splitlines() if line.strip()), None)
        found = (
            f"no output of {tool}'s; the input begins: {one_line(first)[:120]}"
            if first
            else "the input is empty"
        )
        print(f"{script}: nothing to parse: {found}", file=sys.stderr)
        return 2
    failures = complaints(text, whole)
    if len(whole) < len(runs):
        failures.append(f"{len(runs) - len(whole)} of {len(runs)} runs began and have no figures")
    for failure in failures:
        print(f"{script}: not in the rows: {one_line(failure)[:200]}", file=sys.stderr)
    labels = [label, *(f"{label}-{number}" for number in range(2, len(whole) + 1))]
    try:
        sys.stdout.buffer.write(
            rows_text(run.row(name) for run, name in zip(whole, labels, strict=True)).encode()
        )
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader has had enough; Python would complain once more when it closes the stream.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1 if failures else 0
