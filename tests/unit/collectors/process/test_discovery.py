"""exporter.collectors.process.process: which process is the one to watch, and which belong to it."""

from pathlib import Path

import pytest

from exporter.collectors.procfs import ProcFs
from tests.support.fake_proc import ABSENT, FakeProc, fake_proc, scrape, watch

proc = pytest.fixture(fake_proc)


def test_a_supervisor_without_the_socket_is_not_the_listener(proc: FakeProc) -> None:
    proc.socket(8080, "0A", 71)
    proc.process(10, start=100, comm="supervisor")
    proc.process(11, parent=10, start=200, sockets=(71,))
    assert scrape(watch(proc, port=8080))["start_time_seconds"] == 1700000002.0


def test_of_a_master_and_workers_with_the_socket_the_master_is_watched(proc: FakeProc) -> None:
    proc.socket(8080, "0A", 71)
    proc.process(10, start=200, sockets=(71,))
    proc.process(11, parent=10, start=200, sockets=(71,))
    proc.process(9, parent=10, start=201, sockets=(71,))
    found = scrape(watch(proc, port=8080))
    assert (found["start_time_seconds"], found["threads"], found["connections{listen}"]) == (
        1700000002.0,
        3,
        1,
    )


def test_systemd_that_hands_out_the_socket_is_not_the_listener(proc: FakeProc) -> None:
    proc.socket(8080, "0A", 71)
    proc.process(1, parent=0, start=1, comm="systemd", sockets=(71,))
    proc.process(10, start=200, sockets=(71,))
    assert scrape(watch(proc, port=8080))["start_time_seconds"] == 1700000002.0


def test_a_client_of_the_port_is_not_its_listener(proc: FakeProc) -> None:
    proc.socket(8080, "01", 71)
    proc.process(10, sockets=(71,))
    assert scrape(watch(proc, port=8080)) == ABSENT


def test_a_process_that_no_longer_holds_the_socket_is_replaced_by_the_one_that_does(proc: FakeProc) -> None:
    proc.socket(8080, "0A", 71)
    proc.process(10, start=200, sockets=(71,))
    collector = watch(proc, port=8080)
    assert scrape(collector)["start_time_seconds"] == 1700000002.0
    proc.process(10, start=200)
    proc.process(20, start=300, sockets=(71,))
    found = scrape(collector)
    assert (found["start_time_seconds"], found["restarts_total"]) == (1700000003.0, 1)


def test_a_known_listener_is_not_searched_for_again(proc: FakeProc, monkeypatch: pytest.MonkeyPatch) -> None:
    proc.socket(8080, "0A", 71)
    proc.process(10, sockets=(71,))
    proc.process(20, comm="other")
    collector = watch(proc, port=8080)
    scrape(collector)
    read = []
    real = ProcFs.names

    def names(self: ProcFs, path: str) -> list[str]:
        read.append(path)
        return real(self, path)

    monkeypatch.setattr(ProcFs, "names", names)
    assert scrape(collector)["up"] == 1
    assert read == ["10/fd"]


def test_of_several_matches_the_oldest_that_is_no_other_ones_descendant_is_taken(proc: FakeProc) -> None:
    proc.process(30, start=300)
    proc.process(31, parent=30, start=100)  # started under another name, say
    proc.process(20, start=400)
    found = scrape(watch(proc, name="router"))
    assert (found["start_time_seconds"], found["threads"]) == (1700000003.0, 2)


def test_a_name_longer_than_the_kernel_keeps_matches_what_it_keeps(proc: FakeProc) -> None:
    proc.process(10, comm="prometheus-node")
    assert scrape(watch(proc, name="prometheus-node-exporter"))["up"] == 1
    assert scrape(watch(proc, name="prometheus")) == ABSENT


def test_a_name_with_blanks_and_parentheses_is_read(proc: FakeProc) -> None:
    proc.process(10, comm="a) S 1 (b")
    assert scrape(watch(proc, name="a) S 1 (b"))["up"] == 1


def test_a_command_line_is_searched_with_its_arguments_joined_by_blanks(proc: FakeProc) -> None:
    proc.process(10, cmdline="/usr/bin/llm-router\0--port\0008080\0")
    proc.process(11, start=1, cmdline="/usr/bin/other\0--port\0008080\0")
    assert scrape(watch(proc, command_line=r"llm-router .*8080$"))["start_time_seconds"] == 1700000005.0


def test_the_exporter_itself_does_not_match_a_command_line(proc: FakeProc) -> None:
    proc.process(10, cmdline="soak\0exporter\0--watch=llm-router\0")
    assert scrape(watch(proc, own_pid=10, command_line="llm-router")) == ABSENT


def test_a_process_that_becomes_another_program_no_longer_matches(proc: FakeProc) -> None:
    collector = watch(proc, command_line="^router")
    proc.process(10, cmdline="router\0")
    assert scrape(collector)["up"] == 1
    proc.process(10, cmdline="sleep\0infinity\0")
    assert scrape(collector) == ABSENT


def test_a_pid_file_is_followed(proc: FakeProc, tmp_path: Path) -> None:
    pid_file = tmp_path / "router.pid"
    collector = watch(proc, pid_file=str(pid_file))
    proc.process(10, start=100)
    proc.process(20, start=200)
    pid_file.write_text("10\n")
    assert scrape(collector)["start_time_seconds"] == 1700000001.0
    pid_file.write_text("20\n")
    found = scrape(collector)
    assert (found["start_time_seconds"], found["restarts_total"]) == (1700000002.0, 1)
    for nonsense in ("", "router", "-1", "99999"):
        pid_file.write_text(nonsense)
        assert scrape(collector)["up"] == 0


def test_kernel_threads_are_never_taken_for_a_process(proc: FakeProc) -> None:
    proc.process(10)
    text = (proc.root / "10/stat").read_text().replace(" 4194304 ", f" {0x00200000} ")
    proc.write("10/stat", text)
    assert scrape(watch(proc, name="router")) == ABSENT


def test_a_child_that_is_handed_to_another_parent_leaves_the_tree(proc: FakeProc) -> None:
    collector = watch(proc, name="router")
    proc.process(1, parent=0, comm="init", start=0)
    proc.process(10)
    proc.process(11, parent=10, comm="shell")
    proc.process(12, parent=11, comm="daemon")
    assert scrape(collector)["threads"] == 3
    proc.end(11)
    proc.process(12, parent=1, comm="daemon")
    assert scrape(collector)["threads"] == 1
