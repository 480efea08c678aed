"""A run of last month and what the rules make of it, by the dashboards' queries, in a Prometheus of today."""

import math
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from queries import alerts, leaks, load, processes, run
from substitution import Chosen, substitute

from exporter.cli.main import soak
from exporter.errors import ConfigurationError
from exporter.run.prometheus_client import PrometheusClient
from exporter.stack import replay
from tests.stack.test_backfill import prometheus_on
from tests.support.recorded_run import (
    INSTANCE,
    LEAK_BYTES_PER_SECOND,
    MINUTES,
    OUTAGE_MINUTES,
    REQUESTS_PER_SECOND,
    write_recorded_run,
)
from tests.support.waiting import need

START = round(time.time()) // 300 * 300 - 20 * 86400.0
END = START + MINUTES * 60
CHOSEN: dict[str, Chosen] = {
    "job": ["exporter"],
    "instance": [INSTANCE],
    "route": ["local"],
    "model": ["gpt-oss:20b"],
    "process": ["router"],
    "node": ".*",
    "gpu": ".*",
    "run": ".*",
}


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrometheusClient]:
    """One on what `soak backfill FOLDER` wrote, twice: a second time changes nothing."""
    need("prometheus", "promtool")
    folder = tmp_path_factory.mktemp("replay")
    write_recorded_run(folder / "run", START)
    for _ in range(2):
        done = CliRunner().invoke(
            soak, ["backfill", str(folder / "run"), "--output", str(folder / "data")], catch_exceptions=False
        )
        assert done.exit_code == 0, done.output
    with prometheus_on(folder / "data") as started:
        yield started


def course(prometheus: PrometheusClient, query: str) -> dict[float, float]:
    """The one series of a dashboard's query over the run: value by seconds since its start."""
    [series] = prometheus.query_range(substitute(query, CHOSEN), START, END, 5)
    return {
        round(at - START): value
        for at, value in zip(series.times, series.values, strict=True)
        if math.isfinite(value)
    }


def test_panels_on_raw_series_show_the_run(prometheus: PrometheusClient) -> None:
    rate = course(prometheus, load.SUCCESS_RATE_BY_MODEL)
    assert rate[600] == pytest.approx(REQUESTS_PER_SECOND)
    memory = course(prometheus, processes.LEAKABLE_BYTES)
    assert memory[1200] == 50e6 + LEAK_BYTES_PER_SECOND * 1200


def test_panels_on_recorded_series_show_it_too(prometheus: PrometheusClient) -> None:
    attempted = course(prometheus, "route_model:benchmark_attempted_requests:rate1m")
    assert attempted[600] == pytest.approx(REQUESTS_PER_SECOND)
    floor = course(prometheus, leaks.MEMORY_FLOOR_BYTES)
    assert floor[1200] == pytest.approx(50e6 + LEAK_BYTES_PER_SECOND * 900, rel=0.02)
    slope = course(prometheus, leaks.MEMORY_BYTES_PER_HOUR)
    assert slope[2100] == pytest.approx(LEAK_BYTES_PER_SECOND * 3600, rel=0.02)


def test_a_rule_that_reads_its_own_last_value_keeps_it(prometheus: PrometheusClient) -> None:
    start = course(prometheus, 'route_model_reference:benchmark_successful_requests:rate{reference="start"}')
    assert start[END - START] == pytest.approx(REQUESTS_PER_SECOND)


def test_the_alerts_of_the_run_fire_when_they_did(prometheus: PrometheusClient) -> None:
    found = [
        series
        for marks in (run.ANNOTATION_ALERT_FAILS_RUN, run.ANNOTATION_ALERT)
        for series in prometheus.query_range(marks.replace("$__interval", "5s"), START, END, 5)
    ]
    since = {series.label("alertname"): [time - START for time in series.times] for series in found}
    assert since.keys() == {"RouterDown", "ProcessMemoryLeak", "BenchmarkRunFailed"}
    # A mark is an edge: each is true at one step.
    [down], [leak] = since["RouterDown"], since["ProcessMemoryLeak"]
    outage = OUTAGE_MINUTES[0] * 60
    assert outage + 5 <= down <= outage + 20
    assert 18 * 60 <= leak <= 35 * 60
    [series] = [series for series in found if series.label("alertname") == "RouterDown"]
    labels = {name: series.label(name) for name in ("job", "instance", "severity", "fails_run")}
    assert labels == {"job": "exporter", "instance": INSTANCE, "severity": "critical", "fails_run": "true"}


def test_what_was_counted_of_the_alerts_is_on_the_dashboard(prometheus: PrometheusClient) -> None:
    verdict = course(prometheus, run.RUN_VERDICT)
    assert (verdict[300], verdict[700], verdict[END - START]) == (0, 3, 3)
    assert course(prometheus, alerts.FIRING_ALERTS_COUNT)[300] == 0
    pending = prometheus.query_range('ALERTS{alertname="RouterDown",alertstate="pending"}', START, END, 5)
    [since] = [series.times[0] - START for series in pending]
    assert 0 <= since - OUTAGE_MINUTES[0] * 60 <= 5


def test_series_that_were_kept_without_their_target_get_it(tmp_path: Path) -> None:
    need("prometheus", "promtool")
    write_recorded_run(tmp_path / "run", START, with_target=False)
    done = CliRunner().invoke(
        soak, ["backfill", str(tmp_path / "run"), "--output", str(tmp_path / "data")], catch_exceptions=False
    )
    assert done.exit_code == 0, done.output
    with prometheus_on(tmp_path / "data") as started:
        assert course(started, load.SUCCESS_RATE_BY_MODEL)[600] == pytest.approx(REQUESTS_PER_SECOND)


@pytest.mark.parametrize(
    ("bound", "most", "said"),
    [
        ("MAX_RECORDED", 1000, "the rules come to more than 1,000 samples of these series"),
        ("MAX_QUERIED", 10, "the rules cannot be evaluated over it (Prometheus: "),
    ],
)
def test_series_that_are_too_many_for_the_rules_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bound: str, most: int, said: str
) -> None:
    need("prometheus", "promtool")
    monkeypatch.setattr(replay, bound, most)
    write_recorded_run(tmp_path / "run", START)
    with pytest.raises(ConfigurationError) as raised:
        soak.main(
            ["backfill", str(tmp_path / "run"), "--output", str(tmp_path / "data")], standalone_mode=False
        )
    assert said in str(raised.value)
    assert not (tmp_path / "data").exists()
