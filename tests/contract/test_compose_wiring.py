"""What the services of the stack find of each other and are told: targets, secrets, dashboards, a demo."""

import re
from pathlib import Path

import pytest
import yaml

from exporter.settings.exporter_config import default_config, load_config
from exporter.settings.machine import Machine
from exporter.settings.watch import Watch
from tests.support.compose_command import ROOT
from tests.support.compose_files import COMPOSE, PUBLISHED, SERVICES, sources


def test_targets_in_compose_are_services_and_ports_of_the_stack() -> None:
    native = sorted(path.name for path in (ROOT / "prometheus" / "targets").glob("*.yml"))
    assert sorted(path.name for path in (COMPOSE / "targets").glob("*.yml")) == native
    for path in sorted((COMPOSE / "targets").glob("*.yml")):
        for group in yaml.safe_load(path.read_text(encoding="utf-8")):
            for target in group["targets"]:
                if path.stem == "router":
                    continue
                host, port = target.split(":")
                assert port in PUBLISHED[host], f"{path.name}: {target}"


def test_the_router_of_this_host_and_the_simulated_one_can_be_reached_for_their_own_metrics() -> None:
    (group,) = yaml.safe_load((COMPOSE / "targets" / "router.yml").read_text(encoding="utf-8"))
    assert group == {"targets": ["host.docker.internal:8080", "simulator:8080"]}
    assert SERVICES["prometheus"]["extra_hosts"] == ["host.docker.internal:host-gateway"]
    assert SERVICES["simulator"]["command"][-2:] == ["--port", "8080"]


def test_prometheus_finds_every_secret_that_its_configuration_names() -> None:
    mounts = dict(zip(sources(SERVICES["prometheus"]), SERVICES["prometheus"]["volumes"], strict=True))
    assert mounts["../prometheus/secrets"].endswith(":/etc/prometheus/secrets:ro")
    assert mounts["../prometheus/prometheus.yml"].endswith(":/etc/prometheus/prometheus.yml:ro")


def test_prometheus_knows_how_long_and_how_much_to_keep() -> None:
    flags = " ".join(SERVICES["prometheus"]["command"])
    assert "--storage.tsdb.retention.time=" in flags
    assert "--storage.tsdb.retention.size=" in flags


def test_grafana_has_no_default_password_and_finds_what_is_provisioned() -> None:
    environment = SERVICES["grafana"]["environment"]
    assert "GF_SECURITY_ADMIN_PASSWORD" not in environment
    secret = Path(environment["GF_SECURITY_ADMIN_PASSWORD__FILE"])
    mounts = dict(volume.split(":")[:2] for volume in SERVICES["grafana"]["volumes"])
    assert mounts["grafana-secret"] == str(secret.parent)
    assert environment["PROMETHEUS_URL"] == "http://prometheus:9090"
    assert environment["GRAFANA_DASHBOARDS_PATH"] == mounts["../grafana/dashboards"]
    home = Path(environment["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert (ROOT / "grafana" / "dashboards" / home.name).is_file()
    assert str(home.parent) == mounts["../grafana/dashboards"]


def test_the_demo_configuration_is_one_that_the_exporter_takes() -> None:
    config = load_config(COMPOSE / "exporter" / "demo.yaml")
    assert config.router is not None and config.router.url == "http://simulator:8080"
    (router,) = config.processes
    assert router.match.command_line is not None
    simulator = " ".join(["/opt/soak/bin/python3", "/opt/soak/bin/soak", *SERVICES["simulator"]["command"]])
    assert re.search(router.match.command_line, simulator)


@pytest.mark.parametrize("soak", ["soak", "demo-soak"])
def test_the_exporter_watches_the_router_that_a_soak_in_a_container_loads(soak: str) -> None:
    def default(text: str) -> str:
        return re.sub(r"\$\{\w+:-(.*)\}", r"\1", text)

    target = default(SERVICES[soak]["environment"]["WRK_TARGET"])
    if soak == "demo-soak":
        config = load_config(COMPOSE / "exporter" / "demo.yaml")
    else:
        config = default_config(default(SERVICES["exporter"]["environment"]["ROUTER_URL"]))
    container = Machine(("exporter", "172.18.0.3"), "of-the-exporter")
    watch = Watch.of(
        config, container, version=3, release="1", telemetry_path="/metrics", ingest_port=9878, owner=None
    )
    assert watch.watches(target, "http://exporter:9877", Machine(("soak", "172.18.0.4"), "of-the-soak"))
