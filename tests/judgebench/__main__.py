"""`make judgebench`, or `python -m tests.judgebench` from the root of the checkout."""

import argparse
import sys
from collections.abc import Sequence
from fnmatch import fnmatchcase

from tests.judgebench.bench import Played, play
from tests.judgebench.case import Case
from tests.judgebench.cases import CASES
from tests.judgebench.scene import Draw
from tests.judgebench.table import lines_of, markdown


def chosen(text: str) -> list[Case]:
    """The runs of NAME,…; `*` stands for any letters."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    found = [case for case in CASES if any(fnmatchcase(case.name, name) for name in names)]
    unknown = [name for name in names if not any(fnmatchcase(case.name, name) for case in CASES)]
    if unknown or not found:
        raise argparse.ArgumentTypeError(f"no run is called {', '.join(unknown)}; --list names all")
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Play, print, and 1 where one is judged wrongly."""
    parser = argparse.ArgumentParser(
        prog="judgebench", description="Labelled runs, and what the verdict says of them."
    )
    parser.add_argument(
        "--runs", type=chosen, default=list(CASES), metavar="NAME,…", help="only these; leak-* is all leaks"
    )
    kinds = parser.add_mutually_exclusive_group()
    kinds.add_argument("--simulated", action="store_true", help="only those in simulated time: a minute")
    kinds.add_argument("--real", action="store_true", help="only those of real processes")
    parser.add_argument("--list", action="store_true", help="name the runs and what is in them")
    parser.add_argument("--markdown", action="store_true", help="print the table of docs/measured.md too")
    parser.add_argument("--workers", type=int, default=2, choices=range(1, 9), help="runs at a time")
    parser.add_argument("--seed", type=int, default=Draw.seed, help="of what is drawn in the simulated runs")
    given = parser.parse_args(arguments)
    cases = [
        case
        for case in given.runs
        if (case.real or not given.real) and (not case.real or not given.simulated)
    ]
    if given.list:
        for case in cases:
            print(f"{case.name:26} {'real' if case.real else 'simulated':9} {case.length:8} {case.what}")
        return 0
    count = 0

    def seen(played: Played) -> None:
        nonlocal count
        count += 1
        print(f"{count:3}/{len(cases)} ", "\n".join(lines_of(played)), sep="", flush=True)

    all_played = play(cases, given.workers, seen, given.seed)
    bad = [each for each in all_played if each.wrong]
    if given.markdown:
        print(*markdown(all_played), sep="\n")
    print(f"{len(all_played) - len(bad)} of {len(all_played)} runs are judged rightly")
    for each in bad:
        print(f"wrong: {each.case.name}: {'; '.join(each.wrong)}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
