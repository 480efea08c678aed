"""prometheus.yml: whom Prometheus finds and how, what a target may send, and where its secrets are."""

import re
import subprocess
from typing import Any

import pytest

from tests.support.contract_metrics import METRICS
from tests.support.prometheus_files import PROMETHEUS, RECORDING, ROOT, load


def test_the_scrape_timeout_is_below_the_interval_of_five_seconds() -> None:
    settings = load(PROMETHEUS / "prometheus.yml")["global"]
    assert settings == {"scrape_interval": "5s", "scrape_timeout": "4s", "evaluation_interval": "5s"}


def test_prometheus_finds_everything_through_target_files_beside_it() -> None:
    config = load(PROMETHEUS / "prometheus.yml")
    assert config["rule_files"] == ["rules/*.yml"]
    files = {
        job["job_name"]: [file for sd in job["file_sd_configs"] for file in sd["files"]]
        for job in config["scrape_configs"]
    }
    assert files == {
        "exporter": ["targets/exporter.yml"],
        "exporter-agents": ["targets/agents.yml"],
        "router": ["targets/router.yml"],
        "router-with-key": ["targets/router-with-key.yml"],
        "prometheus": ["targets/prometheus.yml"],
        "alertmanager": ["targets/alertmanager.yml"],
    }
    (alertmanagers,) = config["alerting"]["alertmanagers"]
    assert [file for sd in alertmanagers["file_sd_configs"] for file in sd["files"]] == [
        "targets/alertmanager.yml"
    ]
    # A static target would be the same in compose and natively, where hosts have other names.
    assert "static_configs" not in (PROMETHEUS / "prometheus.yml").read_text(encoding="utf-8")


PORTS = {"exporter": 9877, "router": 8080, "prometheus": 9090, "alertmanager": 9093}


@pytest.mark.parametrize(
    ("folder", "targets"),
    [
        ("prometheus/targets", {job: [f"127.0.0.1:{port}"] for job, port in PORTS.items()}),
        (
            "compose/targets",
            {
                **{job: [f"{job}:{port}"] for job, port in PORTS.items()},
                "router": ["host.docker.internal:8080", "simulator:8080"],
            },
        ),
    ],
    ids=["native", "compose"],
)
def test_the_targets_are_loopback_natively_and_service_names_in_compose(
    folder: str, targets: dict[str, list[str]]
) -> None:
    found = {path.stem: load(path) for path in sorted((ROOT / folder).glob("*.yml"))}
    # Agents and routers with a key are for the user to add.
    assert found == {job: [{"targets": of}] for job, of in targets.items()} | {
        "agents": [],
        "router-with-key": [],
    }


def scrape_configs_of(job: str) -> list[dict[str, Any]]:
    """The scrape configurations whose series have this job: its own, and those relabelled to it."""
    found = []
    for config in load(PROMETHEUS / "prometheus.yml")["scrape_configs"]:
        relabelled = [rule["replacement"] for rule in config.get("relabel_configs", [])]
        if relabelled == [job] or (not relabelled and config["job_name"] == job):
            found.append(config)
    return found


@pytest.mark.parametrize("job", ["exporter", "router"])
def test_a_job_with_and_without_a_secret_is_one_job_that_treats_what_it_scrapes_alike(job: str) -> None:
    plain, with_secret = scrape_configs_of(job)
    assert plain["job_name"] == job
    assert plain["metric_relabel_configs"] == with_secret["metric_relabel_configs"]
    secrets = {"basic_auth", "authorization", "tls_config"}
    assert not secrets & set(plain)
    assert len(secrets & set(with_secret)) == 1


@pytest.mark.parametrize("config", [*scrape_configs_of("exporter"), *scrape_configs_of("router")])
def test_what_a_target_may_send_is_bounded(config: dict[str, Any]) -> None:
    assert config["body_size_limit"] in {"8MB", "32MB"}
    assert 10_000 <= config["sample_limit"] <= 50_000
    assert config["label_limit"] == 32
    assert config["label_name_length_limit"] == 128
    assert config["label_value_length_limit"] == 4096  # a mount point may be as long (PATH_MAX)


def test_no_target_may_write_series_of_another_job_or_instance() -> None:
    for config in load(PROMETHEUS / "prometheus.yml")["scrape_configs"]:
        assert not config.get("honor_labels", False)


def names_dropped() -> re.Pattern[str]:
    """What a router's own metrics may not be called; Prometheus anchors a regex at both ends."""
    (rule,) = scrape_configs_of("router")[0]["metric_relabel_configs"]
    assert (rule["action"], rule["source_labels"]) == ("drop", ["__name__"])
    return re.compile(rf"(?:{rule['regex']})\Z")


OWN = METRICS - {name for name in METRICS if name.startswith("process_")}


@pytest.mark.parametrize("name", sorted(OWN | set(RECORDING)))
def test_a_router_cannot_speak_under_a_name_of_ours(name: str) -> None:
    assert names_dropped().match(name)


@pytest.mark.parametrize(
    "name",
    [
        "cloud_requests_total", "cloud_request_latency_seconds_bucket", "go_gc_duration_seconds",
        "python_gc_collections_total", "jvm_gc_pause_seconds_count", "process_resident_memory_bytes",
        "http_requests_total", "vllm:num_requests_running", "litellm_requests_metric_total",
        "nodejs_heap_bytes",
    ],
)  # fmt: skip
def test_a_routers_own_names_are_kept(name: str) -> None:
    assert not names_dropped().match(name)


@pytest.mark.parametrize("name", ["router-key", "agents-password", "remote-write-token", "agents-ca.pem"])
def test_git_ignores_a_secret(name: str) -> None:
    asked = ["git", "check-ignore", "--no-index", "--quiet", f"prometheus/secrets/{name}"]
    code = subprocess.run(asked, cwd=ROOT, capture_output=True, check=False).returncode
    if code == 128:
        pytest.skip("not a git checkout")
    assert code == 0


def test_every_secret_that_is_named_has_an_example_and_only_that() -> None:
    text = (PROMETHEUS / "prometheus.yml").read_text(encoding="utf-8")
    named = set(re.findall(r"^ +(?:password|credentials)_file: (\S+)$", text, re.MULTILINE))
    assert named == {"secrets/agents-password", "secrets/router-key"}
    assert all((PROMETHEUS / f"{name}.example").is_file() for name in named)
