#!/usr/bin/env python3
"""wrk's output on stdin, as results CSV on stdout. Python alone; nothing need be installed."""

import argparse
import os
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from exporter.load.wrk_text import parse_wrk, wrk_complaints
from exporter.results_csv import one_line, rows_text

EPILOG = """\
columns: label,rps,p50_ms,p75_ms,p90_ms,p95_ms,p99_ms,non2xx,socket_errors,requests,duration_s

  rps            wrk's Requests/sec: every whole response counts, also those in non2xx
  p50_ms…p99_ms  latency of all responses in milliseconds; wrk prints it with --latency alone and never p95:
                 that comes from run_wrk.sh
  non2xx         responses of status 400 and above, as wrk counts them; 0 where its summary names none
  socket_errors  connect + read + write + timeout; a timeout is a response later than wrk's --timeout
                 (2 s unless told otherwise)
  requests       whole responses, of every status
  duration_s     the time measured, in seconds, whatever unit wrk chose

What the text does not say is an empty field, never 0. Several runs in one input are a row each, labelled L,
L-2, L-3, …

examples:
  wrk -t4 -c4 -d30s --latency http://localhost:8080/ | scripts/benchmarks/wrk_parse.py --label local
  scripts/benchmarks/run_wrk.sh -t10 -c50 -d30s --latency | scripts/benchmarks/wrk_parse.py --label local \\
    > benchmarks/results/20251125-local.csv

exit code: 0 every run is a row, 1 some run gave no figures (the others are rows), 2 nothing to parse
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
        parser.error("pipe wrk's output in; --help has examples")
    # Ctrl-C is for the program at the other end of the pipe; what it then says is still a result.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    text = sys.stdin.buffer.read().decode("utf-8", errors="replace")
    runs = parse_wrk(text)
    whole = [run for run in runs if not run.is_empty]
    if not whole:
        first = next((line.strip() for line in text.splitlines() if line.strip()), None)
        said = (
            f"no summary of wrk's; the input begins: {one_line(first)[:120]}"
            if first
            else "the input is empty"
        )
        print(f"wrk_parse.py: nothing to parse: {said}", file=sys.stderr)
        return 2
    failures = wrk_complaints(text)
    if len(whole) < len(runs):
        failures.append(f"{len(runs) - len(whole)} of {len(runs)} runs began and have no summary")
    for failure in failures:
        print(f"wrk_parse.py: not in the rows: {one_line(failure)[:200]}", file=sys.stderr)
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
