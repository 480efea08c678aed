"""What the hand tools share: a load tool's output on stdin as results CSV on stdout, and writing to a pipe.

Standard library only: the scripts run where nothing is installed.
"""

import argparse
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from io import TextIOWrapper
from pathlib import Path

from pasted import Parsed, decoded, lines_of

from exporter.live.results_csv import rows_text
from exporter.plain_text import one_line

MAX_MESSAGE = 300
MAX_FAILURES = 3
"""that are in one line where there is no row"""


def filter_text(tool: str, description: str, epilog: str, parse: Callable[[str], Parsed]) -> int:
    """Run `<tool>_parse.py`: every whole run is a row, the rest is reported on standard error.

    Returns the exit code: 0 every run is a row, 1 something is in no row, 2 there is no row (and nothing on
    stdout, so that no header alone looks like a result).
    """
    script = f"{tool}_parse.py"
    if isinstance(sys.stdout, TextIOWrapper):
        # For --help in a locale without UTF-8.
        sys.stdout.reconfigure(errors="replace")
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
    text = decoded(sys.stdin.buffer.read())
    parsed = parse(text)
    failures = [one_line(failure)[:MAX_MESSAGE] for failure in parsed.failures]
    if not parsed.rows:
        first = next((line.strip() for line in lines_of(text) if line.strip()), None)
        if not failures:
            begins = f"no output of {tool}'s; the input begins: {one_line(first or '')[:120]}"
            failures = [begins if first else "the input is empty"]
        print(f"{script}: no row: {'; '.join(failures[:MAX_FAILURES])}", file=sys.stderr)
        return 2
    for note in parsed.notes:
        print(f"{script}: {one_line(note)}", file=sys.stderr)
    for failure in failures:
        print(f"{script}: not in the rows: {failure}", file=sys.stderr)
    labels = [label, *(f"{label}-{number}" for number in range(2, len(parsed.rows) + 1))]
    write_out(rows_text(replace(row, label=name) for row, name in zip(parsed.rows, labels, strict=True)))
    return 1 if failures else 0


def write_out(text: str) -> None:
    """To standard output as UTF-8, whatever the locale is: labels may be in any language."""
    try:
        sys.stdout.buffer.write(text.encode())
        sys.stdout.flush()
    except OSError as error:
        # Python would complain once more when it closes the stream.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):  # the reader (head, less) has had enough
            print(f"{Path(sys.argv[0]).name}: cannot write ({error.strerror})", file=sys.stderr)
            sys.exit(2)
