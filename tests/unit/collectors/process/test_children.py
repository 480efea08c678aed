"""exporter.collectors.process.children: workers, helpers, and which of them died."""

import pytest

from exporter.collectors.process.children import MIN_WORKER_SECONDS
from tests.support.clocks import FakeClock
from tests.support.fake_proc import FakeProc, fake_proc, scrape, watch

proc = pytest.fixture(fake_proc)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def counts(found: dict[str, float]) -> tuple[float, float, float]:
    return found["children"], found["child_starts_total"], found["worker_deaths_total"]


def test_a_worker_that_dies_and_is_replaced_is_seen(proc: FakeProc, clock: FakeClock) -> None:
    collector = watch(proc, clock=clock, name="router")
    proc.process(10)
    for pid in (11, 12, 13):
        proc.process(pid, parent=10, comm="worker")
    assert counts(scrape(collector)) == (3, 0, 0)
    clock.advance(5)
    proc.end(12)
    proc.process(14, parent=10, comm="worker", start=900)
    found = scrape(collector)
    assert counts(found) == (3, 1, 1)
    assert found["restarts_total"] == 0


def test_a_worker_is_the_same_by_its_start_and_not_by_its_process_id(
    proc: FakeProc, clock: FakeClock
) -> None:
    collector = watch(proc, clock=clock, name="router")
    proc.process(10)
    proc.process(11, parent=10, comm="worker")
    scrape(collector)
    proc.process(11, parent=10, comm="worker", start=900)
    assert counts(scrape(collector)) == (1, 1, 1)


def test_a_worker_that_ended_and_waits_to_be_reaped_has_died(proc: FakeProc, clock: FakeClock) -> None:
    collector = watch(proc, clock=clock, name="router")
    proc.process(10)
    proc.process(11, parent=10, comm="worker")
    scrape(collector)
    proc.process(11, parent=10, comm="worker", state="Z", kilobytes=None)
    assert counts(scrape(collector)) == (0, 0, 1)
    proc.end(11)
    assert counts(scrape(collector)) == (0, 0, 1)


def test_what_a_router_starts_for_a_moment_is_no_worker(proc: FakeProc, clock: FakeClock) -> None:
    collector = watch(proc, clock=clock, name="router")
    proc.process(10)
    scrape(collector)
    for number in range(5):
        proc.process(20 + number, parent=10, comm="nvidia-smi", start=900 + number)
        assert counts(scrape(collector)) == (1, number + 1, 0)
        proc.end(20 + number)
        clock.advance(60)  # it was seen once, however long ago that is
    assert counts(scrape(collector)) == (0, 5, 0)


def test_a_child_that_has_lived_for_long_is_a_worker(proc: FakeProc, clock: FakeClock) -> None:
    collector = watch(proc, clock=clock, name="router")
    proc.process(10)
    scrape(collector)
    proc.process(11, parent=10, comm="worker", start=900)
    scrape(collector)
    clock.advance(MIN_WORKER_SECONDS)
    scrape(collector)
    proc.end(11)
    assert counts(scrape(collector)) == (0, 1, 1)


def test_a_restart_of_the_whole_is_no_death_of_workers(proc: FakeProc, clock: FakeClock) -> None:
    collector = watch(proc, clock=clock, name="router")
    proc.process(10)
    proc.process(11, parent=10, comm="worker")
    scrape(collector)
    proc.end(10, 11)
    assert scrape(collector)["up"] == 0
    proc.process(20, start=900)
    proc.process(21, parent=20, comm="worker", start=900)
    found = scrape(collector)
    assert counts(found) == (1, 0, 0)
    assert found["restarts_total"] == 1


def test_a_daemon_that_leaves_the_tree_has_not_died(proc: FakeProc, clock: FakeClock) -> None:
    collector = watch(proc, clock=clock, name="router")
    proc.process(1, parent=0, comm="init", start=0)
    proc.process(10)
    proc.process(11, parent=10, comm="shell")
    proc.process(12, parent=11, comm="daemon")
    assert counts(scrape(collector)) == (2, 0, 0)
    proc.end(11)
    proc.process(12, parent=1, comm="daemon")
    assert counts(scrape(collector)) == (0, 0, 1)  # the shell
