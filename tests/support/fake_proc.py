"""A /proc that a test writes, and the process collector's series of it."""

import shutil
from ipaddress import ip_address
from pathlib import Path

import pytest

from exporter.clock import Clock
from exporter.collectors.process.process import ProcessCollector
from exporter.settings.exporter_config import Match, Role, WatchedProcess

UNWATCHED = {f"unwatched{{{reason}}}": 0 for reason in ("several", "forwarded", "hidden")}
ABSENT = {"up": 0, "restarts_total": 0, **UNWATCHED}
TICKS = 100
TCP_HEAD = (
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
)


class FakeProc:
    """A /proc below a temporary folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.tcp: dict[str, list[str]] = {}
        self.write("stat", "cpu  1 0 1\nbtime 1700000000\n")
        self.write_tcp("net")

    def write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def socket(self, port: int, state: str, inode: int, namespace: str = "net") -> None:
        self.tcp.setdefault(namespace, []).append(
            f"   0: 0100007F:{port:04X} 00000000:0000 {state} 00000000:00000000 00:00000000 00000000  1000"
            f"        0 {inode} 1 000000008396a4c5 100 0 0 10 0\n"
        )
        self.write_tcp(namespace)

    def namespace(self, namespace: str, address: str) -> None:
        """A network namespace besides the exporter's own, `net`, with one address."""
        self.write_tcp(namespace)
        local = (
            "" if ":" in address else f"  +-- 0.0.0.0/0 3 0 5\n     |-- {address}\n        /32 host LOCAL\n"
        )
        self.write(f"{namespace}/fib_trie", f"Main:\nLocal:\n{local}")
        packed = ip_address(address).packed.hex() if ":" in address else ""
        self.write(f"{namespace}/if_inet6", f"{packed} 02 40 00 80 eth0\n" if packed else "")

    def write_tcp(self, namespace: str) -> None:
        """Into one file that every process links to, as a namespace's table is one file in the kernel."""
        self.write(f"{namespace}/tcp", TCP_HEAD + "".join(self.tcp.get(namespace, [])))
        self.write(f"{namespace}/tcp6", TCP_HEAD)

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
        namespace: str = "net",
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
        shutil.rmtree(self.root / str(pid) / "fdinfo", ignore_errors=True)
        net = self.root / str(pid) / "net"
        net.mkdir(exist_ok=True)
        for table in (self.root / namespace).iterdir():
            (net / table.name).unlink(missing_ok=True)
            (net / table.name).hardlink_to(table)

    def opened(
        self, pid: int, number: int, target: str | Path, flags: str = "0100002", mount: int = 29
    ) -> None:
        """A descriptor more, of a file opened with these flags (octal) on that mount."""
        (self.root / str(pid) / "fd" / str(number)).symlink_to(target)
        self.write(f"{pid}/fdinfo/{number}", f"pos:\t0\nflags:\t{flags}\nmnt_id:\t{mount}\nino:\t7\n")
        self.write(
            f"{pid}/mountinfo",
            "29 1 252:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw\n"
            "30 29 0:50 / /mnt/a\\040b rw shared:9 master:1 - nfs4 host:/x rw,vers=4.2\n"
            "31 29 0:51 / /sshfs rw - fuse.sshfs host: rw\n",
        )

    def end(self, *pids: int) -> None:
        for pid in pids:
            shutil.rmtree(self.root / str(pid))


def fake_proc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeProc:
    """The body of a fixture: a /proc without processes, on a kernel of known ticks."""
    monkeypatch.setattr("os.sysconf", {"SC_CLK_TCK": TICKS}.__getitem__)
    return FakeProc(tmp_path / "proc")


def watch(
    proc: FakeProc, own_pid: int = 0, clock: Clock | None = None, each: bool = False, **match: object
) -> ProcessCollector:
    watched = WatchedProcess(name="it", role=Role.ROUTER, match=Match.model_validate(match), each=each)
    return ProcessCollector([watched], proc.root, own_pid, clock=clock)


def by_process(collector: ProcessCollector, series: str) -> dict[str, float]:
    """The values of one family by the label `process`."""
    (family,) = (each for each in collector.collect() if each.name == f"observed_process_{series}")
    return {sample.labels["process"]: sample.value for sample in family.samples}


def scrape(collector: ProcessCollector) -> dict[str, float]:
    found = {}
    for family in collector.collect():
        for sample in family.samples:
            labels = dict(sample.labels)
            assert (labels.pop("process"), labels.pop("role")) == ("it", "router")
            extra = f"{{{','.join(labels.values())}}}" if labels else ""
            found[sample.name.removeprefix("observed_process_") + extra] = sample.value
    return found
