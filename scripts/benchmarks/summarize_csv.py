#!/usr/bin/env python3
"""Results files as one Markdown table on standard output. Python alone; nothing need be installed."""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parent))
from share import write_out

from exporter.results.summary import read_files, summary_table

EPILOG = """\
columns: label / rps / p95_ms / p99_ms / non2xx / socket_errors / requests / duration_s / source

Every row of every file is a line; what a file does not know is an empty cell, never 0. What could not be
read is named on standard error as file:line: reason.

examples:
  scripts/benchmarks/summarize_csv.py benchmarks/results/*.csv
  scripts/benchmarks/summarize_csv.py 'benchmarks/results/202511*.csv' > november.md

exit code: 0 all of it was read, 1 something could not be read (the table has the rest), 2 nothing to show
"""


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", nargs="+", metavar="FILE", help="a results file, or a glob in quotes")
    rows, problems = read_files(parser.parse_args().files)
    for problem in problems:
        print(problem, file=sys.stderr)
    if not rows:
        print("summarize_csv.py: no results in what was given; --help has examples", file=sys.stderr)
        return 2
    write_out(summary_table(rows))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
