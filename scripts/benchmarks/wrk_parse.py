#!/usr/bin/env python3
"""wrk's or wrk2's output on stdin, as results CSV on stdout. Python alone; nothing need be installed."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parent))
from share import filter_text
from wrk_text import parse_wrk

EPILOG = """\
columns: label,rps,p50_ms,p75_ms,p90_ms,p95_ms,p99_ms,non2xx,socket_errors,requests,duration_s

  rps            wrk's Requests/sec: every whole response counts, also those in non2xx
  p50_ms…p99_ms  latency of all responses in milliseconds; wrk prints it with --latency alone and never p95:
                 that comes from run_wrk.sh. Of wrk2 the corrected ones (Recorded Latency) are taken, p95
                 from its spectrum
  non2xx         responses of status 400 and above, as wrk counts them; 0 where its summary names none
  socket_errors  connect + read + write + timeout; a timeout is a response later than wrk's --timeout
                 (2 s by default)
  requests       whole responses, of every status
  duration_s     the time measured, in seconds, whatever unit wrk chose; one of more than a year cannot be, so
                 it and rps are empty

What the text does not say is an empty field, never 0. Several runs in one input are a row each, labelled L,
L-2, L-3, … A run is a row with all its figures or none at all: then the first line that is not understood, or
the one at which the text ends, is named. Indents, colours, quotation marks and what a log puts before each
line do no harm. What a script prints is not read.

examples:
  wrk -t4 -c4 -d30s --latency http://localhost:8080/ | scripts/benchmarks/wrk_parse.py --label local
  scripts/benchmarks/run_wrk.sh -t10 -c50 -d30s --latency | scripts/benchmarks/wrk_parse.py --label local \\
    > benchmarks/results/20251125-local.csv

exit code: 0 every run is a row, 1 something is in no row (standard error names it), 2 there is no row
"""


def main() -> int:
    return filter_text("wrk", __doc__, EPILOG, parse_wrk)


if __name__ == "__main__":
    sys.exit(main())
