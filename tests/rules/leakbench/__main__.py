"""The leak rules on labelled series: `python -m tests.rules.leakbench --seeds 30000:30500`."""

import argparse
import shutil
import sys

from .replay import OTHERS, SERIES_IN_A_FILE, replay
from .score import tables
from .series import generate


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
    parser.add_argument("--workers", type=int, default=2, choices=range(1, 9), help="promtools at a time")
    arguments = parser.parse_args()
    if shutil.which("promtool") is None:
        print("leakbench: promtool is not installed; on Debian: apt install prometheus", file=sys.stderr)
        return 2
    series = list(generate(arguments.seeds))
    judged = []
    try:
        for pair in replay(series, arguments.workers):
            judged.append(pair)
            if sys.stderr.isatty() or len(judged) % (10 * SERIES_IN_A_FILE) == 0:
                print(f"\r{len(judged)} of {len(series)} series", end="", file=sys.stderr, flush=True)
    except RuntimeError as error:
        print(f"\nleakbench: {error}", file=sys.stderr)
        return 2
    print("\r", end="", file=sys.stderr)
    print(f"{len(series)} hours, seeds {arguments.seeds.start} to {arguments.seeds.stop - 1}; 95 % intervals")
    for name, other in OTHERS.items():
        print(f"{name}: {other.expression}, for {other.lasting}")
    print(*tables(judged), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
