"""The short form of the leak bench: the rules on 330 labelled hours, and held against the verdict's method.

The bounds are a little wider than what `make leakbench` measures on many more; docs/measured.md
has those figures.
"""

import argparse
import shutil

import numpy as np
import pytest

from tests.rules.leakbench.__main__ import seeds
from tests.rules.leakbench.replay import OTHERS, OURS
from tests.rules.leakbench.replay import replay as replayed
from tests.rules.leakbench.score import Judged, Share, clean, fired, leaking, minutes, tables
from tests.rules.leakbench.series import CLEAN, LEAKING, RATES, Labelled, generate
from tests.rules.leakbench.twin import minute_detected

SEEDS = range(40000, 40165)
LAST_MINUTE = 59
"""a whole minute that the series reach"""

needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is not installed (Debian: apt install prometheus)"
)


@pytest.fixture(scope="module")
def judged() -> Judged:
    """What fired on each series of SEEDS."""
    return list(replayed(list(generate(SEEDS))))


@needs_promtool
def test_clean_hours_raise_no_more_than_a_rare_false_alarm(judged: Judged) -> None:
    share = fired(clean(judged), OURS)
    assert share.of == 129
    assert share.hits <= 2


@needs_promtool
def test_fast_leaks_are_found_and_those_along_a_line_without_exception(judged: Judged) -> None:
    fast = leaking(judged, min_rate=1.0)
    share = fired(fast, OURS)
    assert share.of >= 70
    assert share.ratio >= 0.97
    for kind in ("straight", "under load", "whole numbers", "with gaps"):
        of_kind = fired([pair for pair in fast if pair[0].kind == kind], OURS)
        assert of_kind.hits >= of_kind.of - 1, kind


@needs_promtool
def test_half_of_the_fast_leaks_are_found_by_minute_27(judged: Judged) -> None:
    assert np.median(minutes(leaking(judged, min_rate=1.0), OURS)) <= 27


@needs_promtool
def test_the_other_rules_cry_wolf_on_the_same_hours(judged: Judged) -> None:
    ours = fired(clean(judged), OURS).hits
    assert {rule: fired(clean(judged), rule).hits > 5 * max(ours, 2) for rule in OTHERS} == dict.fromkeys(
        OTHERS, True
    )


@needs_promtool
def test_the_verdict_says_of_every_series_what_the_alert_says_and_in_the_same_minute(judged: Judged) -> None:
    alerts = {(one.seed, one.kind): what.get(OURS) for one, what in judged}
    verdicts = {(one.seed, one.kind): minute_detected(one) for one, _ in judged}
    assert sum(minute is not None for minute in verdicts.values()) >= 80
    assert verdicts == {
        key: minute if minute is not None and minute <= LAST_MINUTE else None
        for key, minute in alerts.items()
    }


@needs_promtool
def test_a_promtool_that_does_not_judge_is_not_taken_for_silence() -> None:
    no_samples = Labelled(1, "flat", "fds", 0.0, np.full(720, np.nan))
    with pytest.raises(RuntimeError, match="promtool did not judge"):
        list(replayed([no_samples]))


def test_a_seed_gives_the_same_series_again_and_another_gives_others() -> None:
    first, again, other = (list(generate(range(n, n + 1))) for n in (1, 1, 2))
    assert all(np.array_equal(a.values, b.values, equal_nan=True) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0].values, other[0].values, equal_nan=True)


def test_every_kind_and_rate_takes_its_turn() -> None:
    series = list(generate(range(len(LEAKING) * len(RATES))))
    assert {one.kind for one in series if not one.leaks} == set(CLEAN)
    leaks = {(one.kind, one.rate) for one in series if one.leaks}
    assert leaks == {(kind, rate) for kind in LEAKING for rate in RATES}


def test_counts_are_whole_and_a_scrape_is_lost_here_and_there() -> None:
    series = list(generate(range(60)))
    counts = np.concatenate([one.values for one in series if one.resource != "memory"])
    assert np.array_equal(counts[~np.isnan(counts)] % 1, np.zeros((~np.isnan(counts)).sum()))
    assert {one.kind for one in series if np.isnan(one.values).sum() > 12} == {"gaps", "with gaps"}


@pytest.mark.parametrize(
    ("hits", "of", "low", "high"), [(0, 10, 0.0, 0.2775), (5, 10, 0.2366, 0.7634), (10, 10, 0.7225, 1.0)]
)
def test_the_interval_of_a_share_is_wilsons(hits: int, of: int, low: float, high: float) -> None:
    assert Share(hits, of).interval == pytest.approx((low, high), abs=1e-4)


def test_the_report_tells_of_a_false_alarm_and_a_leak_by_rate_and_kind() -> None:
    values = np.zeros(720)
    report = list(
        tables(
            [
                (Labelled(1, "flat", "fds", 0.0, values), {OURS: 30.0}),
                (Labelled(2, "wave", "fds", 0.0, values), {}),
                (Labelled(3, "straight", "fds", 1.0, values), {OURS: 28.0}),
            ]
        )
    )
    assert next(line for line in report if line.startswith("false alarms")).split()[2] == "1/2"
    assert next(line for line in report if line.startswith("  straight, >= 1")).split()[3] == "1/1"
    assert "median 28, p90 28" in report[-1]


def test_seeds_are_given_as_first_and_end() -> None:
    assert seeds("10:20") == range(10, 20)


@pytest.mark.parametrize("text", ["10", "20:10", "5:5", "-1:5", "a:b", ""])
def test_seeds_that_are_no_range_are_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="is not FIRST:END, such as 30000:30500"):
        seeds(text)
