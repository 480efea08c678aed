"""exporter.exposition.application: /metrics in both formats, and the series that known messages give."""

import gzip
import platform

import pytest
import requests
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics

from exporter import __version__
from exporter.live.runs import LiveRuns
from exporter.live.state_file import StateFile
from tests.support.clocks import FakeClock
from tests.support.live_messages import LOCAL_MODEL, RUN, answered, message
from tests.support.served_exporter import Served, announcement, series, serve_app, serve_exporter

server = pytest.fixture(scope="module")(serve_app)
served = pytest.fixture(serve_exporter)


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
    served.runs.apply(
        answered({"2xx": [100, 200], "5xx": [900]}, {503: 1}, failures={"read": 1}, in_flight=1)
    )
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
    for reason in (
        *("connect", "read", "write", "timeout", "disconnect"),
        *("truncated", "in_band", "empty", "stalled"),
    ):
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
    for phase in ("warmup", "load", "rest", "drain"):
        expected[series("benchmark_run_phase", phase=phase)] = phase == "load"
    for outcome in ("success", "failure"):
        expected[series("benchmark_run_requests", outcome=outcome)] = 2
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
    StateFile(served.state_file).load(restarted)
    assert restarted.models[LOCAL_MODEL].requests()[1] == 3


def test_a_hostile_model_comes_back_whole_from_metrics(served: Served) -> None:
    model = 'a"b\\n{x="y"}  #  # TYPE evil counter ジ'
    served.put(announcement(model=model))
    served.runs.apply(message(failures={"read": 1}))
    assert (
        served.metrics()[
            series("benchmark_request_failures_total", route="local", model=model, reason="read")
        ]
        == 1
    )
    text = served.get("/metrics", Accept="application/openmetrics-text;version=1.0.0").text
    models = {s.labels["model"] for f in parse_openmetrics(text) for s in f.samples if "model" in s.labels}
    assert models == {model}
