"""What a load engine is, and what one leaves behind."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeVar

from exporter.live.long_seen import LongSeen
from exporter.live.message import FailureReason, WorkerCounts
from exporter.load.output import EngineOutput
from exporter.load.workload import Workload

K = TypeVar("K", bound=str)


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
    stall_after_seconds: float = 30.0
    """an answer that has begun is given up after so long without a byte"""
    first_worker: int = 0
    """the number of its first worker: an earlier load of the run has had those before"""
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

    def __add__(self, later: "EngineTotals") -> "EngineTotals":
        """Of two loads of a run together, percentiles aside: they cannot be added."""
        return EngineTotals(
            requests=self.requests + later.requests,
            duration_seconds=self.duration_seconds + later.duration_seconds,
            non_2xx=self.non_2xx + later.non_2xx,
            socket_errors=_sum(self.socket_errors, later.socket_errors),
            failures=_sum(self.failures, later.failures),
            percentiles_seconds={},
            stopped_after_seconds=(
                *self.stopped_after_seconds,
                *(self.duration_seconds + seconds for seconds in later.stopped_after_seconds),
            ),
        )


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
    long_seen: LongSeen | None = None
    """what became of silent connections beside the load; None where the engine had none"""


def _sum(one: Mapping[K, int], other: Mapping[K, int]) -> dict[K, int]:
    return {
        key: one.get(key, 0) + other.get(key, 0) for key in (*one, *(key for key in other if key not in one))
    }


class RunningLoad(Protocol):
    """A load phase under way."""

    command: tuple[str, ...]
    """what was started, without secrets"""

    @property
    def pids(self) -> tuple[int, ...]:
        """The processes that make the load now; none between two."""

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
