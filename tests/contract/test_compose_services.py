"""Every service of the compose files: its image, health, hardening, limits, ports and mounts."""

import re
from typing import Any

from tests.support.compose_command import ROOT
from tests.support.compose_files import (
    COMPOSE,
    DOCUMENT,
    EVERY_SERVICE,
    PUBLISHED,
    SERVICES,
    default_of,
    every_service,
    runs_once,
    sources,
)

# What a service is let off, each with its reason beside it in the file; nothing else may be.
BECOME_ANOTHER = {"SETGID", "SETPCAP", "SETUID"}
CAPABILITIES_ADDED = {
    **dict.fromkeys(("exporter", "agent"), BECOME_ANOTHER | {"DAC_READ_SEARCH", "SYS_PTRACE"}),
    **dict.fromkeys(("soak", "demo-soak"), BECOME_ANOTHER),
}
ROOT_ALLOWED = {*CAPABILITIES_ADDED, "grafana-password"}


def test_the_stack_is_exporter_prometheus_alertmanager_and_grafana() -> None:
    always = {name for name, service in SERVICES.items() if "profiles" not in service}
    assert always == {"exporter", "prometheus", "alertmanager", "grafana", "grafana-password"}
    demo = {name for name, service in SERVICES.items() if service.get("profiles") == ["demo"]}
    assert demo == {"simulator", "demo-soak"}
    # With a profile of its own it is started by `docker compose run` alone.
    assert SERVICES["soak"]["profiles"] == ["soak"]


@every_service
def test_images_are_pinned_or_built_here(service: dict[str, Any]) -> None:
    image = service["image"]
    if "build" in service:
        assert service["pull_policy"] == "build"
        assert (COMPOSE / service["build"]["context"]).resolve() == ROOT
        assert (ROOT / service["build"]["dockerfile"]).is_file()
        targets = {"llm-router-soak-exporter:local": "exporter", "llm-router-soak:local": "soak"}
        assert service["build"]["target"] == targets[image]
    else:
        # By a variable, so that .env can name it by digest.
        assert re.fullmatch(r"\$\{[A-Z]+_IMAGE:-[\w./-]+:v?\d+\.\d+\.\d+}", image), image
    assert "latest" not in image


@every_service
def test_a_service_that_stays_has_a_healthcheck(service: dict[str, Any]) -> None:
    if runs_once(service):
        # One that is disabled is waited for in vain by `up --wait`.
        assert "healthcheck" not in service
    else:
        check = service["healthcheck"]
        assert check["test"][0] == "CMD"
        assert {"interval", "timeout", "retries", "start_period"} <= set(check)


@every_service
def test_every_service_is_hardened(service: dict[str, Any]) -> None:
    name = next(name for name, other in EVERY_SERVICE.items() if other is service)
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert service["read_only"] is True
    assert not service.get("privileged")
    assert set(service.get("cap_add", [])) == CAPABILITIES_ADDED.get(name, set())
    user = default_of(str(service.get("user", "image's own")))
    assert not user.startswith(("0:", "root")) or name in ROOT_ALLOWED
    assert service.get("network_mode") in (None, "none")


@every_service
def test_every_service_has_limits(service: dict[str, Any]) -> None:
    limits = service["deploy"]["resources"]["limits"]
    # More than one CPU would be refused on a machine that has only one.
    assert 0 < float(default_of(limits["cpus"])) <= 1
    assert re.fullmatch(r"\d+[MG]", limits["memory"])
    assert limits["pids"] > 0
    assert service["logging"]["options"]["max-size"]


@every_service
def test_ports_are_those_of_the_contract_and_on_loopback_by_default(
    service: dict[str, Any],
) -> None:
    name = next(name for name, other in EVERY_SERVICE.items() if other is service)
    published = set()
    for port in service.get("ports", []):
        found = re.fullmatch(r"\$\{BIND_ADDRESS:-127\.0\.0\.1\}:\$\{[A-Z]+_PORT:-(\d+)\}:(\d+)(/udp)?", port)
        assert found, port
        assert found[1] == found[2], port
        published.add(found[2] + (found[3] or ""))
    assert published == PUBLISHED.get(name, set())


@every_service
def test_mounts_are_read_only_files_of_the_checkout_results_or_declared_volumes(
    service: dict[str, Any],
) -> None:
    for volume, source in zip(service.get("volumes", []), sources(service), strict=True):
        if source.startswith("."):
            assert (COMPOSE / source).exists(), f"{source}: not in the checkout"
            assert (COMPOSE / source).resolve().is_relative_to(ROOT), source
            writes_results = source == "../benchmarks/results" and runs_once(service)
            assert volume.endswith(":ro") != writes_results, volume
        else:
            assert source in DOCUMENT["volumes"], source


def test_every_declared_volume_is_used() -> None:
    used = {source for service in SERVICES.values() for source in sources(service)}
    assert set(DOCUMENT["volumes"]) == {source for source in used if not source.startswith(".")}


@every_service
def test_a_service_waits_for_services_that_exist_until_they_are_healthy(service: dict[str, Any]) -> None:
    for other, wait in service.get("depends_on", {}).items():
        once = runs_once(SERVICES[other])
        assert wait["condition"] == ("service_completed_successfully" if once else "service_healthy")
        if "profiles" in SERVICES[other] and "profiles" not in service:
            assert wait["required"] is False, f"{other} is there with its profile only"
