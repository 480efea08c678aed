"""Leak rules and verdict on labelled series: `python -m tests.rules.leakbench --seeds 30000:30500`."""

import argparse
import shutil
import sys

from .replay import OTHERS, SERIES_IN_A_FILE, replay
from .score import tables
from .series import generate
from .verdicts import hour_table, hours, load_table, loads

LENGTHS = ((60.0, 0.0), (60.0, 3.0), (30.0, 0.0), (45.0, 0.0), (120.0, 0.0), (1440.0, 0.0))
"""minutes of load, and of a rest in its middle"""
A_DAY = 1440.0


def seeds(text: str) -> range:
    """FIRST:END as a range."""
    first, _, end = text.partition(":")
    if not (first.isdecimal() and end.isdecimal() and int(first) < int(end)):
        raise argparse.ArgumentTypeError(f"{text!r} is not FIRST:END, such as 30000:30500")
    return range(int(first), int(end))


def main() -> int:
    """Replay and print; 0, or 2 where promtool is missing or does not judge."""
    parser = argparse.ArgumentParser(
        prog="leakbench", description="False alarms and recall of the leak rules."
    )
    parser.add_argument(
        "--seeds",
        type=seeds,
        default=range(30000, 30500),
        metavar="FIRST:END",
        help="two series a seed (default 30000:30500; the rules were tuned on seeds below 28000)",
    )
    parser.add_argument(
        "--loads",
        type=seeds,
        default=range(20000, 20025),
        metavar="FIRST:END",
        help="a load of each kind and length a seed, for the verdict (default 20000:20025; it was tuned on "
        "seeds below 10000; of a day a tenth as many)",
    )
    parser.add_argument(
        "--verdict", action="store_true", help="the verdict alone, without the rules and without promtool"
    )
    parser.add_argument("--workers", type=int, default=2, choices=range(1, 9), help="processes at a time")
    arguments = parser.parse_args()
    if not arguments.verdict and (failed := _rules(arguments.seeds, arguments.workers)):
        return failed
    print(*hour_table(hours(arguments.seeds, arguments.workers)), "", sep="\n")
    for minutes, rest in LENGTHS:
        some = arguments.loads
        if minutes >= A_DAY:
            some = range(some.start, some.start + max(len(some) // 10, 1))
        title = f"verdict, {minutes:.0f} min" + (f", rest of {rest:.0f}" if rest else "")
        print(*load_table(loads(some, minutes, rest, arguments.workers), title), "", sep="\n")
    return 0


def _rules(of: range, workers: int) -> int:
    """Replay and print the rules; 0, or 2 where promtool is missing or does not judge."""
    if shutil.which("promtool") is None:
        print("leakbench: promtool is not installed; on Debian: apt install prometheus", file=sys.stderr)
        return 2
    series = list(generate(of))
    judged = []
    try:
        for pair in replay(series, workers):
            judged.append(pair)
            if sys.stderr.isatty() or len(judged) % (10 * SERIES_IN_A_FILE) == 0:
                print(f"\r{len(judged)} of {len(series)} series", end="", file=sys.stderr, flush=True)
    except RuntimeError as error:
        print(f"\nleakbench: {error}", file=sys.stderr)
        return 2
    print("\r", end="", file=sys.stderr)
    print(f"{len(series)} hours, seeds {of.start} to {of.stop - 1}; 95 % intervals")
    for name, other in OTHERS.items():
        print(f"{name}: {other.expression}, for {other.lasting}")
    print(*tables(judged), "", sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
