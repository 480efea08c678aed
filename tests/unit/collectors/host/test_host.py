"""exporter.collectors.host.host against a recorded /proc and against node_exporter itself."""

import re
import resource
import shutil
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from exporter.clock import SystemClock
from exporter.collectors.host import host_files
from exporter.collectors.host.host import NodeCollector
from exporter.collectors.host.shown_devices import MAX_DEVICES
from tests.support.checkout import FIXTURES

NODE_EXPORTER = shutil.which("prometheus-node-exporter")

SINCE_1_6 = {"node_netstat_TcpExt_TCPOFOQueue", "node_netstat_TcpExt_TCPRcvQDrop"}
"""What later releases have and Debian's 1.5 has not."""

PROC = FIXTURES / "proc"


@pytest.fixture
def proc_root(tmp_path: Path) -> Path:
    """The recorded /proc, to be changed."""
    return shutil.copytree(PROC, tmp_path / "proc", symlinks=True)


def exposition(collector: NodeCollector) -> str:
    registry = CollectorRegistry()
    registry.register(collector)
    return generate_latest(registry).decode()


def values(text: str) -> dict[str, float]:
    lines = (line.rpartition(" ") for line in text.splitlines() if line and not line.startswith("#"))
    return {_labels_sorted(series): float(value) for series, _, value in lines}


def types(text: str) -> dict[str, str]:
    return dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))


def _labels_sorted(series: str) -> str:
    name, brace, labels = series.partition("{")
    return name + brace + ",".join(sorted(re.findall(r'\w+="(?:[^"\\]|\\.)*"', labels)))


def test_a_recorded_proc_gives_node_exporters_series(proc_root: Path) -> None:
    found = values(exposition(NodeCollector(SystemClock(), proc_root)))
    expected = {
        'node_cpu_seconds_total{cpu="0",mode="user"': 0.1,
        'node_cpu_seconds_total{cpu="0",mode="steal"': 0.03,
        'node_cpu_seconds_total{cpu="1",mode="idle"': 2.0,
        "node_boot_time_seconds": 1.7e9,
        "node_context_switches_total": 1234,
        "node_forks_total": 77,
        "node_intr_total": 900,
        "node_procs_running": 2,
        "node_procs_blocked": 1,
        "node_memory_MemTotal_bytes": 16_777_216_000,
        "node_memory_Active_anon_bytes": 2_621_440_000,
        "node_memory_Committed_AS_bytes": 7_340_032_000,
        "node_memory_HugePages_Total": 4,
        "node_load1": 0.5,
        "node_load5": 1.25,
        "node_load15": 2.0,
        "node_vmstat_pswpin": 3,
        "node_vmstat_pswpout": 4,
        "node_vmstat_oom_kill": 1,
        "node_vmstat_pgmajfault": 9,
        'node_disk_reads_completed_total{device="nvme0n1"': 100,
        'node_disk_read_bytes_total{device="nvme0n1"': 1_024_000,
        'node_disk_read_time_seconds_total{device="nvme0n1"': 1.5,
        'node_disk_writes_completed_total{device="nvme0n1"': 50,
        'node_disk_written_bytes_total{device="nvme0n1"': 2_048_000,
        'node_disk_io_now{device="nvme0n1"': 3,
        'node_disk_io_time_seconds_total{device="nvme0n1"': 0.7,
        "node_filefd_allocated": 476,
        "node_filefd_maximum": 2_466_177,
        'node_filesystem_readonly{device="/dev/sda1",fstype="ext4",mountpoint="/no such place"': 1,
        'node_filesystem_device_error{device="/dev/sda1",fstype="ext4",mountpoint="/no such place"': 1,
        'node_network_receive_bytes_total{device="eth0"': 100,
        'node_network_receive_drop_total{device="eth0"': 40,
        'node_network_transmit_packets_total{device="eth0"': 60,
        'node_network_transmit_errs_total{device="lo"': 7,
        "node_netstat_Ip_Forwarding": 1,
        "node_netstat_Tcp_CurrEstab": 7,
        "node_netstat_Tcp_RetransSegs": 42,
        "node_netstat_Tcp_OutRsts": 516,
        "node_netstat_TcpExt_ListenOverflows": 3,
        "node_netstat_TcpExt_ListenDrops": 4,
        "node_netstat_TcpExt_TCPTimeouts": 5,
        "node_sockstat_sockets_used": 18,
        "node_sockstat_TCP_tw": 3,
        "node_sockstat_TCP_mem_bytes": 5 * resource.getpagesize(),
        "node_pressure_cpu_waiting_seconds_total": 76.849138,
        "node_pressure_memory_stalled_seconds_total": 1.0,
        "node_pressure_io_waiting_seconds_total": 3.5,
        **{
            f'exporter_host_devices_not_shown{{kind="{kind}"': 0
            for kind in ("disk", "filesystem", "interface")
        },
    }
    assert {series: found.get(series) for series in expected} == pytest.approx(expected)
    assert not [series for series in found if re.search(r"loop0|disk.*nvme0n1p1|overlay", series)]
    assert not [
        series
        for series in found
        if series.startswith(("node_pressure_cpu_stalled", "node_vmstat_nr", "node_vmstat_numa"))
    ]
    assert not [
        series for series in found if "node_filesystem_avail_bytes" in series and "no such place" in series
    ]
    assert "node_netstat_TcpExt_DelayedACKs" not in found


def test_what_a_kernel_does_not_have_is_absent_and_no_error(proc_root: Path) -> None:
    for name in (
        "vmstat",
        "diskstats",
        "mounts",
        "sys/fs/file-nr",
        "pressure/cpu",
        "1/net/sockstat",
        "1/net/sockstat6",
    ):
        (proc_root / name).unlink()
    found = values(exposition(NodeCollector(SystemClock(), proc_root)))
    assert found["node_load1"] == 0.5
    assert found["node_pressure_memory_waiting_seconds_total"] == 2.0
    prefixes = (
        "node_vmstat",
        "node_disk",
        "node_filesystem",
        "node_filefd",
        "node_pressure_cpu",
        "node_sockstat",
    )
    assert not [series for series in found if series.startswith(prefixes)]


def test_a_proc_without_memory_figures_is_an_error(proc_root: Path) -> None:
    (proc_root / "meminfo").unlink()
    with pytest.raises(FileNotFoundError):
        list(NodeCollector(SystemClock(), proc_root).collect())


def test_the_network_is_the_exporters_own_where_that_of_process_1_is_hidden(proc_root: Path) -> None:
    (proc_root / "net").unlink()
    (proc_root / "1/net").rename(proc_root / "net")
    assert values(exposition(NodeCollector(SystemClock(), proc_root)))["node_netstat_Tcp_CurrEstab"] == 7


def test_file_systems_of_a_mounted_host_are_asked_below_the_mount(proc_root: Path, tmp_path: Path) -> None:
    host_root = tmp_path / "host"
    (host_root / "data").mkdir(parents=True)
    (proc_root / "1/mounts").write_text("/dev/sdb /data xfs rw 0 0\n", encoding="utf-8")
    found = values(exposition(NodeCollector(SystemClock(), proc_root, host_root)))
    usage = shutil.disk_usage(tmp_path)
    series = 'node_filesystem_size_bytes{device="/dev/sdb",fstype="xfs",mountpoint="/data"'
    assert found[series] == usage.total


def test_cpu_times_that_step_back_do_not_fall() -> None:
    times = host_files.CpuTimes()
    times.update({"0": [100, 0, 0, 1000, 50, 0, 0, 0]})
    assert times.update({"0": [101, 0, 0, 999, 49, 0, 0, 0]})["0"][:5] == [1.01, 0, 0, 10.0, 0.5]


def test_cpu_times_of_a_cpu_that_was_replaced_begin_again() -> None:
    times = host_files.CpuTimes()
    times.update({"0": [100, 0, 0, 1000, 50, 0, 0, 0]})
    assert times.update({"0": [1, 0, 0, 20, 3, 0, 0, 0]})["0"][:5] == [0.01, 0, 0, 0.2, 0.03]


def test_a_mount_line_is_split_and_unescaped() -> None:
    line = "/dev/disk/a\\134b /mnt/with\\040blank\\011tab ext4 rw,nosuid 0 0\n"
    assert list(host_files.parse_mounts(line)) == [
        host_files.Mount("/dev/disk/a\\b", "/mnt/with blank\ttab", "ext4", False)
    ]


@pytest.fixture(scope="module")
def node_exporter_url() -> Iterator[str]:
    if NODE_EXPORTER is None:
        pytest.skip("prometheus-node-exporter is not installed (apt install prometheus-node-exporter)")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [NODE_EXPORTER, f"--web.listen-address=127.0.0.1:{port}"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        lines = []
        for line in process.stderr:  # it listens once it has logged that
            lines.append(line)
            if "Listening on" in line:
                break
        assert process.poll() is None, "".join(lines)
        yield f"http://127.0.0.1:{port}/metrics"
        process.terminate()


def test_every_series_shared_with_node_exporter_has_its_type_labels_and_value(node_exporter_url: str) -> None:
    collector = NodeCollector(SystemClock())
    problems: dict[str, object] = {}
    for _ in range(10):  # free memory and the like move while they are compared
        before = exposition(collector)
        with urllib.request.urlopen(node_exporter_url, timeout=10) as response:
            theirs = response.read().decode()
        problems = differences(
            values(before), values(theirs), values(exposition(collector)), types(before), types(theirs)
        )
        if not problems:
            return
    assert problems == {}


def differences(
    before: dict[str, float],
    theirs: dict[str, float],
    after: dict[str, float],
    our_types: dict[str, str],
    their_types: dict[str, str],
) -> dict[str, object]:
    # How many devices are left out is of this exporter's own.
    our_types = {name: kind for name, kind in our_types.items() if name.startswith("node_")}
    before, after = (
        {series: value for series, value in scraped.items() if series.startswith("node_")}
        for scraped in (before, after)
    )
    shared_types = our_types.keys() & their_types.keys()
    assert len(shared_types) > 120
    problems: dict[str, object] = {
        name: (our_types[name], their_types[name])
        for name in shared_types
        if our_types[name] != their_types[name]
    }
    # Every line of /proc/meminfo, as in 1.5; a newer one leaves out the lines that it does not know.
    lines_of_meminfo = {name for name in our_types if name.startswith("node_memory_")}
    own = our_types.keys() - their_types.keys() - SINCE_1_6 - lines_of_meminfo
    problems.update(dict.fromkeys(own, "a name of our own"))
    ours = before.keys() & after.keys()
    # Debian's 1.5 leaves lo and what is mounted below /mnt out, and keeps zram.
    their_part = {series for series in theirs if series.partition("{")[0] in our_types}
    for series in (ours ^ their_part) - SINCE_1_6 - (lines_of_meminfo - their_part):
        if 'device="lo"' not in series and 'device="zram' not in series and "node_filesystem" not in series:
            problems[series] = "in one of the two alone"
    for series in ours & theirs.keys():
        low, high = sorted((before[series], after[series]))
        # What only grows lies between our two scrapes; a level may jump to and fro by what others do.
        grows = series.partition("{")[0].endswith("_total")
        slack = 0.0 if grows else 0.01 * high + (5e7 if high > 5e7 else 3)
        if not low - slack - 1e-6 * high <= theirs[series] <= high + slack + 1e-6 * high:
            problems[series] = (low, theirs[series], high)
    return problems


def test_of_a_host_with_thousands_of_interfaces_the_first_are_shown_and_the_rest_counted(
    proc_root: Path,
) -> None:
    table = proc_root / "1/net/dev"
    pairs = "".join(f"veth{number:05x}: {' '.join(['1'] * 16)}\n" for number in range(3000))
    table.write_text(table.read_text(encoding="utf-8") + pairs, encoding="utf-8")
    found = values(exposition(NodeCollector(SystemClock(), proc_root)))
    shown = [series for series in found if series.startswith("node_network_receive_bytes_total")]
    assert len(shown) == MAX_DEVICES
    assert {f'node_network_receive_bytes_total{{device="{own}"' for own in ("lo", "eth0")} < set(shown)
    assert found['exporter_host_devices_not_shown{kind="interface"'] == 3002 - MAX_DEVICES
    assert found['exporter_host_devices_not_shown{kind="disk"'] == 0
