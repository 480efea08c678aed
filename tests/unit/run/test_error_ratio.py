"""exporter.run.error_ratio: a load is lost where the attempts of the last 10 s failed, and not before."""

from typing import Any

import pytest

from exporter.live.message import Phase
from exporter.live.status import RunStatus
from exporter.run.error_ratio import ErrorRatio
from tests.support.run_results import failures_by_reason, requests_by_class

NO_QUANTILES: dict[str, float | None] = {}


def status(good: int = 0, errors: int = 0, failed: int = 0, stalled: int = 0) -> RunStatus:
    return RunStatus(
        requests=requests_by_class(_2xx=good, _5xx=errors),
        statuses={"200": good, "503": errors},
        failures=failures_by_reason(read=failed),
        run="r",
        phase=Phase.LOAD,
        duration_seconds=0.0,
        recent_quantiles=NO_QUANTILES,
        quantiles=NO_QUANTILES,
        open=4,
        stalled=stalled,
        in_flight=4,
        workers=4,
        final_workers=0,
    )


def lost_at(ratio: float | None, *seen: RunStatus | None, every: float = 1.0) -> float | None:
    """When the load is lost that is seen so, a look each second; None where it never is."""
    watch = ErrorRatio(ratio)
    for number, each in enumerate(seen):
        if watch.lost(number * every, each) is not None:
            return number * every
    return None


def growing(seconds: int, **each_second: int) -> list[RunStatus]:
    """Counts that grow evenly from nothing."""
    return [status(**{name: n * second for name, n in each_second.items()}) for second in range(seconds + 1)]


@pytest.mark.parametrize(
    ("each_second", "ratio", "when"),
    [
        ({"errors": 50}, 1.0, 10.0),
        ({"failed": 50}, 1.0, 10.0),
        ({"good": 5, "errors": 3, "failed": 2}, 0.5, 10.0),
        ({"good": 51, "errors": 49}, 0.5, None),
        ({"errors": 50}, None, None),
        ({"good": 50}, 0.01, None),
    ],
)
def test_it_takes_ten_seconds_of_which_so_many_failed(
    each_second: dict[str, Any], ratio: float | None, when: float | None
) -> None:
    assert lost_at(ratio, *growing(30, **each_second)) == when


def test_only_the_last_ten_seconds_count() -> None:
    hour = growing(100, good=1000)
    bad = [status(good=100_000, errors=10 * second) for second in range(1, 20)]
    assert lost_at(0.9, *hour, *bad) == 110.0
    # Half of the window is enough for half the ratio, since the rates are alike.
    alike = [status(good=100_000, errors=1000 * second) for second in range(1, 20)]
    assert lost_at(0.5, *hour, *alike) == 105.0


def test_a_short_outage_is_not_a_lost_load() -> None:
    good = growing(20, good=100)
    outage = [status(good=2000, failed=100 * second) for second in range(1, 5)]
    after = [status(good=2000 + 100 * second, failed=400) for second in range(1, 20)]
    assert lost_at(0.5, *good, *outage, *after) is None


def test_where_nothing_ends_the_stalled_connections_are_what_failed() -> None:
    waiting = [status(good=100)] * 30
    assert lost_at(0.5, *waiting) is None
    assert lost_at(0.5, *waiting, status(good=100, stalled=4)) == 30.0


def test_without_an_answer_of_the_exporter_nothing_is_known() -> None:
    assert lost_at(0.5, *[None] * 30) is None
    assert lost_at(0.5, status(), *[None] * 20, status(errors=5)) == 21.0


def test_what_is_said_has_the_counts_in_both_languages() -> None:
    watch = ErrorRatio(0.5)
    watch.lost(0.0, status(good=1000))
    said = watch.lost(10.0, status(good=1010, errors=20, failed=10))
    assert said is not None
    assert said.english == "30 of the last 40 attempts failed in 10 s (75%, --abort-on-error-ratio 0.5)"
    assert said.japanese == ("直近 10 秒の試行 40 件のうち 30 件が失敗 (75%、--abort-on-error-ratio 0.5)")
