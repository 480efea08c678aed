"""exporter.exposition: /metrics in both formats, announcements good and bad, and the landing page."""

import gzip
import json
import math
import platform
import threading
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import requests
from clocks import FakeClock
from live_messages import LOCAL_MODEL, RUN, answered, message, run_info
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text
from served_app import ServedApp

from exporter import __version__
from exporter.clock import SystemClock
from exporter.collectors.isolation import IsolatedCollectors
from exporter.errors import PortTakenError
from exporter.events import Phase
from exporter.exposition import MOST_SCRAPES, Exposition, scrape_budget
from exporter.ingest import Ingest
from exporter.metrics.journal import Journal
from exporter.metrics.live import MOST_MODELS, MOST_RUNS, LiveRuns
from exporter.web.server import bind_http

HOSTILE = """<script>alert("1 & 2")</script>'"""


def series(name: str, **labels: str) -> str:
    """A series as one string, whatever the order of its labels."""
    return name + "".join(f" {label}={value}" for label, value in sorted(labels.items()))


class Stub:
    """A collector with one series."""

    name = "stub"

    def collect(self) -> list[Metric]:
        return [GaugeMetricFamily("stub_value", "a value", 7)]


class Served:
    """An exporter under test: its runs, and its HTTP face as a client sees it."""

    def __init__(self, clock: FakeClock, state_file: Path, url: str) -> None:
        self.url = url
        self.runs = LiveRuns(clock)
        self.state_file = state_file
        self.ingest = Ingest(self.runs.apply)
        self.app = Exposition(
            self.runs,
            self.ingest,
            IsolatedCollectors([Stub()], 10.0, clock),
            Journal(state_file),
            clock,
            ingest_port=9878,
        ).app

    def get(self, path: str, **headers: str) -> requests.Response:
        given = {"Accept-Encoding": "identity", **headers}
        return requests.get(self.url + path, headers=given, timeout=10)

    def put(self, body: Any, run: str = RUN) -> requests.Response:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return requests.put(f"{self.url}/api/runs/{run}", data=data, timeout=10)

    def metrics(self) -> dict[str, float]:
        return {
            series(sample.name, **sample.labels): sample.value
            for family in parse_text(self.get("/metrics").text)
            for sample in family.samples
        }


@pytest.fixture(scope="module")
def server() -> Iterator[ServedApp]:
    with ServedApp() as found:
        yield found


@pytest.fixture
def served(server: ServedApp, clock: FakeClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Served:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    found = Served(clock, tmp_path / "state.json", server.url)
    server.app = found.app
    return found


def announcement(phase: str = "load", **changes: Any) -> dict[str, Any]:
    return {**asdict(run_info()), "phase": phase, **changes}


def test_metrics_are_prometheus_text_unless_openmetrics_is_asked_for(served: Served) -> None:
    answer = served.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/plain; version=")
    assert "charset=utf-8" in answer.headers["Content-Type"]
    assert "Content-Encoding" not in answer.headers
    assert "stub_value 7.0\n" in answer.text
    assert not answer.text.endswith("# EOF\n")


def test_metrics_are_openmetrics_where_that_is_accepted(served: Served) -> None:
    served.put(announcement())
    served.runs.apply(answered({"2xx": [1500]}))
    answer = served.get("/metrics", Accept="application/openmetrics-text;version=1.0.0,text/plain;q=0.5")
    assert answer.headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
    assert answer.text.endswith("# EOF\n")
    families = {family.name: family for family in parse_openmetrics(answer.text)}
    assert families["benchmark_requests"].type == "counter"
    assert families["benchmark_request_duration_seconds"].type == "histogram"
    assert families["benchmark_run"].type == "info"
    counted = {
        sample.labels["status_class"]: sample.value for sample in families["benchmark_requests"].samples
    }
    assert counted == {"1xx": 0, "2xx": 1, "3xx": 0, "4xx": 0, "5xx": 0}


def test_metrics_are_compressed_where_that_is_accepted(served: Served) -> None:
    with requests.get(
        served.url + "/metrics", headers={"Accept-Encoding": "gzip"}, timeout=10, stream=True
    ) as answer:
        assert answer.headers["Content-Encoding"] == "gzip"
        body = answer.raw.read(decode_content=False)
    assert b"stub_value 7.0\n" in gzip.decompress(body)


def test_metrics_hold_the_exporters_own_series(served: Served) -> None:
    found = served.metrics()
    assert found[series("exporter_build_info", version=__version__, python=platform.python_version())] == 1
    assert found[series("exporter_collector_success", collector="stub")] == 1
    assert found["exporter_ingest_messages_total"] == 0
    assert found[series("exporter_ingest_rejected_total", reason="malformed")] == 0
    assert found["benchmark_run_active"] == 0
    assert found["process_start_time_seconds"] > 0


def test_known_messages_give_known_series(served: Served) -> None:
    served.put(announcement())
    served.runs.apply(answered({"2xx": [100, 200], "5xx": [900]}, {503: 1}, errors=(0, 1, 0), in_flight=1))
    expected: dict[str, float] = {
        "benchmark_run_active": 1,
        "benchmark_run_start_timestamp_seconds": 1_764_000_000.0,
        "benchmark_run_planned_duration_seconds": 60.0,
    }
    key = {"route": "local", "model": "gpt-oss:20b"}
    for name, count, total in (
        ("1xx", 0, 0),
        ("2xx", 2, 300e-6),
        ("3xx", 0, 0),
        ("4xx", 0, 0),
        ("5xx", 1, 900e-6),
    ):
        expected[series("benchmark_requests_total", status_class=name, **key)] = count
        expected[series("benchmark_request_duration_seconds_count", status_class=name, **key)] = count
        expected[series("benchmark_request_duration_seconds_sum", status_class=name, **key)] = total
    for reason in ("connect", "read", "write", "timeout", "disconnect", "truncated", "in_band"):
        expected[series("benchmark_request_failures_total", reason=reason, **key)] = reason == "read"
    for status in ("400", "401", "403", "404", "408", "413", "422", "429", "other"):
        expected[series("benchmark_error_responses_total", status_class="4xx", status=status, **key)] = 0
    for status in ("500", "502", "503", "504", "529", "other"):
        name = series("benchmark_error_responses_total", status_class="5xx", status=status, **key)
        expected[name] = status == "503"
    for quantile in ("0.5", "0.75", "0.9", "0.95", "0.99", "0.999"):
        name = series("benchmark_request_duration_quantile_seconds", quantile=quantile, **key)
        expected[name] = 100e-6 if quantile == "0.5" else 200e-6
    expected[series("benchmark_in_flight_requests", **key)] = 1
    expected[series("benchmark_connections", state="open", **key)] = 1
    expected[series("benchmark_connections", state="stalled", **key)] = 0
    for phase in ("warmup", "load", "drain"):
        expected[series("benchmark_run_phase", phase=phase)] = phase == "load"
    described = {"run": RUN, "scenario": "local", "engine": "wrk", "connections": "4", "label": "nightly"}
    expected[series("benchmark_run_info", target="http://127.0.0.1:8080", **described, **key)] = 1
    found = served.metrics()
    assert {
        name: value
        for name, value in found.items()
        if name.startswith("benchmark_") and not name.startswith("benchmark_request_duration_seconds_bucket")
    } == expected
    for le, count in (("0.0005", 2), ("600.0", 2), ("+Inf", 2)):
        bucket = series("benchmark_request_duration_seconds_bucket", status_class="2xx", le=le, **key)
        assert found[bucket] == count


def test_the_quantiles_are_gone_from_metrics_ten_seconds_after_the_last_2xx(
    served: Served, clock: FakeClock
) -> None:
    served.put(announcement())
    served.runs.apply(answered({"2xx": [100]}))
    assert sum("quantile" in name for name in served.metrics()) == 6
    for _ in range(11):
        clock.advance(1)
        served.runs.tick()
    assert sum("quantile" in name for name in served.metrics()) == 0


def test_what_a_scrape_shows_is_in_the_state_file_before(served: Served) -> None:
    served.put(announcement())
    served.runs.apply(answered({"2xx": [100] * 3}))
    served.metrics()
    restarted = LiveRuns(FakeClock())
    Journal(served.state_file).load(restarted)
    assert restarted.models[LOCAL_MODEL].requests()[1] == 3


@pytest.mark.parametrize("path", ["/-/healthy", "/-/ready"])
def test_health_and_readiness_answer_ok(served: Served, path: str) -> None:
    answer = served.get(path)
    assert (answer.status_code, answer.text) == (200, "ok\n")


def test_a_run_is_announced_and_its_status_asked_for(served: Served) -> None:
    answer = served.put(announcement("warmup"))
    assert (answer.status_code, answer.json()) == (
        200,
        {"run": RUN, "phase": "warmup", "ingest_port": 9878},
    )
    served.runs.apply(answered({"2xx": [100] * 3}))
    status = served.get(f"/api/runs/{RUN}").json()
    assert status["phase"] == "warmup"
    assert status["requests"]["2xx"] == 3
    assert served.put(announcement("finished")).json()["phase"] == "finished"
    assert served.get(f"/api/runs/{RUN}").json()["requests"]["2xx"] == 3


def test_the_status_of_an_unknown_run_is_not_found(served: Served) -> None:
    answer = served.get("/api/runs/" + "f" * 16)
    assert (answer.status_code, answer.json()) == (404, {"error": "no such run"})


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        pytest.param(b"{", 400, "not an announcement: JSONDecodeError", id="cut off"),
        pytest.param(b"\xff", 400, "not an announcement: UnicodeDecodeError", id="no text"),
        pytest.param(b"[]", 400, "not an announcement: TypeError", id="a list"),
        pytest.param(b"7", 400, "not an announcement: AttributeError", id="a number"),
        pytest.param(b"[" * 15_000, 400, "not an announcement: ", id="nested without end"),
        pytest.param({}, 400, "not an announcement: KeyError", id="no phase"),
        pytest.param(announcement("lunch"), 400, "not an announcement: ValueError", id="unknown phase"),
        pytest.param(announcement(colour="red"), 400, "colour: Unexpected keyword", id="unknown key"),
        pytest.param({"phase": "load"}, 400, "run: ", id="no parameters"),
        pytest.param(
            announcement(run="A" * 16), 400, "run: String should match pattern", id="run in capitals"
        ),
        pytest.param(announcement(run="short"), 400, "run: String should match pattern", id="short run"),
        pytest.param(announcement(route="mars"), 400, "route: ", id="unknown route"),
        pytest.param(announcement(engine="w r k"), 400, "engine: ", id="space in a name"),
        pytest.param(announcement(model=""), 400, "model: ", id="empty model"),
        pytest.param(announcement(model="m" * 129), 400, "model: ", id="long model"),
        pytest.param(announcement(model="a\nb"), 400, "model: ", id="line break in a model"),
        pytest.param(announcement(model="\ud800"), 400, "model: ", id="half a character"),
        pytest.param(announcement(label=7), 400, "label: ", id="a number as label"),
        pytest.param(announcement(connections=0), 400, "connections: ", id="no connection"),
        pytest.param(announcement(connections=10_001), 400, "connections: ", id="too many connections"),
        pytest.param(announcement(start_timestamp_seconds=float("nan")), 400, "start_", id="NaN"),
        pytest.param(announcement(planned_duration_seconds=float("inf")), 400, "planned_", id="infinite"),
        pytest.param(announcement(stall_after_seconds=-1), 400, "stall_after_seconds: ", id="negative"),
        pytest.param(announcement(run="f" * 16), 409, "the run in the path is not", id="another run"),
    ],
)
def test_a_bad_announcement_is_refused_with_its_reason_and_leaves_nothing(
    served: Served, body: Any, status: int, error: str
) -> None:
    answer = served.put(body)
    assert answer.status_code == status
    assert answer.json()["error"].startswith(error)
    assert served.runs.runs == {}
    assert served.runs.models == {}


def test_a_run_announced_again_with_other_parameters_is_a_conflict(served: Served) -> None:
    assert served.put(announcement()).status_code == 200
    answer = served.put(announcement(connections=5))
    assert answer.status_code == 409
    assert answer.json() == {"error": f"run {RUN}: already announced with other parameters"}


def test_one_model_more_than_the_most_is_a_conflict(served: Served) -> None:
    for i in range(MOST_MODELS):
        served.runs.announce(run_info(run=f"{i:016}", model=f"m{i}"), Phase.FINISHED)
    answer = served.put(announcement(model="one too many"))
    assert answer.status_code == 409
    assert answer.json()["error"].startswith(f"this exporter already publishes {MOST_MODELS} models")
    assert "one too many" not in served.get("/metrics").text


def test_one_run_more_than_the_most_is_a_conflict(served: Served) -> None:
    for i in range(MOST_RUNS):
        served.runs.announce(run_info(run=f"{i:016}"), Phase.LOAD)
    assert served.put(announcement()).status_code == 409


def test_other_methods_on_a_run_are_not_allowed(served: Served) -> None:
    assert requests.delete(f"{served.url}/api/runs/{RUN}", timeout=10).status_code == 405


def test_the_landing_page_links_the_metrics_and_says_that_no_run_is_under_way(served: Served) -> None:
    answer = served.get("/")
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert '<a href="/metrics">Metrics</a>' in answer.text
    assert "No run is under way" in answer.text


def test_the_landing_page_escapes_what_an_announcement_says(served: Served) -> None:
    assert served.put(announcement(model=HOSTILE, label=HOSTILE, target=HOSTILE)).status_code == 200
    page = served.get("/").text
    assert "<script" not in page
    escaped = "&lt;script&gt;alert(&quot;1 &amp; 2&quot;)&lt;/script&gt;&#x27;"
    assert page.count(f"<td>{escaped}</td>") == 3


def test_a_hostile_model_comes_back_whole_from_metrics(served: Served) -> None:
    model = 'a"b\\n{x="y"}  #  # TYPE evil counter ジ'
    served.put(announcement(model=model))
    served.runs.apply(message(errors=(0, 1, 0)))
    assert (
        served.metrics()[
            series("benchmark_request_failures_total", route="local", model=model, reason="read")
        ]
        == 1
    )
    text = served.get("/metrics", Accept="application/openmetrics-text;version=1.0.0").text
    models = {s.labels["model"] for f in parse_openmetrics(text) for s in f.samples if "model" in s.labels}
    assert models == {model}


def test_a_telemetry_path_of_ones_own_is_served_and_linked(clock: FakeClock) -> None:
    runs = LiveRuns(clock)
    own = Exposition(runs, Ingest(runs.apply), IsolatedCollectors([], 1.0, clock), None, clock, 1, "/own")
    with ServedApp(own.app) as server:
        assert requests.get(server.url + "/own", timeout=10).status_code == 200
        assert requests.get(server.url + "/metrics", timeout=10).status_code == 404
        assert '<a href="/own">Metrics</a>' in requests.get(server.url, timeout=10).text


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("10", 9.5),
        ("2", 1.5),
        ("1", 0.75),
        ("0.2", 0.15),
        (None, math.inf),
        ("", math.inf),
        ("soon", math.inf),
        ("0", math.inf),
        ("-1", math.inf),
        ("nan", math.inf),
        ("inf", math.inf),
    ],
)
def test_a_scrape_waits_for_collectors_a_little_less_than_its_timeout(
    header: str | None, seconds: float
) -> None:
    assert scrape_budget(header) == pytest.approx(seconds)


class Hung:
    """A collector that answers when it is released, and says when it has been asked."""

    name = "hung"

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.release = threading.Event()
        self.calls = 0

    def collect(self) -> list[Metric]:
        self.calls += 1
        self.asked.set()
        self.release.wait(30)
        return [GaugeMetricFamily("hung_value", "a value", 1)]


@pytest.fixture
def hung(server: ServedApp) -> Iterator[Hung]:
    """An exporter with one good collector and one that hangs."""
    collector, clock = Hung(), SystemClock()
    runs = LiveRuns(clock)
    collectors = IsolatedCollectors([Stub(), collector], 30.0, clock)
    server.app = Exposition(runs, Ingest(runs.apply), collectors, None, clock, 9878).app
    yield collector
    collector.release.set()


def in_background(url: str, headers: dict[str, str] | None = None) -> "Future[requests.Response]":
    pool = ThreadPoolExecutor(max_workers=1)
    answer = pool.submit(requests.get, url, headers=headers, timeout=30)
    pool.shutdown(wait=False)
    return answer


def test_a_hanging_collector_costs_its_own_series_by_the_timeout_that_prometheus_gives(
    server: ServedApp, hung: Hung
) -> None:
    patient = in_background(server.url + "/metrics")
    assert hung.asked.wait(10)
    timeout = {"X-Prometheus-Scrape-Timeout-Seconds": "0.4"}
    hasty = requests.get(server.url + "/metrics", headers=timeout, timeout=20)
    assert 'exporter_collector_success{collector="hung"} 0.0' in hasty.text
    assert "stub_value 7.0" in hasty.text
    assert "hung_value" not in hasty.text
    # Both shared one collection, and who had more time has the whole of it.
    hung.release.set()
    assert "hung_value 1.0" in patient.result(20).text
    assert hung.calls == 1


def test_more_scrapes_than_the_most_are_sent_away_while_health_still_answers(
    server: ServedApp, hung: Hung
) -> None:
    answers = [in_background(server.url + "/metrics") for _ in range(MOST_SCRAPES + 1)]
    done, waiting = wait(answers, timeout=20, return_when=FIRST_COMPLETED)
    (refused,) = (each.result() for each in done)
    assert (refused.status_code, refused.text) == (503, "too many scrapes at a time\n")
    assert refused.headers["Retry-After"] == "1"
    assert requests.get(server.url + "/-/healthy", timeout=10).status_code == 200
    hung.release.set()
    assert [each.result(20).status_code for each in waiting] == [200] * MOST_SCRAPES
    assert requests.get(server.url + "/metrics", timeout=10).status_code == 200


def test_an_exporter_without_ingest_takes_no_runs_and_shows_none(clock: FakeClock) -> None:
    own = Exposition(LiveRuns(clock), None, IsolatedCollectors([Stub()], 1.0, clock), None, clock, None)
    with ServedApp(own.app) as server:
        answer = requests.put(f"{server.url}/api/runs/{RUN}", json=announcement(), timeout=10)
        assert answer.status_code == 409
        assert "takes no runs" in answer.json()["error"]
        text = requests.get(server.url + "/metrics", timeout=10).text
        assert "stub_value 7.0" in text
        assert "benchmark_run" not in text
        assert "exporter_ingest" not in text
        assert "It takes no runs" in requests.get(server.url, timeout=10).text


def test_a_path_with_a_slash_too_many_is_not_found_rather_than_sent_elsewhere(served: Served) -> None:
    answer = requests.get(served.url + "/metrics/", headers={"Host": "evil.example"}, timeout=10)
    assert answer.status_code == 404
    assert answer.history == []


def test_a_taken_port_is_named_with_its_option() -> None:
    with bind_http("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(PortTakenError) as error:
            bind_http("127.0.0.1", port)
    assert str(error.value).startswith(f"exporter: port {port} on 127.0.0.1 is already in use; ")
    assert str(error.value).endswith("or choose another with --web.listen-address")
