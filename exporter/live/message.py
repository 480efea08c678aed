"""What happens during a run, as values: the run itself, its phases, and the counts its workers report."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from pydantic import ConfigDict, Field


class Route(StrEnum):
    """Where the router sends a request; decided by the model's prefix."""

    LOCAL = "local"
    OPENAI = "openai"
    GOOGLE = "google"
    ANTHROPIC = "anthropic"


def route_of(model: str) -> Route:
    """The route of a model name: `openai:gpt-4o` goes to openai, a name without a known prefix is local."""
    prefix, colon, _ = model.partition(":")
    if colon and prefix in (Route.OPENAI, Route.GOOGLE, Route.ANTHROPIC):
        return Route(prefix)
    return Route.LOCAL


class StatusClass(StrEnum):
    """The hundred of an HTTP status."""

    INFORMATIONAL = "1xx"
    SUCCESS = "2xx"
    REDIRECT = "3xx"
    CLIENT_ERROR = "4xx"
    SERVER_ERROR = "5xx"


STATUS_CLASSES = tuple(StatusClass)
SUCCESS_CLASS = STATUS_CLASSES.index(StatusClass.SUCCESS)


class FailureReason(StrEnum):
    """Why a request got no whole HTTP response."""

    CONNECT = "connect"
    READ = "read"
    WRITE = "write"
    TIMEOUT = "timeout"
    DISCONNECT = "disconnect"
    TRUNCATED = "truncated"
    IN_BAND = "in_band"


DISCONNECT_REASONS = (FailureReason.READ, FailureReason.DISCONNECT, FailureReason.TRUNCATED)
"""An answer was due and never came whole; a refused connection (connect, write) is not one of them."""


class Phase(StrEnum):
    """Where a run is. `finished` is not exposed as a phase: no run is active then."""

    WARMUP = "warmup"
    LOAD = "load"
    DRAIN = "drain"
    FINISHED = "finished"


Name = Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,32}$")]
Text = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f]*$")]
Seconds = Annotated[float, Field(ge=0, le=1e12, allow_inf_nan=False)]


@dataclass(frozen=True, slots=True)
class RunInfo:
    """What a run is, as it was announced to the exporter.

    The bounds are held by `TypeAdapter(RunInfo)` where an announcement comes in from outside.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    run: Annotated[str, Field(pattern=r"^[0-9a-z]{16}$")]
    """also in every live message"""
    scenario: Name
    engine: Name
    route: Route
    model: Text
    target: Text
    """URL without credentials"""
    connections: Annotated[int, Field(ge=1, le=10_000)]
    label: Text
    start_timestamp_seconds: Seconds
    planned_duration_seconds: Seconds
    stall_after_seconds: Seconds
    """a connection that has reported nothing for so long, with a request out, is stalled"""


Row = tuple[int, bytes]
"""an index (histogram.py), and the counts from there on (u32, little-endian)"""


@dataclass(frozen=True, slots=True)
class WorkerCounts:
    """One live message: the cumulative counts of one worker (for wrk: one thread with one connection)."""

    run: str
    worker: int
    sequence: int
    """rises with every report of this worker"""
    part: int
    """a report too long for one message is several, numbered from 0"""
    final: bool
    """the worker has ended; no later report follows"""
    connections: int
    """connections of this worker"""
    in_flight: int
    """requests that are out"""
    started: int
    disconnects: int
    """requests that got no whole response and are not among `errors`"""
    errors: tuple[int, int, int] | None
    """the engine's own count of (connect, read, write) errors, or None where it cannot be read"""
    sum_us: tuple[float, ...]
    """sum of durations in microseconds, by status class"""
    rows: tuple[Row, ...]
    """cumulative, in order of index; a row is one octave or several within a page (histogram.py)"""
    waiting_ms: int = 0
    """in the last report: for how long its request has been out"""
