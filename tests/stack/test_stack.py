"""The native stack with the real Prometheus and Alertmanager: a live soak, seen from the outside."""

import math
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from exporter.errors import QueryError
from exporter.run.interrupt import Interrupt
from exporter.run.prometheus_client import PrometheusClient
from exporter.stack.native import NativeStack
from exporter.stack.ports import free_ports
from tests.support.soak_command import SoakRun, end_faults, fault, total
from tests.support.waiting import need, wait_for


@pytest.fixture(scope="module")
def whole() -> Iterator[NativeStack]:
    """Simulator, exporter, Alertmanager and Prometheus, ready."""
    need("wrk", "prometheus", "prometheus-alertmanager")
    with NativeStack(free_ports()) as stack:
        stack.start_simulator()
        stack.start_exporter()
        stack.start_alertmanager()
        stack.start_prometheus()
        yield stack


@pytest.fixture
def prometheus(whole: NativeStack) -> PrometheusClient:
    return PrometheusClient(whole.ports.url("prometheus"))


@pytest.fixture
def soak(whole: NativeStack, tmp_path: Path) -> Iterator[Callable[..., SoakRun]]:
    """Starts soaks of the whole stack; whatever still runs afterwards is ended."""
    started = []

    def start(*options: str) -> SoakRun:
        run = SoakRun(whole, tmp_path / "results", "--prometheus", whole.ports.url("prometheus"), *options)
        started.append(run)
        return run

    yield start
    for run in started:
        run.abandon()
    end_faults(whole)


def values(prometheus: PrometheusClient, expression: str) -> list[float]:
    """The finite values of an expression now; an empty list where Prometheus has none yet."""
    try:
        return [v for s in prometheus.query(expression) for v in s.values if math.isfinite(v)]
    except QueryError:
        return []


def firing(whole: NativeStack) -> dict[str, dict[str, str]]:
    """The labels of the alerts that have arrived at Alertmanager, by name."""
    answer = requests.get(whole.ports.url("alertmanager") + "/api/v2/alerts", timeout=5)
    return {alert["labels"]["alertname"]: alert["labels"] for alert in answer.json()}


def test_prometheus_sees_the_soak_live_and_a_disconnect_reaches_alertmanager(
    whole: NativeStack, prometheus: PrometheusClient, soak: Callable[..., SoakRun]
) -> None:
    run = soak("--duration", "45s", "--connections", "10")
    rate = "sum(rate(benchmark_requests_total[30s]))"
    wait_for("a live rate in Prometheus", lambda: any(v > 50 for v in values(prometheus, rate)), 40)
    bucket = 'benchmark_request_duration_seconds_bucket{status_class="2xx"}'
    p99 = f"histogram_quantile(0.99, sum by (le) (rate({bucket}[30s])))"
    [seconds] = values(prometheus, p99)
    assert 0.03 < seconds < 0.2
    assert "Watchdog" in wait_for("the Watchdog in Alertmanager", lambda: firing(whole))
    assert "BenchmarkDisconnects" not in firing(whole)

    fault(whole, "drop_connections", ratio=0.05, mode="rst")
    alerts = wait_for(
        "BenchmarkDisconnects in Alertmanager",
        lambda: firing(whole) if "BenchmarkDisconnects" in firing(whole) else None,
        40,
    )
    assert (
        alerts["BenchmarkDisconnects"].items()
        >= {
            "severity": "critical",
            "route": "local",
            "model": "gpt-oss:20b",
        }.items()
    )
    fault(whole, "error", status=500, ratio=0.3)

    ended = run.end()
    evidence = ended.document["evidence"]
    assert ended.code == 1
    assert "BenchmarkDisconnects" in evidence["alerts"]
    counts = evidence["counts_by_source"]
    failed = sum(evidence["failures"].values())
    assert failed > 0
    everywhere = {"responses": evidence["engine"]["requests"], "failures": failed}
    assert counts == {
        "engine": {**everywhere, "failures": None},
        **dict.fromkeys(("live", "exporter", "scraped", "prometheus"), everywhere),
    }
    [row] = ended.csv_rows
    assert (int(row["requests"]), int(row["socket_errors"])) == (everywhere["responses"], failed)
    assert f"- 失敗: {int(row['non2xx']) + failed} (内訳 " in ended.record


def test_an_exporter_killed_in_mid_run_costs_prometheus_nothing_but_a_gap(
    whole: NativeStack, prometheus: PrometheusClient, soak: Callable[..., SoakRun]
) -> None:
    before = total(whole, "benchmark_requests_total")
    run = soak("--duration", "25s", "--connections", "5")
    wait_for(
        "the run in Prometheus",
        lambda: any(v > before for v in values(prometheus, "sum(benchmark_requests_total)")),
        30,
    )
    whole.kill("exporter")
    whole.start_exporter()
    ended = run.end()
    count = ended.document["evidence"]["engine"]["requests"]
    assert ended.document["evidence"]["counts_by_source"]["prometheus"]["responses"] == count
    assert prometheus.value("sum(benchmark_requests_total)") == before + count
    assert prometheus.value("sum(resets(benchmark_requests_total[2m]))") == 0


def test_every_target_of_prometheus_is_up(prometheus: PrometheusClient) -> None:
    wait_for(
        "four jobs up",
        lambda: (
            {s.label("job") for s in prometheus.query("up == 1")}
            == {"exporter", "router", "prometheus", "alertmanager"}
        ),
    )


def test_the_routers_own_metrics_are_in_prometheus(whole: NativeStack, prometheus: PrometheusClient) -> None:
    text = requests.get(whole.ports.url("router") + "/metrics/cloud", timeout=5).text
    providers = set(re.findall(r'^cloud_requests_total\{provider="(\w+)"', text, re.MULTILINE))
    assert providers == {"openai", "google", "anthropic"}
    found = wait_for("cloud_requests_total", lambda: prometheus.query("cloud_requests_total"))
    assert {s.label("provider") for s in found} == providers
    assert {s.label("job") for s in found} == {"router"}


def test_whoever_asks_to_end_while_a_service_starts_need_not_ask_again() -> None:
    with (
        Interrupt() as interrupt,
        pytest.raises(KeyboardInterrupt),
        NativeStack(free_ports(), interrupt=interrupt) as stack,
    ):
        signal.raise_signal(signal.SIGINT)
        stack.start_simulator()
    assert not stack.folder.exists()
