"""exporter.collectors: what the configuration asks for is built with its roots, or refused in one line."""

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from exporter.collectors import build_collectors
from exporter.collectors.collector import Collector, Shared
from exporter.errors import ConfigurationError
from exporter.settings.exporter_config import ExporterConfig, Match, Role, WatchedProcess
from tests.support.clocks import FakeClock

# Some process whatever its name, so the test's own is the one that must not be taken.
ANY = WatchedProcess(name="any", role=Role.NODE, match=Match(command_line="it"))


def built(**settings: object) -> Mapping[str, Collector]:
    nothing = {"router": None, "host": False, "gpu": "off"}
    config = ExporterConfig.model_validate({**nothing, **settings})
    built = build_collectors(config, Shared(FakeClock()))
    return {collector.name: collector for collector in built if collector.isolated}


def proc_of(root: Path, *pids: int, own: int) -> Path:
    """A /proc with a load, processes of one name each, and the link by which a reader finds itself."""
    root.mkdir()
    (root / "self").symlink_to(str(own))
    (root / "stat").write_text(
        "cpu0 1 2 3 4 5 6 7 8 9 10\nintr 1\nctxt 1\nbtime 1000\nprocesses 1\n"
        "procs_running 1\nprocs_blocked 0\n"
    )
    for pid in pids:
        (root / str(pid) / "fd").mkdir(parents=True)
        numbers = " ".join(["0"] * 18)
        (root / str(pid) / "stat").write_text(f"{pid} (it) S 1 {numbers} {pid * 100}\n")
        (root / str(pid) / "status").write_text("Name:\tit\nThreads:\t1\n")
        (root / str(pid) / "cmdline").write_text("it\0")
        (root / str(pid) / "io").write_text("rchar: 0\nread_bytes: 0\nwrite_bytes: 0\n")
        (root / str(pid) / "limits").write_text("")
    return root


def up(collector: Collector) -> list[float]:
    return [
        sample.value
        for family in collector.collect()
        for sample in family.samples
        if sample.name == "observed_process_up"
    ]


def test_a_configuration_that_asks_for_nothing_builds_nothing() -> None:
    assert built() == {}


def test_an_agent_needs_no_router() -> None:
    assert sorted(built(host=True, processes=(ANY,))) == ["node", "process"]


def test_the_exporter_knows_itself_by_the_process_id_that_the_given_proc_has_for_it(tmp_path: Path) -> None:
    own = os.getpid() + 1  # as in a container: that /proc counts otherwise
    alone = built(processes=(ANY,), proc_root=proc_of(tmp_path / "alone", own, own=own))
    assert up(alone["process"]) == [0]
    beside = built(processes=(ANY,), proc_root=proc_of(tmp_path / "beside", own, own + 1, own=own))
    assert up(beside["process"]) == [1]


def test_file_systems_are_those_of_the_process_one_seen_through_the_given_root(tmp_path: Path) -> None:
    proc = proc_of(tmp_path / "proc", 1, own=1)
    (proc / "meminfo").write_text("MemTotal: 1 kB\n")
    (proc / "loadavg").write_text("0 0 0 1/1 1\n")
    (proc / "1" / "mounts").write_text("/dev/a / ext4 rw 0 0\n/dev/b /gone ext4 rw 0 0\n")
    (proc / "1" / "net").mkdir()
    for name in ("dev", "snmp", "netstat"):
        (proc / "1" / "net" / name).write_text("")
    (node,) = built(host=True, proc_root=proc, host_root=tmp_path).values()
    errors = {
        sample.labels["mountpoint"]: sample.value
        for family in node.collect()
        for sample in family.samples
        if sample.name == "node_filesystem_device_error"
    }
    assert errors == {"/": 0, "/gone": 1}


@pytest.mark.parametrize(
    ("settings", "start", "advice"),
    [
        ({"host": True, "proc_root": "/nowhere"}, "proc_root: /nowhere/stat ", "CAP_SYS_PTRACE"),
        ({"host": True, "host_root": "/nowhere"}, "host_root: /nowhere ", "CAP_SYS_PTRACE"),
        ({"processes": (ANY,), "proc_root": "/nowhere"}, "proc_root: /nowhere ", "/nowhere/self"),
    ],
)
def test_a_root_that_is_none_is_refused_by_its_key(
    settings: dict[str, object], start: str, advice: str
) -> None:
    with pytest.raises(ConfigurationError) as refused:
        built(**settings)
    assert str(refused.value).startswith(start)
    assert advice in str(refused.value)
