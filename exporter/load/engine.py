"""What a load engine is, and what one leaves behind."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from exporter.live.message import FailureReason, WorkerCounts
from exporter.load.output import EngineOutput
from exporter.load.workload import Workload


@dataclass(frozen=True)
class LoadPlan:
    """One load phase."""

    token: bytes = field(repr=False)
    """the secret of the run, for its live messages"""
    workload: Workload
    connections: int
    duration_seconds: int
    ingest_host: str
    ingest_port: int
    folder: Path
    """an empty folder of the engine's own, for its files"""
    max_requests: int | None = None
    """no more are sent; at least one for each connection"""
    say: Callable[[str], None] = lambda _line: None
    """shows the user a line that the engine or a script prints on standard error"""


@dataclass(frozen=True)
class EngineTotals:
    """The engine's own account of a load phase, with which the live one is compared."""

    requests: int
    """whole responses, of every status"""
    duration_seconds: float
    non_2xx: int
    """responses of status 400 and above"""
    socket_errors: dict[str, int]
    """as the engine prints them: connect, read, write, timeout"""
    failures: dict[FailureReason, int]
    """requests without a whole response, by the reasons that the engine counts itself"""
    percentiles_seconds: dict[str, float]
    """of all responses, as the engine computes them, by percent ("99.9")"""
    stopped_after_seconds: tuple[float, ...] = ()
    """of each worker that a script has stopped, after how much of the load; the others worked to its end"""


@dataclass(frozen=True)
class LoadResult:
    """What a load phase left."""

    totals: EngineTotals | None
    """None where the engine died before it had any"""
    messages: tuple[WorkerCounts, ...]
    """the last report of every worker"""
    output: EngineOutput
    """what the engine and the user's script printed"""
    report: str = ""
    """what the script's done() printed, for a terminal"""


class RunningLoad(Protocol):
    """A load phase under way."""

    command: tuple[str, ...]
    """what was started, without secrets"""

    def poll(self) -> int | None:
        """The exit code, or None while it runs; raises EngineError where it cannot measure."""

    def stop(self) -> None:
        """Ask it to end early; what was measured stays."""

    def result(self) -> LoadResult:
        """What it left, once it has ended (kills it where it has not)."""


class LoadEngine(Protocol):
    """A way to send load."""

    name: str

    def check(self, workload: Workload) -> str:
        """The engine's version, once it is known that it can send this workload; starts no load.

        Raises ConfigurationError where it cannot (ToolMissingError: it is not installed or too old).
        """

    def start(self, plan: LoadPlan) -> RunningLoad:
        """Begin a load phase."""
