"""exporter.run.rounds: what is done beside the load costs the run nothing, not even where it fails."""

import logging
import threading
from collections.abc import Callable

import pytest

from exporter.run import rounds
from exporter.run.rounds import MAX_CPU_RATIO, Rounds, Task
from tests.support.clocks import FakeClock


class Cpu:
    """The CPU time of this thread, as a test lets it pass."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def spend(self, seconds: float) -> None:
        self.seconds += seconds


@pytest.fixture
def cpu(monkeypatch: pytest.MonkeyPatch) -> Cpu:
    found = Cpu()
    monkeypatch.setattr(rounds, "_cpu_seconds", lambda: found.seconds)
    return found


def due(work: Callable[[], None], until: int) -> list[int]:
    """The seconds up to `until` at which a task of every five is done, asked once a second."""
    done: list[int] = []
    now = 0

    def do() -> None:
        done.append(now)
        work()

    task = Task("x", do, 5.0)
    for now in range(until):
        task.do_if_due(float(now))
    return done


def test_a_task_that_costs_nothing_is_done_as_often_as_it_is_asked_for(cpu: Cpu) -> None:
    assert due(lambda: None, 21) == [0, 5, 10, 15, 20]


def test_a_slow_task_is_done_less_often_so_that_its_share_of_a_cpu_stays(cpu: Cpu) -> None:
    assert MAX_CPU_RATIO == 0.02
    assert due(lambda: cpu.spend(0.25), 41) == [0, 13, 26, 39]


def test_a_slow_task_that_fails_costs_no_more(cpu: Cpu) -> None:
    def fail() -> None:
        cpu.spend(0.5)
        raise KeyError("x")

    assert due(fail, 41) == [0, 25]


def test_what_a_task_raises_is_a_line_until_it_succeeds_again(cpu: Cpu) -> None:
    problems: list[BaseException] = [ValueError("bad\n\x1b[31mnumber"), RuntimeError("x" * 1000)]

    def do() -> None:
        if problems:
            raise problems.pop(0)

    task = Task("the verdict so far", do, 0.0)
    found = Rounds([task], FakeClock())
    task.do_if_due(0.0)
    assert [*found.problems] == ["the verdict so far: ValueError: bad \ufffd[31mnumber"]
    task.do_if_due(1.0)
    assert found.problems[0].startswith("the verdict so far: RuntimeError: xxx")
    assert len(found.problems[0]) < 350
    task.do_if_due(2.0)
    assert [*found.problems] == []


def test_tasks_are_done_in_a_thread_of_their_own_until_the_rounds_end() -> None:
    done = threading.Event()
    threads: list[str] = []

    def do() -> None:
        threads.append(threading.current_thread().name)
        done.set()

    with Rounds([Task("x", do, 0.001)], FakeClock()):
        assert done.wait(10)
    assert set(threads) == {"rounds"}
    assert not any(each.name == "rounds" for each in threading.enumerate())


def test_what_goes_wrong_is_for_the_view_and_no_traceback_is_on_the_terminal(
    cpu: Cpu, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise OSError(2, "No such file or directory")

    task = Task("what a kill would leave", fail, 5.0)
    task.do_if_due(0.0)
    assert task.problem == "FileNotFoundError: [Errno 2] No such file or directory"
    assert [each for each in caplog.records if each.levelno >= logging.WARNING] == []
