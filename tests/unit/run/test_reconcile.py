"""exporter.run.reconcile: what the sources of a run count at its end."""

import json

import pytest
from hypothesis import given, settings

from exporter.errors import WireError
from exporter.live.message import (
    FIRST_COUNTER,
    FIRST_SUM,
    SUCCESS_CLASS,
    FailureReason,
    Pair,
    Phase,
    Route,
)
from exporter.live.runs import LiveRuns
from exporter.live.status import RunStatus
from exporter.run.exporter_client import ExporterClient
from exporter.run.prometheus_client import PrometheusClient
from exporter.run.reconcile import Delivery, count_of, in_prometheus, scraped
from exporter.run.registration import Registration
from exporter.timeseries import SeriesStore
from exporter.verdict.evidence import Count
from tests.support.clocks import FakeClock
from tests.support.live_messages import RUN, answered, final_status, message, register, run_info, token_of
from tests.support.local_http import Answer, Asked, LocalHttp
from tests.support.worker_histories import History, expected_of, histories


def store_of(*totals: tuple[float, float], model: str = "gpt-oss:20b") -> SeriesStore:
    """Scrapes of the counters of 2xx and of read errors."""
    store = SeriesStore()
    labels = {"route": "local", "model": model}
    for i, (requests, failures) in enumerate(totals):
        store.add("benchmark_requests_total", {**labels, "status_class": "2xx"}, 5.0 * i, requests)
        store.add("benchmark_requests_total", {**labels, "status_class": "5xx"}, 5.0 * i, 3.0)
        store.add("benchmark_request_failures_total", {**labels, "reason": "read"}, 5.0 * i, failures)
    return store


def test_the_final_is_what_the_last_reports_come_to() -> None:
    final = final_status(
        run_info(),
        token_of(),
        [
            answered({"2xx": [100] * 3}, final=True, sequence=9),
            answered({"2xx": [200], "5xx": [7]}, {503: 1}, worker=1, failures={"read": 2}, final=True),
        ],
        FakeClock(),
    )
    assert final is not None
    assert final.requests == {"1xx": 0, "2xx": 4, "3xx": 0, "4xx": 0, "5xx": 1}
    assert final.statuses == {"200": 4, "503": 1}
    assert final.failures[FailureReason.READ] == 2
    assert final.final_workers == 2
    assert count_of(final) == Count(5, 2)


def test_a_report_in_several_parts_is_one() -> None:
    parts = [message({3328 + 128 * part: 5}, part=part, final=True) for part in range(3)]
    final = final_status(run_info(), token_of(), parts, FakeClock())
    assert final is not None
    assert final.successes == 15
    assert final.final_workers == 1


def test_without_reports_there_is_no_final() -> None:
    assert final_status(run_info(), token_of(), [], FakeClock()) is None


@settings(max_examples=50)
@given(histories(3))
def test_the_final_agrees_with_an_exporter_that_saw_every_message(found: list[History]) -> None:
    runs = LiveRuns(FakeClock())
    register(runs)
    for history in found:
        for report in history.reports:
            for each in report:
                runs.apply(each)
    final = final_status(
        run_info(), token_of(), [each for history in found for each in history.last], FakeClock()
    )
    assert final is not None
    seen = RunStatus.of(runs.runs[RUN], 0.0)
    for part in ("requests", "statuses", "failures", "duration_seconds", "quantiles", "final_workers"):
        assert getattr(final, part) == getattr(seen, part)
    expected = expected_of(found)
    assert list(final.failures.values()) == expected.values[:FIRST_COUNTER]
    assert final.duration_seconds == expected.values[FIRST_SUM + SUCCESS_CLASS] / 1e6


def test_reports_of_another_run_are_not_taken_for_final() -> None:
    with pytest.raises(WireError, match="unknown_run"):
        final_status(run_info(), token_of(), [message(run="f" * 16)], FakeClock())


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
    assert scraped(run_info(), store_of(*totals)) == count


def test_nothing_scraped_of_this_model_is_no_answer_and_not_zero() -> None:
    assert scraped(run_info(), SeriesStore()) is None
    assert scraped(run_info(), store_of((0, 0), (9, 9), model="another")) is None


PAIRS = (Pair(Route.LOCAL, "gpt-oss:20b"), Pair(Route.OPENAI, "openai:gpt-4o"))


def store_of_both() -> SeriesStore:
    """Scrapes of two pairs of a run, one of them with a failure."""
    store = store_of((10, 0), (510, 4))
    for time, requests in ((0.0, 7), (5.0, 307)):
        labels = {"route": "openai", "model": "openai:gpt-4o"}
        store.add("benchmark_requests_total", {**labels, "status_class": "2xx"}, time, requests)
        store.add("benchmark_request_failures_total", {**labels, "reason": "read"}, time, 0)
    return store


def test_what_was_scraped_of_a_mix_is_that_of_all_its_pairs() -> None:
    assert scraped(run_info(pairs=PAIRS), store_of_both()) == Count(800, 4)
    assert scraped(run_info(pairs=PAIRS), store_of((10, 0), (510, 4))) is None


def test_prometheus_is_asked_for_all_pairs_of_a_mix() -> None:
    def answer(asked: Asked) -> Answer:
        query = asked.body.decode()
        value = "4" if "failures" in query else "307" if "gpt-4o" in query else "513"
        if "failures" in query and "gpt-4o" in query:
            value = "0"
        return 200, {"status": "success", "data": {"result": [{"metric": {}, "value": [0, value]}]}}

    with LocalHttp(answer) as server:
        prometheus = PrometheusClient(server.url)
        given = (run_info(pairs=PAIRS), prometheus, store_of_both(), Count(800, 4), FakeClock(), "a:9877")
        assert in_prometheus(*given) == Count(800, 4)


def test_one_counter_of_the_two_is_no_answer() -> None:
    store = SeriesStore()
    store.add("benchmark_requests_total", {"route": "local", "model": "gpt-oss:20b"}, 0.0, 5.0)
    assert scraped(run_info(), store) is None


def test_prometheus_is_asked_for_the_rise_since_the_first_scrape() -> None:
    values = {"benchmark_requests_total": "1503", "benchmark_request_failures_total": "11"}

    def answer(name: str) -> dict[str, object]:
        return {"status": "success", "data": {"result": [{"metric": {}, "value": [0, values[name]]}]}}

    with LocalHttp(
        lambda asked: (200, answer(next(name for name in values if name in asked.body.decode())))
    ) as server:
        found = in_prometheus(
            run_info(),
            PrometheusClient(server.url),
            store_of((500, 1), (1500, 11)),
            Count(1000, 10),
            FakeClock(),
            "127.0.0.1:9877",
        )
    assert found == Count(1000, 10)


def test_prometheus_is_asked_for_this_exporter_where_it_scrapes_several() -> None:
    def answer(asked: Asked) -> Answer:
        is_ours = "load-1" in asked.body.decode()
        is_failures = "failures" in asked.body.decode()
        value = "0" if is_failures else "700" if is_ours else "5000"
        return 200, {"status": "success", "data": {"result": [{"metric": {}, "value": [0, value]}]}}

    with LocalHttp(answer) as server:
        found = in_prometheus(
            run_info(),
            PrometheusClient(server.url),
            store_of((0, 0), (700, 0)),
            Count(697, 0),
            FakeClock(),
            "load-1:9877",
        )
    assert found == Count(697, 0)


def test_what_has_arrived_is_not_sent_again() -> None:
    last = (answered({"2xx": [100]}, final=True),)
    final = final_status(run_info(), token_of(), last, FakeClock())
    assert final is not None
    answers = {"PUT": {"version": 5, "ingest_port": 9}, "GET": json.loads(final.to_json())}
    with LocalHttp(lambda asked: (200, answers[asked.method])) as server:
        exporter = ExporterClient(server.url)
        registration = Registration(run_info(), exporter, FakeClock(), Phase.DRAIN)
        Delivery(registration, last, final, FakeClock()).settle()
    assert [asked.method for asked in server.asked] == ["PUT", "GET"]


def test_an_exporter_that_is_away_gives_no_status() -> None:
    with LocalHttp(lambda asked: (200, {"version": 5, "ingest_port": 9})) as server:
        registration = Registration(run_info(), ExporterClient(server.url), FakeClock(), Phase.LOAD)
    assert registration.status() is None
