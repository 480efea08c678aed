"""Judges a run while it goes on, and publishes what it finds: nobody watches for 45 minutes."""

import contextlib
import json
import math
import unicodedata
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass

from exporter.errors import ConfigurationError, QueryError
from exporter.live.findings import (
    MAX_ALERTS,
    MAX_FINDINGS,
    MAX_SPANS,
    MAX_TEXT,
    PublishedAround,
    PublishedFinding,
    RunFindings,
    Time,
)
from exporter.plain_text import one_line
from exporter.results.run_result import RunResult
from exporter.run.exporter_client import ExporterClient
from exporter.run.view import Surroundings
from exporter.verdict.evidence import Evidence
from exporter.verdict.finding import Finding
from exporter.verdict.judgement import Judgement, judge
from exporter.verdict.own_objective import OwnObjective

JUDGE_SECONDS = 5.0
MAX_BODY_BYTES = 60_000
"""of a request to the exporter"""
MAX_ALERT = 128
"""letters of an alert's name"""
_SIZES = ((MAX_TEXT, MAX_SPANS), (MAX_TEXT // 2, 2), (MAX_TEXT // 4, 1), (MAX_TEXT // 10, 0))
"""letters of a sentence and times of a finding, tried until all of them fit into one request"""
_UNSEEN = {"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"}
"""kinds of characters that act or cannot be seen"""


@dataclass(frozen=True)
class Judge:
    """Judges evidence by a run's own bounds and publishes the findings at its exporter."""

    run: str
    token: bytes
    bounds: Mapping[str, float]
    warn: Collection[str]
    own: Sequence[OwnObjective] = ()
    require: Collection[str] = ()

    def judge(self, evidence: Evidence) -> Judgement:
        """The findings of the run."""
        return judge(evidence, self.bounds, self.warn, self.own, self.require)

    def publish(
        self,
        judgement: Judgement,
        at: float,
        so_far: bool,
        exporter: ExporterClient,
        around: Surroundings,
    ) -> None:
        """Show them to whoever watches; an exporter that is away gets the next ones.

        Raises ConfigurationError where it refuses them, which does not change what was found.
        """
        with contextlib.suppress(QueryError):
            exporter.publish(published(self.run, judgement, at, so_far, around), self.token)

    def publish_at_end(
        self, result: RunResult, at: float, exporter: ExporterClient, warn: Callable[[str], None]
    ) -> None:
        """Show the verdict of a run that has ended; what the exporter says against it is said."""
        fired = Surroundings(alerts=None if result.alerts is None else tuple(result.alerts))
        try:
            self.publish(result.judgement, at, False, exporter, fired)
        except ConfigurationError as error:
            warn(f"the verdict is not shown by the exporter: {error}")


def published(run: str, judgement: Judgement, at: float, so_far: bool, around: Surroundings) -> RunFindings:
    """A judgement as it is published: plain, and bounded."""
    for letters, spans in _SIZES:
        findings = tuple(_published(each, letters, spans) for each in judgement.findings[:MAX_FINDINGS])
        found = RunFindings(run, at, so_far, judgement.outcome, findings, _around(around))
        if len(json.dumps(asdict(found))) <= MAX_BODY_BYTES:
            break
    return found


def _published(finding: Finding, letters: int, spans: int) -> PublishedFinding:
    text = _plain(finding.text)
    return PublishedFinding(
        check=finding.check,
        outcome=finding.outcome,
        text=text if len(text) <= letters else text[: letters - 1] + "…",
        figure=_finite(finding.figure),
        bound=_finite(finding.bound),
        unit=finding.unit,
        spans=tuple(Time(each.since, each.until) for each in finding.spans[:spans]),
    )


def _around(known: Surroundings) -> PublishedAround:
    alerts = known.alerts
    return PublishedAround(
        None if alerts is None else tuple(_plain(each)[:MAX_ALERT] or "?" for each in alerts[:MAX_ALERTS]),
        _finite(known.router_memory_at_start_bytes),
        _finite(known.router_memory_bytes_per_hour),
        _finite(known.router_down_seconds),
    )


def _plain(text: str) -> str:
    return "".join("\ufffd" if unicodedata.category(each) in _UNSEEN else each for each in one_line(text))


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
