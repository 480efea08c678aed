"""exporter.collectors.process.discovery: several separate matches, one or each of them watched."""

import logging

import pytest

from exporter.settings.exporter_config import MAX_REPLICAS
from tests.support.fake_proc import FakeProc, by_process, fake_proc, scrape, watch

proc = pytest.fixture(fake_proc)

STARTED, UP, RESTARTS = "start_time_seconds", "up", "restarts"


def replica(proc: FakeProc, pid: int, start: int, cmdline: str = "litellm\0--port\x004000\0") -> None:
    proc.process(pid, comm="litellm", start=start, cmdline=cmdline)


def test_how_many_match_beside_the_watched_one_is_counted_and_said_once(
    proc: FakeProc, caplog: pytest.LogCaptureFixture
) -> None:
    for pid, start in ((10, 300), (20, 100), (30, 200)):
        replica(proc, pid, start)
    proc.process(21, parent=20, cmdline="litellm\0worker\0")  # no match of its own
    collector = watch(proc, command_line="litellm")
    with caplog.at_level(logging.WARNING):
        found = [scrape(collector) for _ in range(3)]
    assert [(one["unwatched{several}"], one[STARTED], one["threads"]) for one in found] == [
        (2, 1700000001.0, 2)
    ] * 3
    (line,) = caplog.messages
    assert "watched process it: 2 more match and are not watched (process 30, 10)" in line
    assert "`each: true`" in line


def test_a_match_that_starts_later_is_counted_though_it_is_another_program_at_first(proc: FakeProc) -> None:
    replica(proc, 10, 100)
    collector = watch(proc, command_line="litellm")
    assert scrape(collector)["unwatched{several}"] == 0
    replica(proc, 20, 200, cmdline="sh\0-c\0start\0")
    assert scrape(collector)["unwatched{several}"] == 0
    replica(proc, 20, 200)  # the same process, which has executed its program
    assert scrape(collector)["unwatched{several}"] == 1


def test_a_match_that_waited_long_is_found_in_the_end_and_one_that_ended_is_counted_no_more(
    proc: FakeProc,
) -> None:
    replica(proc, 10, 100)
    replica(proc, 20, 200, cmdline="sh\0-c\0wait\0")
    collector = watch(proc, command_line="litellm")
    for _ in range(9):
        scrape(collector)
    replica(proc, 20, 200)
    assert max(scrape(collector)["unwatched{several}"] for _ in range(120)) == 1
    proc.end(20)
    assert [scrape(collector)["unwatched{several}"] for _ in range(120)][-1] == 0


def test_two_listeners_on_one_port_are_two_matches(proc: FakeProc) -> None:
    for pid, inode in ((10, 71), (20, 72)):
        proc.socket(8080, "0A", inode)
        proc.process(pid, start=pid * 10, sockets=(inode,))
    assert scrape(watch(proc, port=8080))["unwatched{several}"] == 1
    assert by_process(watch(proc, port=8080, each=True), UP) == {"it-1": 1, "it-2": 1}


def test_a_listener_that_joins_on_the_port_later_is_found(proc: FakeProc) -> None:
    proc.socket(8080, "0A", 71)
    proc.process(10, sockets=(71,))
    collector = watch(proc, port=8080, each=True)
    assert by_process(collector, UP) == {"it-1": 1}
    proc.socket(8080, "0A", 72)
    proc.process(20, start=900, sockets=(72,))
    assert [by_process(collector, UP) for _ in range(6)][-1] == {"it-1": 1, "it-2": 1}


def test_each_is_named_by_its_age_and_keeps_its_name_over_a_restart(proc: FakeProc) -> None:
    for pid, start in ((10, 300), (20, 100), (30, 200)):
        replica(proc, pid, start)
    collector = watch(proc, command_line="litellm", each=True)
    by_age = {"it-1": 1700000001.0, "it-2": 1700000002.0, "it-3": 1700000003.0}
    assert by_process(collector, STARTED) == by_age
    proc.end(30)
    assert by_process(collector, UP) == {"it-1": 1, "it-2": 0, "it-3": 1}
    replica(proc, 40, 900)
    assert by_process(collector, STARTED) == by_age | {"it-2": 1700000009.0}
    assert by_process(collector, RESTARTS) == {"it-1": 0, "it-2": 1, "it-3": 0}


def test_of_each_there_is_one_before_any_has_started_and_another_as_it_comes(proc: FakeProc) -> None:
    collector = watch(proc, name="litellm", each=True)
    assert by_process(collector, UP) == {"it-1": 0}
    replica(proc, 10, 100)
    assert by_process(collector, UP) == {"it-1": 1}
    replica(proc, 20, 200)
    assert by_process(collector, UP) == {"it-1": 1, "it-2": 1}


def test_the_names_are_bounded_and_the_rest_is_counted(
    proc: FakeProc, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(MAX_REPLICAS + 3):
        replica(proc, 10 + number, 100 + number)
    collector = watch(proc, name="litellm", each=True)
    assert list(by_process(collector, UP)) == [f"it-{number}" for number in range(1, MAX_REPLICAS + 1)]
    assert sum(by_process(collector, "unwatched").values()) == 0  # the last sample of it: hidden
    assert f"3 more match and are not watched (process 26, 27, 28); at most {MAX_REPLICAS} are" in caplog.text


def test_where_the_watched_one_ends_another_takes_its_place_and_that_is_a_restart(proc: FakeProc) -> None:
    replica(proc, 10, 100)
    replica(proc, 20, 200)
    collector = watch(proc, command_line="litellm")
    scrape(collector)
    proc.end(10)
    found = scrape(collector)
    assert (found[STARTED], found["restarts_total"], found["unwatched{several}"]) == (1700000002.0, 1, 0)
