"""An exporter with one collector of a test's own, served over HTTP, and a client's requests to it."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import requests
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.parser import text_string_to_metric_families as parse_text

from exporter.collectors import build_collectors
from exporter.collectors.collector import LiveLoad, Shared
from exporter.collectors.isolation import IsolatedCollectors
from exporter.exposition.application import Exposition
from exporter.live.ingest import Ingest
from exporter.live.runs import LiveRuns
from exporter.live.state_file import StateFile
from exporter.live.wire import VERSION
from exporter.settings.exporter_config import ExporterConfig, GpuMode
from tests.support.clocks import FakeClock
from tests.support.live_messages import RUN, run_info, token_of
from tests.support.served_app import ServedApp
from tests.support.watching import watch_of

WATCHES_NOTHING = ExporterConfig(router=None, host=False, gpu=GpuMode.OFF)


def series(name: str, **labels: str) -> str:
    """A series as one string, whatever the order of its labels."""
    return name + "".join(f" {label}={value}" for label, value in sorted(labels.items()))


class Stub:
    """A collector with one series."""

    name = "stub"
    isolated = True

    def collect(self) -> list[Metric]:
        return [GaugeMetricFamily("stub_value", "a value", 7)]


class Served:
    """An exporter under test: its runs, and its HTTP face as a client sees it."""

    def __init__(self, clock: FakeClock, state_file: Path, url: str) -> None:
        self.url = url
        self.runs = LiveRuns(clock)
        self.state_file = state_file
        self.ingest = Ingest(self.runs.apply)
        load = LiveLoad(self.runs, self.ingest, StateFile(state_file))
        own = build_collectors(WATCHES_NOTHING, Shared(clock, load=load))
        collectors = IsolatedCollectors([*own, Stub()], 10.0, clock)
        self.app = Exposition(self.runs, self.ingest, collectors, clock, watch_of()).app

    def get(self, path: str, **headers: str) -> requests.Response:
        given = {"Accept-Encoding": "identity", **headers}
        return requests.get(self.url + path, headers=given, timeout=10)

    def put(self, body: Any, run: str = RUN, **headers: str | None) -> requests.Response:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        given = {"Content-Type": "application/json", **headers}
        return requests.put(f"{self.url}/api/runs/{run}", data=data, headers=given, timeout=10)

    def metrics(self) -> dict[str, float]:
        return {
            series(sample.name, **sample.labels): sample.value
            for family in parse_text(self.get("/metrics").text)
            for sample in family.samples
        }


def serve_app() -> Iterator[ServedApp]:
    """The body of a fixture: a server whose application the tests of a file replace."""
    with ServedApp() as found:
        yield found


def serve_exporter(
    server: ServedApp, clock: FakeClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Served:
    """The body of a fixture: an exporter without runs."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    found = Served(clock, tmp_path / "state.json", server.url)
    server.app = found.app
    return found


def announcement(
    phase: str = "load", route: str = "local", model: str = "gpt-oss:20b", **changes: Any
) -> dict[str, Any]:
    """What announces a run of one model."""
    named = {"version": VERSION, "token": token_of().hex(), "phase": phase}
    pairs = [{"route": route, "model": model}]
    return {**asdict(run_info()), "pairs": pairs, **named, **changes}
