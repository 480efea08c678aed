"""What a check of a run came to."""

from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """Of a check or of a run. `not_judged` is of checks alone: the run was not made for them."""

    PASS = "pass"
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    NOT_JUDGED = "not_judged"


@dataclass(frozen=True)
class Finding:
    """One check's outcome and the sentence that says why."""

    check: str
    outcome: Outcome
    text: str
