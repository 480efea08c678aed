"""Plays the labelled runs, some at a time, each in another process."""

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context

from tests.judgebench.case import Case
from tests.judgebench.cases import CASES
from tests.judgebench.right import Said, wrong
from tests.judgebench.scene import Draw


@dataclass(frozen=True)
class Played:
    """One run that was played."""

    case: Case
    said: Said
    wrong: tuple[str, ...]


def play(
    cases: Sequence[Case], workers: int, seen: Callable[[Played], None], seed: int = Draw.seed
) -> list[Played]:
    """All of them; `seen` is called of each as it ends. In the order of `cases`."""
    played: dict[str, Played] = {}
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        # A case does not go to another process, its name does.
        running = {pool.submit(say_of, case.name, seed): case for case in cases}
        for future in as_completed(running):
            case = running[future]
            said = future.result()
            played[case.name] = Played(case, said, tuple(wrong(case.right, said)))
            seen(played[case.name])
    return [played[case.name] for case in cases]


def say_of(name: str, seed: int) -> Said:
    """What is said of a run of that name, drawn from that seed."""
    Draw.seed = seed
    return next(case for case in CASES if case.name == name).say()
