#!/usr/bin/env python3
"""hey's output on stdin, as results CSV on stdout. Python alone; nothing need be installed."""

import argparse
import os
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from exporter.load.hey_text import parse_hey
from exporter.results_csv import one_line, rows_text

EPILOG = """\
columns: label,rps,p50_ms,p75_ms,p90_ms,p95_ms,p99_ms,non2xx,socket_errors,requests,duration_s

hey's summary and its `-o csv` are both understood, and told apart by themselves:

                 summary                                     -o csv
  rps            Requests/sec, or, where requests failed,    responses / duration_s
                 responses / Total (hey counts failed
                 requests as well)
  p50_ms…p99_ms  of all responses, as hey has them           of the 2xx responses, nearest rank
  non2xx         responses whose status is not 2xx           the same
  socket_errors  all of its Error distribution               empty: hey leaves failures out of its CSV
  requests       whole responses, of every status            lines
  duration_s     Total                                       end of the last response

hey prints 0.1 ms at the finest. It keeps a million responses at most: a CSV of that length does not say how
many there were. What the text does not say is an empty field, never 0. Several runs in one input are a row
each, labelled L, L-2, L-3, …

example:
  hey -n 200 -c 20 -m POST -H "Content-Type: application/json" \\
    -d '{"model":"openai:gpt-4o","messages":[{"role":"user","content":"ping"}]}' \\
    http://localhost:8080/v1/chat/completions | scripts/benchmarks/hey_parse.py --label openai

exit code: 0 every run is a row, 1 something could not be read (the rest is rows), 2 nothing to parse
"""


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--label", required=True, metavar="L", help="what the row is called")
    label = one_line(parser.parse_args().label).strip()
    if not label:
        parser.error("--label is empty")
    if sys.stdin.isatty():
        parser.error("pipe hey's output in; --help has an example")
    # Ctrl-C is for the program at the other end of the pipe; what it then says is still a result.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    text = sys.stdin.buffer.read().decode("utf-8", errors="replace")
    runs = parse_hey(text)
    whole = [run for run in runs if not run.is_empty]
    if not whole:
        first = next((line.strip() for line in text.splitlines() if line.strip()), None)
        said = (
            f"no output of hey's; the input begins: {one_line(first)[:120]}"
            if first
            else "the input is empty"
        )
        print(f"hey_parse.py: nothing to parse: {said}", file=sys.stderr)
        return 2
    failures = []
    if len(whole) < len(runs):
        failures.append(f"{len(runs) - len(whole)} of {len(runs)} runs began and have no figures")
    if unreadable := sum(run.unreadable_lines for run in whole):
        failures.append(f"{unreadable} lines that are no response in hey's CSV")
    for failure in failures:
        print(f"hey_parse.py: not in the rows: {failure}", file=sys.stderr)
    labels = [label, *(f"{label}-{number}" for number in range(2, len(whole) + 1))]
    try:
        sys.stdout.reconfigure(encoding="utf-8")
        sys.stdout.write(rows_text(run.row(name) for run, name in zip(whole, labels, strict=True)))
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader has had enough; Python would complain once more when it closes the stream.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
