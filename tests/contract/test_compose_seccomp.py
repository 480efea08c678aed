"""The seccomp profile of the containers that have SYS_PTRACE: no wider than Docker's own, and without what it
lets through for that capability.
"""

import json
from typing import Any

import pytest

from tests.support.checkout import FIXTURES
from tests.support.compose_files import AGENT, COMPOSE, SERVICES

PROFILE: dict[str, Any] = json.loads((COMPOSE / "seccomp.json").read_text(encoding="utf-8"))
ALLOWED = [rule for rule in PROFILE["syscalls"] if rule["action"] == "SCMP_ACT_ALLOW"]
DOCKER = {
    name
    for line in (FIXTURES / "seccomp" / "docker.txt").read_text(encoding="utf-8").splitlines()
    if not line.startswith("#")
    for name in line.split()
}
INTO_OTHER_PROCESSES = {
    "ptrace", "process_vm_readv", "process_vm_writev", "pidfd_getfd", "open_by_handle_at", "bpf",
    "perf_event_open", "kcmp", "process_madvise",
}  # fmt: skip


def test_what_is_not_allowed_is_refused() -> None:
    assert (PROFILE["defaultAction"], PROFILE["defaultErrnoRet"]) == ("SCMP_ACT_ERRNO", 1)
    assert {rule["action"] for rule in PROFILE["syscalls"]} == {"SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO"}
    # 32-bit calls have other numbers; none is let through.
    assert [arch["subArchitectures"] for arch in PROFILE["archMap"]] == [[], []]


def test_it_is_no_wider_than_dockers_own() -> None:
    # Docker's allows these under the same conditions or wider ones: more families of sockets, clone alike.
    conditional = {name for rule in ALLOWED if "args" in rule or "includes" in rule for name in rule["names"]}
    assert conditional == {"socket", "clone", "arch_prctl"}
    for rule in ALLOWED:
        if rule["names"] == ["socket"]:
            assert rule["args"][0]["value"] < 38
        elif rule["names"] == ["clone"]:
            assert rule["args"] == [
                {"index": 0, "value": 0x7E020000, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}
            ]
    names = [name for rule in ALLOWED if rule["names"][0] not in conditional for name in rule["names"]]
    assert set(names) <= DOCKER
    assert len(names) == len(set(names)) > 200


def test_nothing_reaches_into_another_process() -> None:
    assert len(DOCKER) > 350
    assert not INTO_OTHER_PROCESSES & {name for rule in ALLOWED for name in rule["names"]}


@pytest.mark.parametrize(
    ("services", "service", "profile"),
    [
        (SERVICES, "exporter", "${SECCOMP_PROFILE:-seccomp.json}"),
        (AGENT["services"], "agent", "seccomp.json"),
    ],
    ids=["stack", "agent"],
)
def test_a_container_with_the_capability_has_the_profile(
    services: dict[str, Any], service: str, profile: str
) -> None:
    assert {name for name, each in services.items() if "SYS_PTRACE" in each.get("cap_add", [])} == {service}
    assert f"seccomp:{profile}" in services[service]["security_opt"]


def test_the_roots_compose_file_names_the_profile_from_where_it_is_started() -> None:
    lines = (COMPOSE / "root.env").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if not line.startswith("#")] == ["SECCOMP_PROFILE=compose/seccomp.json"]
