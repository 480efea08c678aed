"""exporter.stack.prometheus_files: what a stack's Prometheus scrapes, and how."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from exporter.settings.login import HttpClientConfig
from exporter.settings.router_api import RouterApi
from exporter.settings.up_config import AgentGroup
from exporter.stack.ports import Ports
from exporter.stack.prometheus_files import RouterMetrics, Scraped, write_prometheus, write_targets
from tests.support.waiting import need

PORTS = Ports()
SECRET = "hunter2-of-the-test"
AGENTS = (AgentGroup(targets=("gpu-1:9877",), labels={"node": "gpu-1", "role": "node"}),)


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A file that holds one, outside the stack's folder."""
    file = tmp_path / "secret"
    file.write_text(SECRET, encoding="ascii")
    return file


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (folder := tmp_path / "stack").mkdir()
    return folder


def targets(folder: Path, name: str) -> Any:
    return yaml.safe_load((folder / "prometheus" / "targets" / f"{name}.yml").read_text(encoding="utf-8"))


def job(folder: Path, name: str) -> dict[str, Any]:
    document = yaml.safe_load((folder / "prometheus" / "prometheus.yml").read_text(encoding="utf-8"))
    [found] = [each for each in document["scrape_configs"] if each["job_name"] == name]
    return dict(found)


def check(folder: Path) -> None:
    """By Prometheus's own tool, which wants every file that is named."""
    need("promtool")
    done = subprocess.run(
        ["promtool", "check", "config", str(folder / "prometheus" / "prometheus.yml")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def files_with_secret(folder: Path) -> list[Path]:
    return [file for file in folder.rglob("*") if file.is_file() and SECRET in file.read_text("utf-8")]


def test_the_services_of_the_stack_are_scraped_at_its_ports(folder: Path) -> None:
    ports = Ports(exporter=1001, prometheus=1002, alertmanager=1003, router=1004)
    write_prometheus(folder, ports, Scraped())
    assert targets(folder, "exporter") == [{"targets": ["127.0.0.1:1001"]}]
    assert targets(folder, "prometheus") == [{"targets": ["127.0.0.1:1002"]}]
    assert targets(folder, "alertmanager") == [{"targets": ["127.0.0.1:1003"]}]
    assert targets(folder, "router") == [{"targets": ["127.0.0.1:1004"]}]
    assert targets(folder, "agents") == targets(folder, "router-with-key") == []
    assert {each.name for each in (folder / "prometheus").iterdir()} == {"prometheus.yml", "rules", "targets"}
    assert len(list((folder / "prometheus/rules").glob("*.yml"))) > 5


def test_the_alerts_of_the_stack_link_to_the_runbook_that_its_exporter_serves(folder: Path) -> None:
    write_prometheus(folder, Ports(exporter=1001), Scraped())
    rules = (folder / "prometheus/rules/router.alerts.yml").read_text(encoding="utf-8")
    assert "runbook_url: http://127.0.0.1:1001/runbook/RouterDown\n" in rules
    assert "prometheus/runbook.md" not in rules


def test_a_router_is_asked_as_its_url_and_options_say(folder: Path, secret: Path) -> None:
    router = RouterApi.model_validate(
        {"url": "https://router.example/llm", "api_key_file": secret, "tls_config": {"ca_file": str(secret)}}
    )
    metrics = RouterMetrics("/api/metrics/cloud", wants_key=True)
    write_prometheus(folder, PORTS, Scraped(router, metrics))
    assert targets(folder, "router") == []
    assert targets(folder, "router-with-key") == [
        {
            "targets": ["router.example:443"],
            "labels": {"__metrics_path__": "/llm/api/metrics/cloud", "__scheme__": "https"},
        }
    ]
    with_key = job(folder, "router-with-key")
    assert with_key["authorization"] == {"credentials_file": str(secret)}
    assert with_key["tls_config"] == {"ca_file": str(secret)}
    assert files_with_secret(folder) == []


def test_what_is_learnt_of_a_router_later_changes_its_targets_alone(folder: Path) -> None:
    router = RouterApi(url="http://[fe80::1]:8080")
    file = write_prometheus(folder, PORTS, Scraped(router))
    written = file.read_bytes()
    write_targets(folder, PORTS, Scraped(router, RouterMetrics("/metrics")))
    assert file.read_bytes() == written
    [group] = targets(folder, "router")
    assert group["targets"] == ["[fe80::1]:8080"]
    assert group["labels"]["__metrics_path__"] == "/metrics"


def test_agents_are_asked_in_the_clear_beside_the_exporter(folder: Path) -> None:
    write_prometheus(folder, PORTS, Scraped(agents=AGENTS))
    assert targets(folder, "exporter")[1:] == [
        {"targets": ["gpu-1:9877"], "labels": {"node": "gpu-1", "role": "node"}}
    ]
    assert targets(folder, "agents") == []
    check(folder)


def test_agents_with_a_login_are_asked_over_tls_with_files_that_stay_where_they_are(
    folder: Path, secret: Path
) -> None:
    login = HttpClientConfig.model_validate(
        {
            "basic_auth": {"username": "prometheus", "password_file": str(secret)},
            "tls_config": {"insecure_skip_verify": True},
        }
    )
    write_prometheus(folder, PORTS, Scraped(agents=AGENTS, agents_login=login))
    assert [each["targets"] for each in targets(folder, "agents")] == [["gpu-1:9877"]]
    assert len(targets(folder, "exporter")) == 1
    agents = job(folder, "exporter-agents")
    assert agents["basic_auth"] == {"username": "prometheus", "password_file": str(secret)}
    assert agents["tls_config"] == {"insecure_skip_verify": True}
    assert agents["scheme"] == "https"
    assert files_with_secret(folder) == []
    check(folder)


def test_configuration_and_rules_are_those_that_are_shipped_now(folder: Path) -> None:
    write_prometheus(folder, PORTS, Scraped())
    (folder / "prometheus/rules/of-an-earlier-release.yml").touch()
    write_prometheus(folder, PORTS, Scraped())
    assert not (folder / "prometheus/rules/of-an-earlier-release.yml").exists()
