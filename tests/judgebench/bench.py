"""Plays the labelled runs: the simulated ones in other processes, the real ones two at a time."""

from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from dataclasses import dataclass
from multiprocessing import get_context

from tests.judgebench.case import Case
from tests.judgebench.cases import CASES
from tests.judgebench.right import Said, wrong


@dataclass(frozen=True)
class Played:
    """One run that was played."""

    case: Case
    said: Said
    wrong: tuple[str, ...]


def play(cases: Sequence[Case], workers: int, seen: Callable[[Played], None]) -> list[Played]:
    """All of them; `seen` is called of each as it ends. In the order of `cases`."""
    played: dict[str, Played] = {}
    with ExitStack() as stack:
        pools: dict[bool, Executor] = {
            # What is real waits for processes, and may fork them.
            True: stack.enter_context(ThreadPoolExecutor(workers)),
            False: stack.enter_context(ProcessPoolExecutor(workers, get_context("spawn"))),
        }
        running = {_submit(pools[case.real], case): case for case in cases}
        for future in as_completed(running):
            case = running[future]
            said = future.result()
            played[case.name] = Played(case, said, tuple(wrong(case.right, said)))
            seen(played[case.name])
    return [played[case.name] for case in cases]


def _submit(pool: Executor, case: Case) -> Future[Said]:
    # A case does not go to another process, its name does.
    return pool.submit(case.say) if case.real else pool.submit(say_of, case.name)


def say_of(name: str) -> Said:
    """What is said of a run of that name."""
    return next(case for case in CASES if case.name == name).say()
