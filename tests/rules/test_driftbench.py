"""The short form of the drift bench: the verdict on some labelled hours, and the alerts on the same.

The bounds are a little wider than what `python -m tests.rules.driftbench` measures on many more;
docs/measured.md has those figures.
"""

import shutil

import numpy as np
import pytest

from tests.rules.driftbench.__main__ import asked, false, found, report
from tests.rules.driftbench.hours import CLEAN, FAULTY, Hour, clean, faulty
from tests.rules.driftbench.judged import Judged, judge_hour, judged
from tests.rules.driftbench.replay import fired

SEEDS = 40_000

needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is not installed (Debian: apt install prometheus)"
)


@pytest.fixture(scope="module")
def hours() -> list[Judged]:
    """A few hours of each kind."""
    return list(judged(asked(2 * len(CLEAN), 4 * len(FAULTY), SEEDS), workers=2))


def test_clean_hours_are_clean_but_for_a_rare_one(hours: list[Judged]) -> None:
    share = false(hours)
    assert share.of == 2 * len(CLEAN)
    assert share.hits <= 1


def test_a_99th_percentile_that_doubles_is_found_within_six_minutes(hours: list[Judged]) -> None:
    share = found(hours)
    assert share.of >= 20
    assert share.hits >= share.of - 1


def test_the_report_has_a_line_for_each_kind(hours: list[Judged]) -> None:
    lines = report(hours)
    assert [kind for kind in (*CLEAN, *FAULTY) if not any(f"  {kind} " in line for line in lines)] == []
    assert lines[0].split()[4] == f"{false(hours).hits}/{2 * len(CLEAN)}"


@needs_promtool
def test_the_alerts_and_the_verdict_say_the_same_of_the_same_hours() -> None:
    replayed = [
        clean(SEEDS, "flat"),
        clean(SEEDS, "pauses"),
        clean(SEEDS + 1, "hiccups"),
        faulty(SEEDS, "all twice"),
        faulty(SEEDS + 1, "slowest tenth twice"),
        faulty(SEEDS + 2, "within a minute"),
        halved(clean(SEEDS + 3, "flat")),
    ]
    verdicts = [judge_hour(hour) for hour in replayed]
    alerts = fired(replayed)
    assert [alert.keys() for alert in alerts] == [
        {kind for kind in ("slower", "less") if getattr(verdict, kind) is not None} for verdict in verdicts
    ]
    assert [sorted(alert) for alert in alerts] == [[], [], [], ["slower"], ["slower"], ["slower"], ["less"]]
    # The buckets of /metrics are coarser: a minute sooner or later.
    for alert, verdict in zip(alerts, verdicts, strict=True):
        for kind, second in alert.items():
            assert second == pytest.approx(getattr(verdict, kind), abs=60)


def halved(hour: Hour) -> Hour:
    """The same, of which only half is served from the half on."""
    counts = hour.counts.copy()
    counts[len(counts) // 2 :] //= 2
    return Hour(hour.seed, hour.kind, hour.rate, None, counts)


def test_a_seed_gives_the_same_hour_again_and_another_gives_another() -> None:
    first, again, other = clean(1, "noise"), clean(1, "noise"), clean(2, "noise")
    assert np.array_equal(first.counts, again.counts)
    assert not np.array_equal(first.counts, other.counts)


def test_a_fault_doubles_the_99th_percentile() -> None:
    hour = faulty(7, "all twice")
    step = int((hour.fault or 0) // 5)
    before, after = (np.cumsum(part.sum(axis=0)) for part in (hour.counts[:step], hour.counts[step + 1 :]))
    places = [int(np.searchsorted(part, 0.99 * part[-1])) for part in (before, after)]
    assert places[1] - places[0] == pytest.approx(32, abs=4)  # an octave
