"""The short form of the verdict's bench: loads of every kind; docs/measured.md has many more."""

from collections.abc import Sequence

import numpy as np
import pytest

from exporter.verdict.finding import Outcome
from tests.rules.leakbench.courses import GROUPS, LEAKING, UNEVEN, load
from tests.rules.leakbench.series import generate
from tests.rules.leakbench.verdicts import Judged, load_table, of_hour, of_load, of_load_named

SEEDS = range(41000, 41006)
HOURS = range(41000, 41060)
SEEN = (Outcome.FAIL, Outcome.WARNING)


def judged(group: str, minutes: float = 60, rest: float = 0) -> list[Judged]:
    return [of_load_named(group, kind, minutes, rest, seed) for kind in GROUPS[group] for seed in SEEDS]


def share(found: Sequence[Judged], *outcomes: Outcome) -> float:
    return sum(one[3] in outcomes for one in found) / len(found)


@pytest.fixture(scope="module")
def leaks() -> list[Judged]:
    return judged("leaking")


def test_clean_loads_do_not_fail() -> None:
    assert share(judged("clean"), Outcome.FAIL) == 0


def test_what_settles_within_forty_minutes_does_not_fail() -> None:
    assert share(judged("settling"), Outcome.FAIL) <= 0.05


def test_with_a_rest_what_settles_passes() -> None:
    assert share(judged("settling", rest=3), Outcome.PASS) >= 0.9


def test_what_adds_a_third_in_the_hour_fails_or_warns_and_never_passes(leaks: list[Judged]) -> None:
    uneven = [one for one in leaks if one[1] in UNEVEN]
    assert share(uneven, *SEEN) >= 0.9
    assert share(leaks, *SEEN) >= 0.95
    assert share(leaks, Outcome.FAIL) >= 0.9
    assert share(leaks, Outcome.PASS) == 0


def test_what_fills_to_the_end_is_mostly_inconclusive() -> None:
    assert share(judged("filling"), Outcome.INCONCLUSIVE) >= 0.6


@pytest.mark.parametrize("minutes", [30, 120])
def test_at_other_lengths_clean_loads_do_not_fail_and_lines_do(minutes: float) -> None:
    assert share(judged("clean", minutes), Outcome.FAIL) <= 0.02
    lines = [of_load(load("leaking", "line", seed, minutes, grown=1.2)) for seed in SEEDS]
    assert share(lines, Outcome.FAIL) == 1


def test_the_hours_of_the_rules_are_judged_as_well_as_by_the_rules() -> None:
    found = [of_hour(hour) for hour in generate(HOURS)]
    assert share([one for one in found if one[0] == "clean"], Outcome.FAIL) <= 0.04
    assert share([one for one in found if one[2] >= 1], Outcome.FAIL) >= 0.94


def test_a_seed_gives_the_same_load_again_and_another_gives_another() -> None:
    first, again, other = (load("leaking", "bursts", seed, 60, grown=0.5).values for seed in (1, 1, 2))
    assert np.array_equal(first, again, equal_nan=True)
    assert not np.array_equal(first, other, equal_nan=True)


@pytest.mark.parametrize("kind", LEAKING)
def test_a_leak_adds_what_it_says(kind: str) -> None:
    loads = [load("leaking", kind, seed, 60, grown=4.0) for seed in range(5)]
    added = [np.nanmax(one.values) / one.base - 1 for one in loads]
    assert max(added) >= 3 if kind != "cut by a restart" else max(added) >= 1.5


def test_a_rest_is_in_the_middle_and_flat() -> None:
    one = load("leaking", "line", 3, 60, grown=1.0, rest=3)
    assert one.rested == (30, 33)
    assert len(one.values) == (60 + 3) * 12


def test_the_table_has_a_row_a_kind() -> None:
    rows = list(
        load_table([("clean", "flat", 0.0, Outcome.PASS), ("clean", "teeth", 0.0, Outcome.FAIL)], "title")
    )
    assert [row.split("  ")[0].strip() or row.split()[0] for row in rows][:2] == ["title", "clean"]
    assert rows[1].split()[1] == "1/2"
    assert rows[3].split()[1] == "1/1"
