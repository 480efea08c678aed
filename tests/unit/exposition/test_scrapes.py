"""exposition.application: how long a scrape waits for collectors, and how many there may be at a time."""

import math
import threading
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

import pytest
import requests
from prometheus_client.core import GaugeMetricFamily, Metric

from exporter.clock import SystemClock
from exporter.collectors.isolation import IsolatedCollectors
from exporter.exposition.application import MAX_SCRAPES, Exposition, scrape_budget
from exporter.live.ingest import Ingest
from exporter.live.runs import LiveRuns
from tests.support.served_app import ServedApp
from tests.support.served_exporter import Stub, serve_app
from tests.support.watching import watch_of

server = pytest.fixture(scope="module")(serve_app)


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
    """A collector that answers when it is released, and reports when it is asked."""

    name = "hung"
    isolated = True

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
    server.app = Exposition(runs, Ingest(runs.apply), collectors, clock, watch_of()).app
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


def test_more_scrapes_than_the_most_are_refused_while_health_still_answers(
    server: ServedApp, hung: Hung
) -> None:
    answers = [in_background(server.url + "/metrics") for _ in range(MAX_SCRAPES + 1)]
    done, waiting = wait(answers, timeout=20, return_when=FIRST_COMPLETED)
    (refused,) = (each.result() for each in done)
    assert (refused.status_code, refused.text) == (503, "too many scrapes at a time\n")
    assert refused.headers["Retry-After"] == "1"
    assert requests.get(server.url + "/-/healthy", timeout=10).status_code == 200
    hung.release.set()
    assert [each.result(20).status_code for each in waiting] == [200] * MAX_SCRAPES
    assert requests.get(server.url + "/metrics", timeout=10).status_code == 200
