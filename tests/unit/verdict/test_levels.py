"""exporter.verdict.levels: files, threads and sockets come back in a pause; CLOSE_WAIT within a minute."""

import pytest

from exporter.timeseries import SeriesStore
from exporter.verdict.finding import Finding, Outcome
from exporter.verdict.leaks import judge_leak
from tests.support.held import BEGAN, Shape, held, phases
from tests.support.run_results import evidence

RESTED = phases(("warmup", 60), ("load", 540), ("rest", 180), ("load", 600), ("drain", 120))
DRAINED = phases(("warmup", 60), ("load", 1140), ("drain", 120))
SHORT = {"planned_seconds": 1200.0}


def fds(shape: Shape, seconds: int = 1500, **known: object) -> Finding:
    store = held(SeriesStore(), "open_fds", shape, seconds)
    return judge_leak("file_descriptors", evidence(series=store, **{**SHORT, **known}))


def sockets(state: str, shape: Shape, seconds: int = 300) -> Finding:
    store = held(SeriesStore(), "connections", shape, seconds, state=state)
    return judge_leak("connections", evidence(series=store, planned_seconds=300.0))


def test_close_wait_for_longer_than_a_minute_fails_a_run_of_any_length() -> None:
    finding = sockets("close_wait", lambda t: 12.0 if 100 <= t <= 165 else 0.0)
    assert finding.outcome == Outcome.FAIL
    assert "router (state close_wait): up to 12 sockets in CLOSE_WAIT for 65 s (01:40–02:45)" in finding.text
    assert [(span.since, span.until) for span in finding.spans] == [(BEGAN + 100, BEGAN + 165)]


@pytest.mark.parametrize(
    ("state", "shape"),
    [
        ("close_wait", lambda t: 12.0 if 100 <= t <= 160 else 0.0),
        ("close_wait", lambda t: 12.0 if t % 60 else 0.0),
        ("time_wait", lambda t: 900.0),
        ("established", lambda t: 64.0),
    ],
)
def test_close_wait_that_ends_and_other_states_fail_nothing(state: str, shape: Shape) -> None:
    assert sockets(state, shape).outcome == Outcome.NOT_JUDGED


def test_what_is_more_in_each_pause_did_not_come_back() -> None:
    finding = fds(lambda t: 40 + (30 if t > 300 else 0) + (30 if t > 1000 else 0), phases=RESTED)
    assert finding.outcome == Outcome.FAIL
    assert "router did not come back: 70 fds in the pause at 10:00, 100 fds in that at 23:00" in finding.text


def test_a_pool_that_idles_at_one_level_is_no_leak() -> None:
    assert fds(lambda t: 40.0 if t < 30 else 140.0, phases=RESTED).outcome == Outcome.NOT_JUDGED


def test_what_is_open_under_load_alone_comes_back() -> None:
    loaded: Shape = lambda t: 240.0 if t < 600 or 780 < t < 1380 else 40.0  # noqa: E731
    assert fds(loaded, phases=RESTED).outcome == Outcome.NOT_JUDGED


def test_what_grew_under_load_and_stays_in_the_drain_fails() -> None:
    finding = fds(lambda t: 40 + min(t, 1200) / 5, seconds=1320, phases=DRAINED)
    assert finding.outcome == Outcome.FAIL
    assert "router grew from 52 fds to 27" in finding.text
    assert "under load and did not come back after it: 280 fds" in finding.text


def test_what_grew_under_load_and_is_closed_in_the_drain_does_not() -> None:
    assert (
        fds(lambda t: 40 + t / 5 if t < 1200 else 45.0, seconds=1320, phases=DRAINED).outcome
        == Outcome.NOT_JUDGED
    )


def test_a_drain_too_short_to_close_anything_tells_nothing() -> None:
    brief = phases(("warmup", 60), ("load", 1140), ("drain", 10))
    assert fds(lambda t: 40 + t / 5, seconds=1210, phases=brief).outcome == Outcome.NOT_JUDGED
