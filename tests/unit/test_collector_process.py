"""exporter.collectors.process on a recorded /proc, where a test decides what every process does."""

import ast
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import exporter
from exporter.collectors.process import ProcessCollector
from exporter.collectors.procfs import ProcFs
from exporter.collectors.watched_pids import WatchedPids
from exporter.config import Match, Role, WatchedProcess

TICKS = 100
TCP_HEAD = (
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
)


class FakeProc:
    """A /proc below a temporary folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.tcp: list[str] = []
        self.write("stat", "cpu  1 0 1\nbtime 1700000000\n")
        self.write_tcp()

    def write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def socket(self, port: int, state: str, inode: int) -> None:
        self.tcp.append(
            f"   0: 0100007F:{port:04X} 00000000:0000 {state} 00000000:00000000 00:00000000 00000000  1000"
            f"        0 {inode} 1 000000008396a4c5 100 0 0 10 0\n"
        )
        self.write_tcp()

    def write_tcp(self) -> None:
        """Into one file that every process links to, as a namespace's table is one file in the kernel."""
        self.write("net/tcp", TCP_HEAD + "".join(self.tcp))
        self.write("net/tcp6", TCP_HEAD)

    def process(
        self,
        pid: int,
        parent: int = 1,
        comm: str = "router",
        start: int = 500,
        state: str = "S",
        ticks: tuple[int, int, int, int] = (0, 0, 0, 0),
        faults: tuple[int, int, int, int] = (0, 0, 0, 0),
        io: tuple[int, int] = (0, 0),
        kilobytes: int | None = 100,
        threads: int = 1,
        switches: tuple[int, int] = (0, 0),
        sockets: tuple[int, ...] = (),
        cmdline: str = "",
    ) -> None:
        """Write (again) all files of a process; `ticks` and `faults` are the two own ones, the two waited."""
        minor, major, waited_minor, waited_major = faults
        used = [minor, waited_minor, major, waited_major, *ticks]
        numbers = [parent, pid, pid, 0, -1, 4194304, *used, 20, 0, threads, 0, start, 0, 0]
        self.write(f"{pid}/stat", f"{pid} ({comm}) {state} {' '.join(map(str, numbers))}\n")
        memory = (
            ""
            if kilobytes is None
            else "".join(
                f"{field}:\t {kilobytes * factor} kB\n"
                for field, factor in (("VmSize", 8), ("VmRSS", 4), ("RssAnon", 2), ("VmSwap", 1))
            )
        )
        status = f"Name:\t{comm}\n{memory}Threads:\t{threads}\n"
        counts = "voluntary_ctxt_switches:\t{}\nnonvoluntary_ctxt_switches:\t{}\n".format(*switches)
        self.write(f"{pid}/status", status + counts)
        for thread in range(threads):
            self.write(f"{pid}/task/{pid + thread}/status", status + counts)
        self.write(
            f"{pid}/io", f"rchar: 1\nread_bytes: {io[0]}\nwrite_bytes: {io[1]}\ncancelled_write_bytes: 0\n"
        )
        self.write(
            f"{pid}/limits",
            "Limit   Soft Limit  Hard Limit  Units\nMax open files            1024   4096   files\n",
        )
        self.write(f"{pid}/cmdline", cmdline)
        folder = self.root / str(pid) / "fd"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        (folder / "0").symlink_to("/dev/null")
        for number, inode in enumerate(sockets, start=3):
            (folder / str(number)).symlink_to(f"socket:[{inode}]")
        net = self.root / str(pid) / "net"
        net.mkdir(exist_ok=True)
        for table in ("tcp", "tcp6"):
            (net / table).unlink(missing_ok=True)
            (net / table).hardlink_to(self.root / "net" / table)

    def end(self, *pids: int) -> None:
        for pid in pids:
            shutil.rmtree(self.root / str(pid))


@pytest.fixture
def proc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeProc:
    monkeypatch.setattr("os.sysconf", {"SC_CLK_TCK": TICKS}.__getitem__)
    return FakeProc(tmp_path / "proc")


def watch(proc: FakeProc, own_pid: int = 0, **match: object) -> ProcessCollector:
    watched = WatchedProcess(name="it", role=Role.ROUTER, match=Match.model_validate(match))
    return ProcessCollector([watched], proc.root, own_pid)


def scrape(collector: ProcessCollector) -> dict[str, float]:
    found = {}
    for family in collector.collect():
        for sample in family.samples:
            labels = dict(sample.labels)
            assert (labels.pop("process"), labels.pop("role")) == ("it", "router")
            extra = f"{{{','.join(labels.values())}}}" if labels else ""
            found[sample.name.removeprefix("observed_process_") + extra] = sample.value
    return found


ABSENT = {"up": 0, "restarts_total": 0}


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
    }


def test_an_absent_process_has_up_and_restarts_alone(proc: FakeProc) -> None:
    assert scrape(watch(proc, port=8080)) == ABSENT
    assert scrape(watch(proc, name="router")) == ABSENT
    assert scrape(watch(proc, command_line="router")) == ABSENT
    assert scrape(watch(proc, pid_file=str(proc.root / "none.pid"))) == ABSENT


def test_a_zombie_is_absent(proc: FakeProc) -> None:
    proc.process(10, state="Z", kilobytes=None)
    assert scrape(watch(proc, name="router")) == ABSENT


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


def when_reading(monkeypatch: pytest.MonkeyPatch, path: str, act: Callable[[], None]) -> None:
    """Do something just before a file of the fake /proc is read."""
    real = ProcFs.read

    def read(self: ProcFs, asked: str, *least: int) -> str:
        if asked == path:
            act()
        return real(self, asked, *least)

    monkeypatch.setattr(ProcFs, "read", read)


def test_a_child_that_ends_while_it_is_read_is_counted_once(
    proc: FakeProc, monkeypatch: pytest.MonkeyPatch
) -> None:
    collector = watch(proc, name="router")
    proc.process(10, ticks=(100, 0, 0, 0))
    proc.process(11, parent=10, comm="child", ticks=(40, 0, 0, 0))
    assert scrape(collector)["cpu_seconds_total{user}"] == 1.4

    def end() -> None:
        proc.end(11)
        proc.process(10, ticks=(100, 0, 45, 0))

    with monkeypatch.context() as patch:
        when_reading(patch, "11/status", end)  # its parent has been read by then
        found = scrape(collector)
    assert found["cpu_seconds_total{user}"] == 1.4
    assert found["threads"] == 1
    assert scrape(collector)["cpu_seconds_total{user}"] == 1.45


@pytest.mark.parametrize("file", ["stat", "status", "io"])
def test_a_process_that_ends_while_it_is_read_is_absent(
    proc: FakeProc, monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    collector = watch(proc, name="router")
    proc.process(10)
    assert scrape(collector)["up"] == 1
    when_reading(monkeypatch, f"10/{file}", lambda: proc.end(10) if (proc.root / "10").exists() else None)
    assert scrape(collector) == ABSENT


def test_a_record_longer_than_one_read_is_whole(tmp_path: Path) -> None:
    groups = "Groups:\t" + "100000 " * 20_000
    (tmp_path / "status").write_text(f"{groups}\nThreads:\t1\n", encoding="ascii")
    assert ProcFs(tmp_path).read_record("status") == f"{groups}\nThreads:\t1\n"


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


def forbid(monkeypatch: pytest.MonkeyPatch, method: str, ending: str) -> None:
    real = getattr(ProcFs, method)

    def refuse(self: ProcFs, path: str, *least: int) -> object:
        if path.endswith(ending) or ("/fd/" in path and ending == "/fd/*"):
            raise PermissionError(13, "Permission denied")
        return real(self, path, *least)

    monkeypatch.setattr(ProcFs, method, refuse)


def test_what_may_not_be_read_is_absent_and_the_rest_is_there(
    proc: FakeProc, monkeypatch: pytest.MonkeyPatch
) -> None:
    proc.process(10)
    everything = scrape(watch(proc, name="router")).keys()
    for method, ending, missing in (
        ("read", "/io", ("read_bytes", "write_bytes")),
        ("read", "/limits", ("max_fds",)),
        ("names", "/fd", ("open_fds", "connections")),
        ("link", "/fd/*", ("connections",)),
    ):
        with monkeypatch.context() as patch:
            forbid(patch, method, ending)
            found = scrape(watch(proc, name="router"))
        assert everything - found.keys() == {name for name in everything if name.startswith(missing)}


def test_the_io_of_a_tree_of_which_one_may_not_be_read_is_absent(
    proc: FakeProc, monkeypatch: pytest.MonkeyPatch
) -> None:
    proc.process(10, io=(5, 5))
    proc.process(11, parent=10, comm="setuid")
    forbid(monkeypatch, "read", "11/io")
    found = scrape(watch(proc, name="router"))
    assert "read_bytes_total" not in found
    assert found["threads"] == 2


def test_of_more_threads_than_are_worth_reading_the_switches_are_absent(proc: FakeProc) -> None:
    proc.process(10, threads=257, switches=(1, 1))
    found = scrape(watch(proc, name="router"))
    assert found["threads"] == 257
    assert "context_switches_total{voluntary}" not in found


def test_context_switches_do_not_fall_when_a_thread_ends(proc: FakeProc) -> None:
    collector = watch(proc, name="router")
    proc.process(10, threads=3, switches=(10, 1))
    assert scrape(collector)["context_switches_total{voluntary}"] == 30
    shutil.rmtree(proc.root / "10/task/12")
    proc.process(10, threads=2, switches=(11, 1))
    assert scrape(collector)["context_switches_total{voluntary}"] == 32


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
    monkeypatch.setattr(ProcFs, "names", lambda self, path: read.append(path) or real(self, path))
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


def test_the_process_ids_of_each_tree_are_told_at_every_scrape(proc: FakeProc) -> None:
    proc.process(10, comm="a")
    proc.process(11, parent=10, comm="child")
    proc.process(20, comm="b", start=700)
    watched = [WatchedProcess(name=f"the-{name}", role=Role.NODE, match=Match(name=name)) for name in "abc"]
    pids = WatchedPids()
    collector = ProcessCollector(watched, proc.root, watched_pids=pids)
    collector.collect()
    assert pids.trees() == {"the-a": {10, 11}, "the-b": {20}}
    proc.end(20)
    collector.collect()
    assert pids.trees() == {"the-a": {10, 11}}


def test_whenever_a_process_vanishes_what_is_shown_is_absent_or_right_and_never_zero(
    proc: FakeProc, monkeypatch: pytest.MonkeyPatch
) -> None:
    for inode, state in ((71, "0A"), (72, "01"), (73, "08")):
        proc.socket(8080, state, inode)

    def start(pid: int) -> None:
        proc.process(
            pid,
            ticks=(100, 50, 20, 10),
            faults=(7, 3, 2, 1),
            io=(1000, 2000),
            sockets=(71, 72, 73),
            switches=(5, 6),
            threads=2,
        )

    left = 0

    def end_at_the_last(method: str) -> None:
        real = getattr(ProcFs, method)

        def access(self: ProcFs, path: str, *least: int) -> object:
            nonlocal left
            if path.startswith("10/"):
                left -= 1
                if left == 0:
                    proc.end(10)
            return real(self, path, *least)

        monkeypatch.setattr(ProcFs, method, access)

    for method in ("read", "link", "names", "inode"):
        end_at_the_last(method)
    start(10)
    whole = scrape(watch(proc, port=8080))
    accesses = -left
    assert accesses > 15
    outcomes = set()
    for number in range(1, accesses + 1):
        start(10)
        collector = watch(proc, port=8080)
        left = number
        found = scrape(collector)
        outcomes.add(found["up"])
        assert found == ABSENT or found.items() <= whole.items(), number
        assert scrape(collector) == ABSENT
        left = 0
        start(20)
        assert scrape(collector)["restarts_total"] == found["up"]
        proc.end(20)
    assert outcomes == {0, 1}


def test_a_process_whose_smaps_cannot_be_opened_is_read_in_full(proc: FakeProc) -> None:
    proc.process(10)
    whole = scrape(watch(proc, name="router"))
    for name in ("smaps", "smaps_rollup", "task/10/smaps"):
        (proc.root / "10" / name).mkdir()  # opening it to read is an error
    assert scrape(watch(proc, name="router")) == whole


def test_nothing_in_the_source_reads_smaps() -> None:
    """Neither by its name nor through psutil, which reads it for memory_full_info and memory_maps."""
    problems = []
    for path in sorted(Path(exporter.__file__).parent.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        spoken = {
            id(node.body[0].value)
            for node in ast.walk(tree)
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
            and node.body
            and isinstance(node.body[0], ast.Expr)
        }
        for node in ast.walk(tree):
            text = node.value if isinstance(node, ast.Constant) and id(node) not in spoken else None
            used = node.attr if isinstance(node, ast.Attribute) else None
            if used in ("memory_full_info", "memory_maps", "memory_footprint") or "smaps" in str(text):
                problems.append(f"{path}:{node.lineno}")
    assert problems == []
