"""Results of last month, backfilled, in a real Prometheus that was not there when they were measured."""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import requests

from exporter.clock import SystemClock
from exporter.errors import ConfigurationError
from exporter.live.results_csv import ResultRow, rows_text
from exporter.results.backfill import backfill
from exporter.run.prometheus_client import PrometheusClient
from exporter.stack.ports import HOST, free_ports
from tests.support.waiting import need, wait_for

LOCAL = ResultRow("local", 100.0, 10.0, 12.0, 15.0, 20.0, 40.0, 6, 7, 3000, 30.0)
WRK = ResultRow("ローカル", 55.5, p99_ms=99.0)
DAY_SECONDS = 86400.0
GRAPH_STEP_SECONDS = 30 * DAY_SECONDS / 1000
"""what Grafana asks for over a month on a panel 1,000 pixels wide"""


@contextmanager
def prometheus_on(data: Path) -> Iterator[PrometheusClient]:
    """A Prometheus without targets on a folder of blocks; stopped by its process id."""
    configuration = data.parent / "prometheus.yml"
    configuration.write_text("{}\n", encoding="utf-8")
    log_file = data.parent / "prometheus.log"
    port = free_ports().prometheus
    with log_file.open("wb") as log:
        child = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={configuration}",
                f"--storage.tsdb.path={data}",
                "--storage.tsdb.retention.time=90d",
                f"--web.listen-address={HOST}:{port}",
            ],
            stdout=log,
            stderr=log,
        )
    url = f"http://{HOST}:{port}"

    def ready() -> bool:
        if child.poll() is not None:
            pytest.fail(f"prometheus ended: {log_file.read_text(encoding='utf-8')[-500:]}")
        try:
            return requests.get(f"{url}/-/ready", timeout=1).status_code == 200
        except requests.RequestException:
            return False

    try:
        wait_for("prometheus to be ready", ready, 60)
        yield PrometheusClient(url)
    finally:
        child.terminate()
        try:
            child.wait(timeout=20)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def test_a_prometheus_of_today_shows_the_runs_of_last_month(tmp_path: Path) -> None:
    need("prometheus", "promtool")
    now = time.time()
    day = datetime.now().astimezone() - timedelta(days=30)
    name = f"{day:%Y%m%d}-local.csv"
    midnight = datetime.strptime(f"{day:%Y%m%d}", "%Y%m%d").timestamp()
    results = tmp_path / "results"
    results.mkdir()
    (results / name).write_text(rows_text([LOCAL, LOCAL, WRK]), encoding="utf-8")
    by_hand = results / "by-hand.csv"
    by_hand.write_text(rows_text([ResultRow("hand", 7.0, duration_s=7200.0)]), encoding="utf-8")
    ten_days_ago = round(now - 10 * DAY_SECONDS)
    os.utime(by_hand, (ten_days_ago, ten_days_ago))

    data = tmp_path / "data"
    for _ in range(2):  # a second time changes nothing
        done = backfill(results, data, "promtool", SystemClock())
        assert (done.rows, done.recent, done.problems) == (4, 0, [])
        assert (done.oldest, done.newest) == (midnight, ten_days_ago)

    with prometheus_on(data) as prometheus:

        def month(expression: str) -> dict[tuple[str, ...], set[float]]:
            """The values over the last 32 days, as a graph asks for them, by label, source and quantile."""
            found = prometheus.query_range(expression, now - 32 * DAY_SECONDS, now, GRAPH_STEP_SECONDS)
            assert {series.label("job") for series in found} == {"backfill"}
            return {
                tuple(v for k, v in series.labels if k in ("label", "quantile", "source")): set(series.values)
                for series in found
            }

        assert month("benchmark_result_requests_per_second") == {
            ("local", name): {100.0},
            ("local-2", name): {100.0},
            ("ローカル", name): {55.5},
            ("hand", "by-hand.csv"): {7.0},
        }
        assert month('benchmark_result_latency_seconds{label!="local-2"}') == {
            ("local", "0.5", name): {0.01},
            ("local", "0.75", name): {0.012},
            ("local", "0.9", name): {0.015},
            ("local", "0.95", name): {0.02},
            ("local", "0.99", name): {0.04},
            ("ローカル", "0.99", name): {0.099},
        }
        assert month('benchmark_result_non2xx_responses{label="local"}') == {("local", name): {6.0}}
        assert month('benchmark_result_socket_errors{label="local"}') == {("local", name): {7.0}}
        assert month('benchmark_result_requests{label="local"}') == {("local", name): {3000.0}}
        assert month("benchmark_result_duration_seconds{label!='local-2'}") == {
            ("local", name): {30.0},
            ("hand", "by-hand.csv"): {7200.0},
        }
        assert month('benchmark_result_timestamp_seconds{label=~"local|hand"}') == {
            ("local", name): {midnight},
            ("hand", "by-hand.csv"): {ten_days_ago},
        }

        def seen(expression: str, start: float, shown: float) -> bool:
            """Whether it is there from `start` on, without a gap, for `shown` seconds and the look-back."""
            [series] = prometheus.query_range(expression, start - 600, start + 4 * 3600, 60)
            length = series.times[-1] - series.times[0]
            whole = len(series.times) == length / 60 + 1
            return whole and series.times[0] == start and shown <= length <= shown + 300

        assert seen('benchmark_result_requests{label="local"}', midnight, 2700)
        assert seen('benchmark_result_requests_per_second{label="hand"}', ten_days_ago, 7200)
        assert prometheus.query("benchmark_result_requests") == []


def test_what_promtool_says_when_it_cannot_write_is_one_line(tmp_path: Path) -> None:
    need("promtool")
    results = tmp_path / "results"
    results.mkdir()
    (results / "20250101-local.csv").write_text(rows_text([LOCAL]), encoding="utf-8")
    (tmp_path / "data").write_text("a file where a folder should be\n", encoding="utf-8")
    with pytest.raises(ConfigurationError) as error:
        backfill(results, tmp_path / "data", "promtool", SystemClock())
    assert str(error.value).startswith(f"promtool could not write blocks into {tmp_path}/data (exit code ")
    assert "not a directory" in str(error.value)
    assert "\n" not in str(error.value)
