#!/usr/bin/env python3
"""hey's output on stdin, as results CSV on stdout. Python alone; nothing need be installed."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parent))
from hey_text import parse_hey
from share import filter_text

EPILOG = """\
columns: label,rps,p50_ms,p75_ms,p90_ms,p95_ms,p99_ms,non2xx,socket_errors,requests,duration_s

hey's summary and its `-o csv` are both understood:

                 summary                                     -o csv
  rps            Requests/sec, or, where requests failed,    responses / duration_s
                 the rate without them (hey counts
                 failed requests as well)
  p50_ms…p99_ms  of all responses, as hey has them           of the 2xx responses, nearest rank
  non2xx         responses whose status is not 2xx           the same
  socket_errors  all of its Error distribution               empty: hey leaves failures out of its CSV
  requests       whole responses, of every status            lines
  duration_s     Total                                       end of the last response

hey prints 0.1 ms at the finest. It keeps a million responses at most: where there were more, requests and
non2xx are empty. What the text does not say is an empty field, never 0. Several runs in one input are a row
each, labelled L, L-2, L-3, … A run is a row with all its figures or none at all: then the first line that is
not understood, or the one at which the text ends, is named. Indents, colours, quotation marks and what a log
puts before each line do no harm.

example:
  hey -n 200 -c 20 -m POST -H "Content-Type: application/json" \\
    -d '{"model":"openai:gpt-4o","messages":[{"role":"user","content":"ping"}]}' \\
    http://localhost:8080/v1/chat/completions | scripts/benchmarks/hey_parse.py --label openai

exit code: 0 every run is a row, 1 something is in no row (standard error names it), 2 there is no row
"""


def main() -> int:
    return filter_text("hey", __doc__, EPILOG, parse_hey)


if __name__ == "__main__":
    sys.exit(main())
