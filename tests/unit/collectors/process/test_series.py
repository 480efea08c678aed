"""exporter.collectors.process.process: the series of a process and its children, and of several processes."""

import pytest

from exporter.collectors.collector import WatchedPids
from exporter.collectors.process.process import ProcessCollector
from exporter.settings.exporter_config import Match, Role, WatchedProcess
from tests.support.fake_proc import ABSENT, UNWATCHED, FakeProc, fake_proc, scrape, watch

proc = pytest.fixture(fake_proc)


def test_every_series_of_a_process_and_its_children_is_their_sum(proc: FakeProc) -> None:
    for inode, state in ((71, "0A"), (72, "01"), (73, "01"), (74, "08"), (75, "01")):
        proc.socket(8080, state, inode)
    proc.process(
        10,
        ticks=(100, 50, 20, 10),
        faults=(7, 3, 2, 1),
        io=(1000, 2000),
        sockets=(71, 72, 73),
        switches=(5, 6),
    )
    proc.process(
        11, parent=10, ticks=(30, 20, 0, 0), faults=(1, 1, 0, 0), io=(10, 20), sockets=(71, 74), threads=2
    )
    proc.process(12, parent=11, kilobytes=50, switches=(1, 2))
    proc.process(13, parent=1, comm="other", ticks=(999, 999, 999, 999), sockets=(75,))
    found = scrape(watch(proc, port=8080))
    assert found == {
        "up": 1,
        "restarts_total": 0,
        "start_time_seconds": 1700000005.0,
        "cpu_seconds_total{user}": 1.5,
        "cpu_seconds_total{system}": 0.8,
        "resident_memory_bytes": 1000 * 1024,
        "anonymous_memory_bytes": 500 * 1024,
        "swap_bytes": 250 * 1024,
        "virtual_memory_bytes": 2000 * 1024,
        "threads": 4,
        "open_fds": 8,
        "max_fds": 1024,
        "connections{established}": 2,
        "connections{syn_sent}": 0,
        "connections{syn_recv}": 0,
        "connections{fin_wait1}": 0,
        "connections{fin_wait2}": 0,
        "connections{time_wait}": 0,
        "connections{close}": 0,
        "connections{close_wait}": 1,
        "connections{last_ack}": 0,
        "connections{listen}": 1,
        "connections{closing}": 0,
        "context_switches_total{voluntary}": 6,
        "context_switches_total{involuntary}": 8,
        "page_faults_total{minor}": 10,
        "page_faults_total{major}": 5,
        "read_bytes_total": 1010,
        "write_bytes_total": 2020,
        "written_files_bytes": 0,
        "children": 2,
        "child_starts_total": 0,
        "worker_deaths_total": 0,
        **UNWATCHED,
    }


def test_an_absent_process_has_up_and_restarts_alone(proc: FakeProc) -> None:
    assert scrape(watch(proc, port=8080)) == ABSENT
    assert scrape(watch(proc, name="router")) == ABSENT
    assert scrape(watch(proc, command_line="router")) == ABSENT
    assert scrape(watch(proc, pid_file=str(proc.root / "none.pid"))) == ABSENT


def test_a_zombie_is_absent(proc: FakeProc) -> None:
    proc.process(10, state="Z", kilobytes=None)
    assert scrape(watch(proc, name="router")) == ABSENT


def test_several_processes_each_have_their_series(proc: FakeProc) -> None:
    proc.process(10, comm="a")
    proc.process(20, comm="b", start=700)
    watched = [WatchedProcess(name=f"the-{name}", role=Role.NODE, match=Match(name=name)) for name in "abc"]
    families = {family.name: family for family in ProcessCollector(watched, proc.root).collect()}
    assert {sample.labels["process"]: sample.value for sample in families["observed_process_up"].samples} == {
        "the-a": 1,
        "the-b": 1,
        "the-c": 0,
    }
    assert len(families["observed_process_threads"].samples) == 2


def test_the_process_ids_of_each_tree_are_read_at_every_scrape(proc: FakeProc) -> None:
    proc.process(10, comm="a")
    proc.process(11, parent=10, comm="child")
    proc.process(20, comm="b", start=700)
    watched = [WatchedProcess(name=f"the-{name}", role=Role.NODE, match=Match(name=name)) for name in "abc"]
    pids = WatchedPids()
    collector = ProcessCollector(watched, proc.root, watched_pids=pids)
    collector.collect()
    assert pids.trees == {"the-a": {10, 11}, "the-b": {20}}
    proc.end(20)
    collector.collect()
    assert pids.trees == {"the-a": {10, 11}}
