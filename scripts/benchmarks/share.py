"""What the hand tools share: a load tool's output on stdin as results CSV on stdout, and writing to a pipe.

Standard library only: the scripts run where nothing is installed.
"""

import argparse
import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace

from exporter.live.results_csv import ResultRow, one_line, rows_text


def filter_text(
    tool: str,
    description: str,
    epilog: str,
    parse: Callable[[str], tuple[Sequence[ResultRow], list[str]]],
) -> int:
    """Run `<tool>_parse.py`: every run with figures is a row, the rest is reported on standard error.

    `parse` gives the runs as rows without a label, and what is in none of them. Returns the exit code: 0
    every run is a row, 1 something is not, 2 nothing to parse (and nothing on stdout, so that no header alone
    looks like a result).
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
    runs, failures = parse(text)
    whole = [run for run in runs if run != ResultRow("")]
    if not whole:
        first = next((line.strip() for line in text.splitlines() if line.strip()), None)
        found = (
            f"no output of {tool}'s; the input begins: {one_line(first)[:120]}"
            if first
            else "the input is empty"
        )
        print(f"{script}: nothing to parse: {found}", file=sys.stderr)
        return 2
    if len(whole) < len(runs):
        failures.append(f"{len(runs) - len(whole)} of {len(runs)} runs began and have no figures")
    for failure in failures:
        print(f"{script}: not in the rows: {one_line(failure)[:200]}", file=sys.stderr)
    labels = [label, *(f"{label}-{number}" for number in range(2, len(whole) + 1))]
    write_out(rows_text(replace(run, label=name) for run, name in zip(whole, labels, strict=True)))
    return 1 if failures else 0


def write_out(text: str) -> None:
    """To standard output as UTF-8, whatever the locale is: labels may be in any language."""
    try:
        sys.stdout.buffer.write(text.encode())
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader (head, less) has had enough; Python would complain once more when it closes the stream.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
