"""The verdict on labelled hours of a load: `python -m tests.rules.driftbench --clean 3000 --faulty 1000`."""

import argparse
import sys
from collections.abc import Sequence

from tests.rules.driftbench.hours import CLEAN, FAULTY
from tests.rules.driftbench.judged import Judged, judged
from tests.rules.leakbench.score import Share

FOUND_WITHIN_SECONDS = 360
FIRST_SEED = 70_000


def asked(clean: int, faulty: int, first: int = FIRST_SEED) -> list[tuple[bool, int, str]]:
    """So many hours of each, every kind in turn."""
    return [
        *((True, first + number, CLEAN[number % len(CLEAN)]) for number in range(clean)),
        *((False, first + number, FAULTY[number % len(FAULTY)]) for number in range(faulty)),
    ]


def false(hours: Sequence[Judged]) -> Share:
    """The clean hours that are said to be slower or to serve less."""
    clean = [each for each in hours if each.fault is None]
    return Share(sum(each.slower is not None or each.less is not None for each in clean), len(clean))


def found(hours: Sequence[Judged], min_requests: float = 200, max_requests: float = float("inf")) -> Share:
    """The faults that are found within six minutes, of those with so many requests in five."""
    faulty = [
        each for each in hours if each.fault is not None and min_requests <= each.requests < max_requests
    ]
    hits = sum(
        each.fault is not None
        and each.slower is not None
        and each.fault < each.slower <= each.fault + FOUND_WITHIN_SECONDS
        for each in faulty
    )
    return Share(hits, len(faulty))


def _line(name: str, share: Share) -> str:
    low, high = share.interval
    return f"{name:<40} {share.hits:>5}/{share.of:<5} {share.ratio:6.1%}  ({low:.1%}–{high:.1%})"


def report(hours: Sequence[Judged]) -> list[str]:
    """The figures as lines."""
    lines = [_line("false, all clean hours", false(hours))]
    lines += [_line(f"  {kind}", false([each for each in hours if each.kind == kind])) for kind in CLEAN]
    lines.append(_line("found within 6 min, 200 requests in 5", found(hours)))
    for low, high in ((200, 1000), (1000, 5000), (5000, float("inf"))):
        lines.append(_line(f"  {low} to {high:g}", found(hours, low, high)))
    lines += [_line(f"  {kind}", found([each for each in hours if each.kind == kind])) for kind in FAULTY]
    return lines


def main() -> int:
    """Judge and print."""
    parser = argparse.ArgumentParser(prog="driftbench", description="False alarms and recall of drift.")
    parser.add_argument("--clean", type=int, default=3000, help="clean hours (default 3000)")
    parser.add_argument("--faulty", type=int, default=1000, help="hours with a fault (default 1000)")
    parser.add_argument("--first-seed", type=int, default=FIRST_SEED, help="seeds below 70000 were tuned on")
    parser.add_argument("--workers", type=int, default=2, choices=range(1, 9))
    arguments = parser.parse_args()
    wanted = asked(arguments.clean, arguments.faulty, arguments.first_seed)
    hours = []
    for each in judged(wanted, arguments.workers):
        hours.append(each)
        if sys.stderr.isatty() or len(hours) % 100 == 0:
            print(f"\r{len(hours)} of {len(wanted)} hours", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    print(*report(hours), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
