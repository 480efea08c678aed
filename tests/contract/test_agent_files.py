"""The agent's example and its systemd unit: what they promise, and that the program takes them."""

import re
import shlex
import shutil
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from exporter.cli.exporter import exporter
from exporter.settings.exporter_config import Role, load_config
from tests.support.checkout import CHECKOUT as ROOT

UNIT = ROOT / "scripts" / "agent" / "soak-agent.service"
CONFIGURATION = ROOT / "scripts" / "agent" / "agent.yaml"
CAPABILITIES = "CAP_DAC_READ_SEARCH CAP_SYS_PTRACE"
MAX_EXPOSURE = 2.2

needs_systemd_analyze = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed (Debian: systemd)"
)


def settings(text: str) -> dict[str, dict[str, list[str]]]:
    """The settings of a unit file: section -> key -> its values, for a key may come several times."""
    sections: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    section = ""
    for line in text.replace("\\\n", " ").splitlines():
        if found := re.fullmatch(r"\[(\w+)\]", line):
            section = found[1]
        elif line and not line.startswith("#"):
            key, _, value = line.partition("=")
            sections[section][key].append(value)
    return sections


SERVICE = settings(UNIT.read_text(encoding="utf-8"))["Service"]


def command() -> list[str]:
    (line,) = SERVICE["ExecStart"]
    return shlex.split(line)


def test_the_example_watches_the_node_and_no_router() -> None:
    config = load_config(CONFIGURATION)
    assert config.router is None
    assert config.host
    assert {process.role for process in config.processes} == {Role.NODE}


def test_the_processes_that_the_example_offers_in_comments_are_taken_too(tmp_path: Path) -> None:
    offered = tmp_path / "agent.yaml"
    text = CONFIGURATION.read_text(encoding="utf-8")
    offered.write_text(text.replace("  # - {", "  - {"), encoding="utf-8")
    assert len(load_config(offered).processes) == len(load_config(CONFIGURATION).processes) + 2


def test_the_file_systems_are_those_of_process_one_as_the_service_has_a_view_of_its_own() -> None:
    assert load_config(CONFIGURATION).host_root == Path("/proc/1/root")
    assert "CAP_SYS_PTRACE" in SERVICE["AmbientCapabilities"][0]


def test_the_unit_starts_an_agent_that_takes_no_runs_and_never_serves_without_a_password() -> None:
    program, name, *options = command()
    assert (program, name) == ("/opt/soak/bin/soak", "exporter")
    given = exporter.make_context("exporter", list(options)).params
    assert given["config_file"] == Path("/etc/soak/agent.yaml")
    assert given["web_config"] == Path("/etc/soak/web.yml")
    assert (given["web"], given["ingest"]) == (":9877", "")


def test_the_service_has_a_user_of_its_own_with_two_capabilities_and_no_way_to_more() -> None:
    assert SERVICE["DynamicUser"] == ["yes"]
    assert SERVICE["AmbientCapabilities"] == SERVICE["CapabilityBoundingSet"] == [CAPABILITIES]
    assert SERVICE["NoNewPrivileges"] == SERVICE["RestrictSUIDSGID"] == ["yes"]
    denied = SERVICE["SystemCallFilter"][1]
    assert denied.startswith("~")
    assert {"@privileged", "@debug", "process_vm_writev", "pidfd_getfd"} <= set(denied[1:].split())


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("ProtectSystem", "strict"),
        ("ProtectHome", "yes"),
        ("PrivateTmp", "yes"),
        ("ProtectKernelTunables", "yes"),
        ("ProtectKernelModules", "yes"),
        ("ProtectKernelLogs", "yes"),
        ("ProtectControlGroups", "yes"),
        ("RestrictNamespaces", "yes"),
        ("MemoryDenyWriteExecute", "yes"),
        ("SystemCallArchitectures", "native"),
        ("DevicePolicy", "closed"),
    ],
)
def test_the_service_is_shut_in(key: str, value: str) -> None:
    assert SERVICE[key] == [value]


@pytest.mark.parametrize(
    ("key", "value", "why"),
    [
        ("ProtectProc", "default", "the processes of others"),
        ("ProcSubset", "all", "/proc/stat, /proc/meminfo, …"),
        ("DeviceAllow", "char-nvidia* rw", "NVML"),
        ("RestrictAddressFamilies", "AF_INET AF_INET6 AF_NETLINK AF_UNIX", "netlink asks for sockets"),
    ],
)
def test_the_service_sees_what_it_has_to_see(key: str, value: str, why: str) -> None:
    assert SERVICE[key] == [value], why
    assert not {"PrivateDevices", "PrivateNetwork", "PrivateUsers", "PrivatePIDs"} & set(SERVICE)


def test_the_service_is_bounded_and_comes_back() -> None:
    assert {"MemoryMax", "MemoryHigh", "CPUQuota", "TasksMax"} <= set(SERVICE)
    assert SERVICE["Restart"] == ["always"]
    assert settings(UNIT.read_text(encoding="utf-8"))["Unit"]["StartLimitIntervalSec"] == ["0"]


@needs_systemd_analyze
def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    # With a program that is there, for that is verified too.
    unit = tmp_path / UNIT.name
    text = UNIT.read_text(encoding="utf-8")
    unit.write_text(text.replace(command()[0], sys.executable), encoding="utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True, check=False
    )
    assert [line for line in done.stderr.splitlines() if UNIT.name in line] == []


@needs_systemd_analyze
def test_systemd_finds_the_service_little_exposed() -> None:
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", UNIT],
        capture_output=True,
        text=True,
        check=False,
    )
    if "unrecognized option" in done.stderr:
        pytest.skip("this systemd-analyze has no --offline (systemd 250)")
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
    assert found, done.stdout + done.stderr
    assert float(found[1]) <= MAX_EXPOSURE


def test_the_configuration_of_a_load_host_watches_what_makes_the_load_and_no_router() -> None:
    config = load_config(CONFIGURATION.with_name("load-host.yaml"))
    assert config.router is None
    assert [(each.name, each.role) for each in config.processes] == [("wrk", Role.LOAD)]
