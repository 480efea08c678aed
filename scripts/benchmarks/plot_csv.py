#!/usr/bin/env python3
"""Results files as one picture: p95 and p99 of every run, and its requests per second."""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from exporter.errors import SoakError
from exporter.results.plot import plot_rows
from exporter.results.summary import read_files

EPILOG = """\
What a file does not know is marked "no data", never drawn as 0. What could not be read is named on standard
error as file:line: reason. Needs matplotlib: pip install matplotlib

examples:
  scripts/benchmarks/plot_csv.py -o benchmarks/results/plot.png benchmarks/results/*.csv
  scripts/benchmarks/plot_csv.py -o november.svg 'benchmarks/results/202511*.csv'

exit code: 0 all of it was read, 1 something could not be read (the picture has the rest), 2 no picture
"""


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "-o",
        "--output",
        required=True,
        type=Path,
        metavar="PICTURE",
        help="the file to write: .png, .svg or .pdf",
    )
    parser.add_argument("files", nargs="+", metavar="FILE", help="a results file, or a glob in quotes")
    arguments = parser.parse_args()
    rows, problems = read_files(arguments.files)
    for problem in problems:
        print(problem, file=sys.stderr)
    try:
        plot_rows(rows, arguments.output)
    except SoakError as error:
        print(f"plot_csv.py: {error}", file=sys.stderr)
        return 2
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
