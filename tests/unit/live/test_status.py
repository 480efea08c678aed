"""exporter.live.status: a run's state as its own command reads it."""

import json

import pytest

from exporter.live.message import FailureReason
from exporter.live.runs import LiveRuns
from exporter.live.status import RunStatus
from tests.support.clocks import FakeClock
from tests.support.live_messages import RUN, announced, answered, message

runs = pytest.fixture(announced)


def test_a_run_without_messages_has_counts_of_zero_and_quantiles_of_null(
    runs: LiveRuns, clock: FakeClock
) -> None:
    unknown = dict.fromkeys(("0.5", "0.75", "0.9", "0.95", "0.99", "0.999"))
    reasons = tuple(FailureReason)
    assert json.loads(RunStatus.of(runs.runs[RUN], clock.monotonic()).to_json()) == {
        "run": RUN,
        "phase": "load",
        "requests": {"1xx": 0, "2xx": 0, "3xx": 0, "4xx": 0, "5xx": 0},
        "statuses": {},
        "failures": dict.fromkeys(reasons, 0),
        "duration_seconds": 0,
        "recent_quantiles": unknown,
        "quantiles": unknown,
        "open": 0,
        "stalled": 0,
        "in_flight": 0,
        "workers": 0,
        "final_workers": 0,
        "others": {},
        "last_success": None,
        "longest_request": None,
        "streams": None,
        "version": 5,
    }


def test_statuses_are_counted_by_their_code_and_200_is_what_remains_of_2xx(
    runs: LiveRuns, clock: FakeClock
) -> None:
    durations = {"2xx": [100] * 10, "4xx": [50, 60], "5xx": [70]}
    runs.apply(answered(durations, {201: 3, 204: 1, 404: 1, 429: 1, 503: 1}, in_flight=1))
    runs.apply(message(worker=1, final=True, failures={"read": 2}))
    status = RunStatus.of(runs.runs[RUN], clock.monotonic())
    assert status.statuses == {"200": 6, "201": 3, "204": 1, "404": 1, "429": 1, "503": 1}
    assert status.requests == {"1xx": 0, "2xx": 10, "3xx": 0, "4xx": 2, "5xx": 1}
    assert status.failures[FailureReason.READ] == 2
    assert status.duration_seconds == pytest.approx(0.001)
    assert (status.open, status.in_flight, status.workers, status.final_workers) == (1, 1, 2, 1)


def test_200_is_not_listed_where_every_2xx_was_another(runs: LiveRuns, clock: FakeClock) -> None:
    runs.apply(answered({"2xx": [100]}, {204: 1}))
    assert RunStatus.of(runs.runs[RUN], clock.monotonic()).statuses == {"204": 1}


def test_recent_quantiles_are_of_the_last_seconds_and_quantiles_of_the_whole_run(
    runs: LiveRuns, clock: FakeClock
) -> None:
    runs.apply(answered({"2xx": [200] * 9}))
    for _ in range(11):
        clock.advance(1)
        runs.tick()
    runs.apply(answered({"2xx": [200] * 9 + [100] * 3}, sequence=2))
    status = RunStatus.of(runs.runs[RUN], clock.monotonic())
    assert status.recent_quantiles["0.5"] == 100e-6
    assert status.quantiles["0.5"] == 200e-6


def test_a_status_comes_back_from_its_json(runs: LiveRuns, clock: FakeClock) -> None:
    runs.apply(answered({"2xx": [100], "5xx": [70]}, {503: 1}, failures={"read": 2}))
    status = RunStatus.of(runs.runs[RUN], clock.monotonic())
    assert RunStatus.from_json(status.to_json()) == status


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b'{"run": 1}', b'{"requests": {"2xx": "7"}}'])
def test_what_is_no_status_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match="RunStatus"):
        RunStatus.from_json(text)


def test_a_field_that_a_newer_exporter_adds_breaks_nothing(runs: LiveRuns, clock: FakeClock) -> None:
    status = RunStatus.of(runs.runs[RUN], clock.monotonic())
    document = json.loads(status.to_json()) | {"new": {"x": 1}}
    assert RunStatus.from_json(json.dumps(document).encode()) == status
