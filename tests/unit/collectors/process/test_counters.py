"""collectors.process.counters: sums neither fall nor count twice, whichever process ends or starts again."""

import shutil

import pytest

from tests.support.fake_proc import ABSENT, FakeProc, fake_proc, scrape, watch

proc = pytest.fixture(fake_proc)


def test_cpu_time_neither_falls_nor_counts_twice_when_a_child_ends_and_is_waited_for(proc: FakeProc) -> None:
    collector = watch(proc, name="router")
    proc.process(10, ticks=(100, 0, 0, 0))
    proc.process(11, parent=10, comm="child", ticks=(40, 0, 0, 0))
    assert scrape(collector)["cpu_seconds_total{user}"] == 1.4
    proc.end(11)
    proc.process(10, ticks=(105, 0, 47, 0))  # the child used 7 more before it ended
    assert scrape(collector)["cpu_seconds_total{user}"] == 1.52
    proc.process(10, ticks=(106, 0, 50, 0))  # one came and went between two scrapes
    assert scrape(collector)["cpu_seconds_total{user}"] == 1.56


def test_cpu_time_does_not_fall_when_a_child_ends_and_nobody_waits_for_it(proc: FakeProc) -> None:
    collector = watch(proc, name="router")
    proc.process(10, ticks=(100, 0, 0, 0))
    proc.process(11, parent=10, comm="child", ticks=(40, 0, 0, 0))
    assert scrape(collector)["cpu_seconds_total{user}"] == 1.4
    proc.end(11)
    assert scrape(collector)["cpu_seconds_total{user}"] == 1.4
    proc.process(10, ticks=(110, 0, 0, 0))
    proc.process(11, parent=10, comm="child", start=900, ticks=(1, 0, 0, 0))  # its id is used again
    assert scrape(collector)["cpu_seconds_total{user}"] == 1.51


def test_what_grandchildren_used_is_counted_once_when_both_generations_end(proc: FakeProc) -> None:
    collector = watch(proc, name="router")
    proc.process(10, ticks=(100, 0, 0, 0))
    proc.process(11, parent=10, comm="child", ticks=(40, 0, 0, 0))
    proc.process(12, parent=11, comm="child", ticks=(20, 0, 0, 0))
    assert scrape(collector)["cpu_seconds_total{user}"] == 1.6
    proc.end(11, 12)
    proc.process(10, ticks=(100, 0, 65, 0))
    assert scrape(collector)["cpu_seconds_total{user}"] == 1.65


def test_a_restart_is_counted_and_begins_the_counters_again(proc: FakeProc) -> None:
    collector = watch(proc, name="router")
    proc.process(10, ticks=(5000, 0, 0, 0))
    assert scrape(collector)["restarts_total"] == 0
    proc.end(10)
    assert scrape(collector) == ABSENT
    proc.process(20, start=9000, ticks=(3, 0, 0, 0))
    found = scrape(collector)
    assert (found["restarts_total"], found["cpu_seconds_total{user}"]) == (1, 0.03)
    assert found["start_time_seconds"] == 1700000090.0


def test_a_restart_under_the_same_process_id_is_counted(proc: FakeProc) -> None:
    collector = watch(proc, name="router")
    proc.process(10, start=500, ticks=(5000, 0, 0, 0))
    scrape(collector)
    proc.process(10, start=501, ticks=(2, 0, 0, 0))
    found = scrape(collector)
    assert (found["restarts_total"], found["cpu_seconds_total{user}"]) == (1, 0.02)


def test_the_first_sight_of_a_process_is_no_restart(proc: FakeProc) -> None:
    collector = watch(proc, name="router")
    assert scrape(collector) == ABSENT
    proc.process(10)
    assert scrape(collector)["restarts_total"] == 0


def test_context_switches_do_not_fall_when_a_thread_ends(proc: FakeProc) -> None:
    collector = watch(proc, name="router")
    proc.process(10, threads=3, switches=(10, 1))
    assert scrape(collector)["context_switches_total{voluntary}"] == 30
    shutil.rmtree(proc.root / "10/task/12")
    proc.process(10, threads=2, switches=(11, 1))
    assert scrape(collector)["context_switches_total{voluntary}"] == 32
