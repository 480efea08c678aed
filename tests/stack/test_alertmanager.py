"""A real Alertmanager on the shipped configuration: who is told of what, and what is kept back."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests

from exporter.stack.native import NativeStack
from tests.support.checkout import CHECKOUT
from tests.support.local_http import LocalHttp
from tests.support.waiting import need, wait_for

SHIPPED = CHECKOUT / "prometheus" / "alertmanager.yml"
ONE, OTHER = {"job": "exporter", "instance": "one:9877"}, {"job": "exporter", "instance": "other:9877"}
MODEL = {"route": "local", "model": "gpt-oss:20b"}
GPU = {**OTHER, "gpu": "0", "uuid": "GPU-1"}


class Told(LocalHttp):
    """A receiver that answers 200 and keeps what it is told."""

    def __init__(self) -> None:
        super().__init__(lambda asked: (200, "ok"))

    def alerts(self, status: str) -> set[tuple[str, ...]]:
        """Alerts of the webhook notifications: name, severity, and what they are about."""
        return {
            brief(alert["labels"])
            for asked in self.asked
            for alert in json.loads(asked.body).get("alerts", [])
            if alert["status"] == status
        }


def brief(labels: dict[str, str]) -> tuple[str, ...]:
    about = (labels.get(name) for name in ("instance", "model", "collector", "node", "xid"))
    return (labels["alertname"], labels["severity"], *(each for each in about if each))


@pytest.fixture
def told() -> Iterator[Told]:
    with Told() as found:
        yield found


def switch_on(way: str, folder: Path, told: Told) -> Path:
    """The shipped configuration with one way of telling switched on, as receivers/README.md says."""
    text = SHIPPED.read_text(encoding="utf-8")
    assert text.count(f"    # {way}_configs: *{way}\n") == 2
    text = text.replace(f"    # {way}_configs", f"    {way}_configs")
    text = text.replace("http://127.0.0.1:5001", told.url)
    configuration = folder / "alertmanager.yml"
    configuration.write_text(text, encoding="utf-8")
    (folder / "receivers").mkdir()
    return configuration


def post(stack: NativeStack, *alerts: dict[str, str], ended: bool = False) -> None:
    now = datetime.now(UTC)
    body = [
        {
            "labels": labels,
            "annotations": {"description": "what has happened", "runbook_url": "prometheus/runbook.md#x"},
            # Now: a group whose first alert is older than group_wait is told at once, its causes unseen.
            "startsAt": (now - timedelta(seconds=ended)).isoformat(),
            "endsAt": (now if ended else now + timedelta(minutes=10)).isoformat(),
        }
        for labels in alerts
    ]
    answer = requests.post(stack.ports.url("alertmanager") + "/api/v2/alerts", json=body, timeout=5)
    assert answer.status_code == 200, answer.text


def kept_back(stack: NativeStack) -> set[tuple[str, ...]]:
    """The alerts that some other one inhibits."""
    answer = requests.get(stack.ports.url("alertmanager") + "/api/v2/alerts", timeout=5)
    return {brief(alert["labels"]) for alert in answer.json() if alert["status"]["inhibitedBy"]}


def alert(name: str, severity: str, **labels: str) -> dict[str, str]:
    return {"alertname": name, "severity": severity, **labels}


def test_what_follows_from_a_fault_is_kept_back_and_all_else_is_sent_and_resolves(
    stack: NativeStack, told: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    need("prometheus-alertmanager")
    configuration = switch_on("webhook", tmp_path, told)
    (tmp_path / "receivers" / "webhook-token").write_text("s3cret\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    stack.start_alertmanager(configuration)

    stays = [
        alert("RouterDown", "critical", **ONE),
        alert("NodeOffline", "critical", node="gpu-1", job="exporter", instance="third:9877"),
        alert("BenchmarkDisconnects", "critical", **MODEL),
        alert("ExporterDown", "critical", **OTHER),
        alert("CollectorFailing", "warning", collector="gpu", **ONE),
        alert("GpuXidError", "critical", xid="79", **GPU),
        alert("GpuXidError", "warning", xid="31", **{**GPU, "uuid": "GPU-2"}),
        alert("RouterRestarted", "warning", process="router", role="router", **OTHER),
    ]
    follows = [
        alert("NodeOffline", "critical", node="gpu-1", **ONE),
        alert("NodeFlapping", "warning", node="gpu-1", **ONE),
        alert("BenchmarkDisconnects", "warning", route="openai", model="openai:x"),
        alert("BenchmarkDisconnects", "warning", **MODEL),
        alert("BenchmarkErrorRateHigh", "warning", **MODEL),
        alert("BenchmarkStalled", "critical", **MODEL),
        alert("BenchmarkLatencyRegression", "warning", reference="start", **MODEL),
        alert("BenchmarkThroughputDrop", "warning", reference="start", **MODEL),
        alert("CollectorFailing", "warning", collector="node", **OTHER),
        alert("GpuXidError", "warning", xid="13", **GPU),
    ]
    never_sent = [alert("Watchdog", "info"), alert("GpuThrottled", "info", **ONE)]

    post(stack, *never_sent, *follows, *stays)
    wait_for("every alert that stays", lambda: told.alerts("firing") >= {brief(each) for each in stays})
    assert kept_back(stack) == {brief(each) for each in follows}

    # It waits as long as the others did, and they began before it.
    post(stack, alert("LastOfAll", "critical"))
    wait_for("the last alert", lambda: ("LastOfAll", "critical") in told.alerts("firing"))
    assert told.alerts("firing") == {brief(each) for each in stays} | {("LastOfAll", "critical")}
    assert {(asked.path, asked.headers["Authorization"]) for asked in told.asked} == {
        ("/alerts", "Bearer s3cret")
    }

    # Once the router is back, what followed from it is told where it still holds.
    post(stack, stays[0], ended=True)
    wait_for(
        "RouterDown's end", lambda: ("RouterDown", "critical", "one:9877") in told.alerts("resolved"), 45
    )
    assert kept_back(stack) == {
        brief(each) for each in follows if each["alertname"] in ("CollectorFailing", "GpuXidError")
    } | {("BenchmarkDisconnects", "warning", "gpt-oss:20b")}


def test_slack_is_sent_to_the_address_in_the_file(
    stack: NativeStack, told: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    need("prometheus-alertmanager")
    configuration = switch_on("slack", tmp_path, told)
    (tmp_path / "receivers" / "slack-url").write_text(f"{told.url}/services/T/B/s3cret\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    stack.start_alertmanager(configuration)

    post(stack, alert("RouterDown", "critical", **ONE))

    wait_for("Slack's message", lambda: told.asked)
    assert told.asked[0].path == "/services/T/B/s3cret"
    [attached] = json.loads(told.asked[0].body)["attachments"]
    assert attached["text"].strip() == "what has happened\nrunbook: prometheus/runbook.md#x"


@pytest.mark.parametrize("way", ["webhook", "slack", "email"])
def test_a_secret_that_is_not_there_yet_is_no_error_at_the_start(
    stack: NativeStack, told: Told, tmp_path: Path, way: str
) -> None:
    need("prometheus-alertmanager")
    stack.start_alertmanager(switch_on(way, tmp_path, told))

    status = requests.get(stack.ports.url("alertmanager") + "/api/v2/status", timeout=5).json()
    assert f"{way}_configs" in status["config"]["original"]
    log = (stack.folder / "alertmanager.log").read_text(encoding="utf-8")
    assert "level=error" not in log
