"""What a check of a run finds."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """Of a check or of a run. A run is one of pass, fail and inconclusive; the others are of checks alone."""

    PASS = "pass"
    FAIL = "fail"
    WARNING = "warning"
    """the check fails, and `--warn` says that it does not fail the run"""
    INCONCLUSIVE = "inconclusive"
    """evidence is missing"""
    NOT_JUDGED = "not_judged"
    """the check does not apply to this run"""


@dataclass(frozen=True)
class Finding:
    """The outcome of one check and the sentence that says why."""

    check: str
    outcome: Outcome
    text: str


def overall(outcomes: Iterable[Outcome]) -> Outcome:
    """Fail before inconclusive before pass: a failure stands even where other evidence is missing.

    A warning is a pass. Where nothing was judged the result is inconclusive.
    """
    found = set(outcomes)
    for outcome in (Outcome.FAIL, Outcome.INCONCLUSIVE):
        if outcome in found:
            return outcome
    return Outcome.PASS if found & {Outcome.PASS, Outcome.WARNING} else Outcome.INCONCLUSIVE
