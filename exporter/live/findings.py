"""What the checks of a run have found so far, as its command publishes it.

/metrics, `/live`, Grafana and the alert BenchmarkRunFailed read this one source.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Field

from exporter.live.message import PLAIN, RunId, Text, Timestamp

MAX_FINDINGS = 80
"""of a run: its checks, and the objectives of the user's own"""
MAX_TEXT = 600
MAX_SPANS = 8
MAX_ALERTS = 32
OBJECTIVE = "objective-"
"""how the name of a user's own check begins"""


class Outcome(StrEnum):
    """Of a check or of a run. A run is one of pass, fail and inconclusive; the others are of checks alone."""

    PASS = "pass"
    FAIL = "fail"
    WARNING = "warning"
    """the check fails, and `--warn` says that it does not fail the run"""
    INCONCLUSIVE = "inconclusive"
    """evidence is missing"""
    NOT_JUDGED = "not_judged"
    """the check does not apply to this run, or not yet"""


Check = Annotated[str, Field(pattern=rf"^([a-z][a-z_]{{0,31}}|{OBJECTIVE}[a-z0-9_-]{{1,40}})$")]
Figure = Annotated[float, Field(allow_inf_nan=False)]


@dataclass(frozen=True, slots=True)
class Time:
    """From when to when, in Unix s."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    since: Timestamp
    until: Timestamp


@dataclass(frozen=True, slots=True)
class PublishedFinding:
    """One finding, bounded."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    check: Check
    outcome: Outcome
    text: Annotated[str, Field(max_length=MAX_TEXT, pattern=PLAIN)]
    figure: Figure | None = None
    """what was measured, in `unit`"""
    bound: Figure | None = None
    """what it is held against, in `unit`"""
    unit: Annotated[str, Field(pattern=r"^[a-z_]{0,32}$")] = ""
    spans: Annotated[tuple[Time, ...], Field(max_length=MAX_SPANS)] = ()
    """when what it tells of happened, the first MAX_SPANS"""


@dataclass(frozen=True, slots=True)
class PublishedAround:
    """What the run alone knows of what is around it; None is what it does not know."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    alerts: Annotated[tuple[Text, ...], Field(max_length=MAX_ALERTS)] | None = None
    """names of those that fire, the first MAX_ALERTS; after the run, of those that have fired"""
    router_memory_at_start_bytes: Figure | None = None
    router_memory_bytes_per_hour: Figure | None = None
    router_down_seconds: Figure | None = None
    """for how long nothing has got an answer; None where it is up"""


def _distinct(found: tuple[PublishedFinding, ...]) -> tuple[PublishedFinding, ...]:
    if len({each.check for each in found}) != len(found):
        raise ValueError("a check is there twice")
    return found


@dataclass(frozen=True, slots=True)
class RunFindings:
    """The findings of one run at one moment."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    run: RunId
    at: Timestamp
    so_far: bool
    """the run goes on; otherwise this is its verdict"""
    outcome: Outcome
    """of all together; `not_judged` where nothing is judged yet"""
    findings: Annotated[
        tuple[PublishedFinding, ...], Field(max_length=MAX_FINDINGS), AfterValidator(_distinct)
    ]
    around: PublishedAround = PublishedAround()
