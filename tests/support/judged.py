"""Runs as they judged themselves, held against what `soak judge` makes of a Prometheus."""

from bisect import bisect_left
from pathlib import Path
from typing import Any

from exporter.clock import SystemClock
from exporter.errors import ConfigurationError, QueryError
from exporter.live.classic_buckets import DURATIONS
from exporter.results.run_document import document_of
from exporter.results.run_result import RunResult
from exporter.run.judge_window import WindowPlan, judge_window
from exporter.run.matchers import matchers_of
from exporter.run.prometheus_client import PrometheusClient
from exporter.run.window_runs import window_of_run
from exporter.run.window_times import Window
from tests.support.waiting import wait_for

Document = dict[str, Any]
NOT_JUDGED = ("totals", "completeness")
JUDGED = ("pass", "fail", "warning")


def judged(url: str, run: str, results: Path, *match: str) -> RunResult:
    """The verdict of the run of that label, once the server shows its end."""
    prometheus = PrometheusClient(url)
    matchers = matchers_of(None, match)

    def ended() -> Window | None:
        now = SystemClock().wall()
        try:
            window = window_of_run(prometheus, run, Window(now - 600, now), matchers)
        except (ConfigurationError, QueryError):
            return None
        # A scrape after its last one: what was counted is there, and the run is over.
        return window if window.until < now - 3 else None

    window = wait_for(f"the end of {run} at {url}", ended)
    plan = WindowPlan(
        prometheus=prometheus,
        window=window,
        run=run,
        job=None,
        match=match,
        matchers=matchers,
        label=None,
        results=results,
        bounds={},
        warn=frozenset(),
        require=frozenset(),
        own=(),
        allowed_statuses=frozenset(),
        soak_command="soak judge",
    )
    result, files = judge_window(plan, lambda _: None, lambda _: None)
    assert {"record", "series", "run", "report", "csv", "seconds"} <= files.keys()
    return result


def assert_alike(result: RunResult, own: Document) -> None:
    """Counters are equal, quantiles in the same bucket, outcomes equal wherever both judge."""
    found, theirs = document_of(result), own["evidence"]
    evidence = found.evidence
    assert evidence.requests == theirs["requests"]
    assert evidence.failures == theirs["failures"]
    errors = {status: count for status, count in theirs["statuses"].items() if status[0] != "2"}
    assert {status: count for status, count in evidence.statuses.items() if status[0] != "2"} == errors
    for quantile, seconds in evidence.latency_seconds_2xx_whole_load.items():
        assert_same_bucket(seconds, theirs["latency_seconds_2xx_whole_load"][quantile])
    if theirs["streams"] is not None:
        assert evidence.streams is not None
        for name in ("ends", "output_tokens", "shaped_streams", "buffered_streams", "checked_events"):
            assert getattr(evidence.streams, name) == theirs["streams"][name], name
    outcomes = {each["check"]: each["outcome"] for each in own["verdict"]["findings"]}
    for finding in found.verdict.findings:
        if finding.check in NOT_JUDGED:
            assert finding.outcome == "not_judged", finding
        elif finding.outcome in JUDGED and outcomes[finding.check] in JUDGED:
            assert finding.outcome == outcomes[finding.check], finding


def assert_same_bucket(one: float | None, other: float | None) -> None:
    """Both are in one bucket of the published histogram, or at most 1 % from it."""
    assert (one is None) == (other is None)
    if one is None or other is None:
        return
    place = bisect_left(DURATIONS.bounds, one)
    below = DURATIONS.bounds[place - 1] if place else 0.0
    assert below * 0.99 <= other <= DURATIONS.bounds[place] * 1.01, (one, other)
