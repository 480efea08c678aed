"""Everything that the reports of one run are made from."""

from dataclasses import dataclass, field
from typing import Any

from exporter.live.message import RunInfo
from exporter.verdict.evidence import Evidence
from exporter.verdict.judgement import Judgement


@dataclass(frozen=True)
class RunResult:
    """A run that has ended and been judged."""

    info: RunInfo
    command: tuple[str, ...]
    """what was started against the router, without secrets"""
    evidence: Evidence
    quantiles: dict[str, float | None]
    """of 2xx over the whole run in seconds, by quantile ("0.95"); None where there were no 2xx"""
    judgement: Judgement
    versions: dict[str, str]
    inputs: dict[str, Any]
    engine_totals: dict[str, Any] | None
    """the engine's own account, or None where it gave none"""
    alerts: list[str] | None = field(default=None)
    """alerts that fired during the run, or None where no Prometheus was asked"""

    @property
    def requests_per_second(self) -> float | None:
        """2xx responses per second of load, or None where nothing was measured."""
        seconds = self.evidence.measured_seconds
        return self.evidence.successes / seconds if seconds > 0 else None
