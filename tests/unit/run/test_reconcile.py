"""exporter.run.reconcile: what the sources of a run count at its end."""

import pytest
from hypothesis import given, settings

from exporter.errors import WireError
from exporter.live.message import SUCCESS_CLASS, Phase
from exporter.live.runs import LiveRuns
from exporter.live.status import run_status
from exporter.run.exporter_client import ExporterApi
from exporter.run.prometheus_client import PrometheusApi
from exporter.run.reconcile import Settlement, count_of, truth_of
from exporter.timeseries import SeriesStore
from exporter.verdict.evidence import Count
from tests.support.clocks import FakeClock
from tests.support.live_messages import RUN, answered, message, run_info
from tests.support.local_http import LocalHttp
from tests.support.worker_histories import History, expected_of, histories

NOWHERE = ExporterApi("http://127.0.0.1:9")


def settlement(api: ExporterApi = NOWHERE) -> Settlement:
    return Settlement(run_info(), api, 9, FakeClock())


def scraped(*totals: tuple[float, float], model: str = "gpt-oss:20b") -> SeriesStore:
    """Scrapes of the counters of 2xx and of read errors."""
    store = SeriesStore()
    labels = {"route": "local", "model": model}
    for i, (requests, failures) in enumerate(totals):
        store.add("benchmark_requests_total", {**labels, "status_class": "2xx"}, 5.0 * i, requests)
        store.add("benchmark_requests_total", {**labels, "status_class": "5xx"}, 5.0 * i, 3.0)
        store.add("benchmark_request_failures_total", {**labels, "reason": "read"}, 5.0 * i, failures)
    return store


def test_the_truth_is_what_the_last_reports_come_to() -> None:
    truth = truth_of(
        run_info(),
        [
            answered({"2xx": [100] * 3}, final=True, sequence=9),
            answered({"2xx": [200], "5xx": [7]}, {503: 1}, worker=1, errors=(0, 2, 0), final=True),
        ],
        FakeClock(),
    )
    assert truth is not None
    assert truth["requests"] == {"1xx": 0, "2xx": 4, "3xx": 0, "4xx": 0, "5xx": 1}
    assert truth["statuses"] == {"200": 4, "503": 1}
    assert truth["failures"]["read"] == 2
    assert truth["final_workers"] == 2
    assert count_of(truth) == Count(5, 2)


def test_a_report_in_several_parts_is_one() -> None:
    parts = [message({3328 + 128 * part: 5}, part=part, final=True) for part in range(3)]
    truth = truth_of(run_info(), parts, FakeClock())
    assert truth is not None
    assert truth["requests"]["2xx"] == 15
    assert truth["final_workers"] == 1


def test_without_reports_there_is_no_truth() -> None:
    assert truth_of(run_info(), [], FakeClock()) is None


@settings(max_examples=50)
@given(histories(3))
def test_the_truth_agrees_with_an_exporter_that_saw_every_message(found: list[History]) -> None:
    runs = LiveRuns(FakeClock())
    runs.announce(run_info(), Phase.LOAD)
    for history in found:
        for report in history.reports:
            for each in report:
                runs.apply(each)
    truth = truth_of(run_info(), [each for history in found for each in history.last], FakeClock())
    assert truth is not None
    seen = run_status(runs.runs[RUN], 0.0)
    for part in ("requests", "statuses", "failures", "duration_seconds", "quantiles", "final_workers"):
        assert truth[part] == seen[part]
    expected = expected_of(found)
    assert sum(truth["failures"].values()) == sum(expected.failures.values())
    assert truth["duration_seconds"] == expected.sum_us[SUCCESS_CLASS] / 1e6


def test_reports_of_another_run_are_not_taken_for_truth() -> None:
    with pytest.raises(WireError, match="unknown_run"):
        truth_of(run_info(), [message(run="f" * 16)], FakeClock())


@pytest.mark.parametrize(
    ("totals", "count"),
    [
        ([(0, 0), (700, 2), (1000, 4)], Count(1000, 4)),
        ([(500, 7), (500, 7)], Count(0, 0)),
        ([(500, 1)], Count(0, 0)),
        ([(500, 1), (900, 3), (100, 0), (150, 1)], Count(550, 3)),
    ],
)
def test_what_was_scraped_is_the_rise_of_the_counters_over_restarts(
    totals: list[tuple[float, float]], count: Count
) -> None:
    assert settlement().scraped(scraped(*totals)) == count


def test_nothing_scraped_of_this_model_is_no_answer_and_not_zero() -> None:
    assert settlement().scraped(SeriesStore()) is None
    assert settlement().scraped(scraped((0, 0), (9, 9), model="another")) is None


def test_one_counter_of_the_two_is_no_answer() -> None:
    store = SeriesStore()
    store.add("benchmark_requests_total", {"route": "local", "model": "gpt-oss:20b"}, 0.0, 5.0)
    assert settlement().scraped(store) is None


def test_prometheus_is_asked_for_the_rise_since_the_first_scrape() -> None:
    values = {"benchmark_requests_total": "1503", "benchmark_request_failures_total": "11"}

    def answer(name: str) -> dict[str, object]:
        return {"status": "success", "data": {"result": [{"metric": {}, "value": [0, values[name]]}]}}

    with LocalHttp(
        lambda asked: (200, answer(next(name for name in values if name in asked.path)))
    ) as server:
        found = settlement().in_prometheus(
            PrometheusApi(server.url), scraped((500, 1), (1500, 11)), Count(1000, 10)
        )
    assert found == Count(1000, 10)


def test_what_has_arrived_is_not_sent_again() -> None:
    truth = truth_of(run_info(), [answered({"2xx": [100]}, final=True)], FakeClock())
    assert truth is not None
    with LocalHttp(lambda asked: (200, truth)) as server:
        settlement(ExporterApi(server.url)).deliver((answered({"2xx": [100]}, final=True),), truth)
    assert [asked.method for asked in server.asked] == ["GET"]


def test_an_exporter_that_is_away_gives_no_status() -> None:
    with LocalHttp(lambda asked: (200, {})) as server:
        url = server.url
    assert settlement(ExporterApi(url)).status() is None
