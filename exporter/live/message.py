"""What happens during a run, as values: the run itself, its phases, and the counts its workers report."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Field

from exporter.live.histogram import Histogram
from exporter.live.pace import Pace


class Route(StrEnum):
    """Where the router sends a request; decided by the model's prefix."""

    LOCAL = "local"
    OPENAI = "openai"
    GOOGLE = "google"
    ANTHROPIC = "anthropic"


def route_of(model: str) -> Route:
    """The route of a model name: `openai:gpt-4o` goes to openai, a name without a known prefix is local."""
    prefix, colon, _ = model.partition(":")
    return Route(prefix) if colon and prefix in tuple(Route) else Route.LOCAL


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
    """Why a request got no whole HTTP response, or a stream that did not end as it has to."""

    CONNECT = "connect"
    READ = "read"
    WRITE = "write"
    TIMEOUT = "timeout"
    DISCONNECT = "disconnect"
    TRUNCATED = "truncated"
    IN_BAND = "in_band"
    EMPTY = "empty"
    STALLED = "stalled"


class StreamEnd(StrEnum):
    """How a stream of a 2xx answer ended."""

    COMPLETE = "complete"
    TRUNCATED = "truncated"
    """properly, without its finish"""
    IN_BAND = "in_band"
    """with an error in the stream"""
    EMPTY = "empty"
    """without a token"""
    STALLED = "stalled"
    DISCONNECT = "disconnect"
    TIMEOUT = "timeout"
    ABORTED = "aborted"
    """by the client, as it was asked to"""


class Counter(StrEnum):
    """What else a worker counts, beside failures and what is in a histogram."""

    UNTIMED_1XX = "untimed_1xx"
    UNTIMED_2XX = "untimed_2xx"
    UNTIMED_3XX = "untimed_3xx"
    UNTIMED_4XX = "untimed_4xx"
    UNTIMED_5XX = "untimed_5xx"
    END_COMPLETE = "end_complete"
    END_TRUNCATED = "end_truncated"
    END_IN_BAND = "end_in_band"
    END_EMPTY = "end_empty"
    END_STALLED = "end_stalled"
    END_DISCONNECT = "end_disconnect"
    END_TIMEOUT = "end_timeout"
    END_ABORTED = "end_aborted"
    OUTPUT_TOKENS = "output_tokens"
    """of complete answers, as `usage` says them; where it says none, events with tokens"""
    INPUT_TOKENS = "input_tokens"
    """of complete answers, as `usage` says them"""
    WITHOUT_USAGE = "without_usage"
    """complete streams whose output tokens are counted events"""
    SKIPPED = "skipped"
    """open load: not sent, since too many were in flight"""
    GOOD = "good"
    """streams within the goodput expression"""
    SHAPED = "shaped"
    """complete streams that are long enough to tell whether the router buffers"""
    BUFFERED = "buffered"
    """those of them that look buffered"""
    CHECKED = "checked"
    """events that were parsed in full to check the scan"""
    DISAGREED = "disagreed"
    """those of them where the scan had found something else"""
    UNSTAMPED = "unstamped"
    """reads without a kernel stamp"""
    ROUTER_REFUSALS = "router_refusals"
    """answers other than 2xx that are the router's own by their head and body"""
    UPSTREAM_REFUSALS = "upstream_refusals"
    """those that are the upstream's; what cannot be told is neither"""


UNTIMED = tuple(Counter(f"untimed_{each}") for each in StatusClass)
"""whole responses whose duration is not known, by status class"""
STREAM_ENDS = tuple(Counter(f"end_{each}") for each in StreamEnd)
"""in the order of StreamEnd"""


class Phase(StrEnum):
    """Where a run is. `finished` is not exposed as a phase: no run is active then."""

    WARMUP = "warmup"
    LOAD = "load"
    REST = "rest"
    """a pause in the midst of the load"""
    DRAIN = "drain"
    FINISHED = "finished"


Name = Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,32}$")]
PLAIN = r"^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]*$"
"""without what controls a terminal or turns a line around (C0, C1, bidi), or cannot be seen"""
Text = Annotated[str, Field(min_length=1, max_length=128, pattern=PLAIN)]
Seconds = Annotated[float, Field(ge=0, le=366 * 86_400, allow_inf_nan=False)]
Rate = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]
MAX_TIMESTAMP = 4_102_444_800
"""the year 2100"""
Timestamp = Annotated[float, Field(ge=0, le=MAX_TIMESTAMP, allow_inf_nan=False)]
"""Unix time"""
RunId = Annotated[str, Field(pattern=r"^[0-9a-z]{16}$")]
MAX_PAIRS = 16
MAX_CONNECTIONS = 1000
"""of a run, whatever the engine"""
MAX_STARTS = 2
"""of a run: before its rest and after it"""
STREAM_ENGINE = "stream"
"""the engine that counts streams: its runs have all their series from the begin"""
TOKEN_BYTES = 16
"""of the secret by which the exporter knows a run's messages"""


@dataclass(frozen=True, slots=True)
class Pair:
    """Which model is asked, and where the router sends that: the labels of everything that is counted."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    route: Route
    model: Text


def _distinct(pairs: tuple[Pair, ...]) -> tuple[Pair, ...]:
    if len(set(pairs)) != len(pairs):
        raise ValueError("a pair of route and model is there twice")
    return pairs


@dataclass(frozen=True, slots=True)
class RunInfo:
    """What a run is, as it was announced to the exporter; nothing of it is a secret.

    `TypeAdapter(RunInfo)` checks the bounds where an announcement comes in from outside.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    run: RunId
    scenario: Name
    engine: Annotated[str, Field(pattern=r"^[a-z0-9_-]{0,32}$")]
    """what sends the load; empty where somebody else does, and the router alone is watched"""
    pairs: Annotated[tuple[Pair, ...], Field(max_length=MAX_PAIRS), AfterValidator(_distinct)]
    """what is asked, nothing without an engine; rows and blocks of a live message name a pair by its place"""
    target: Text
    """URL without credentials"""
    connections: Annotated[int, Field(ge=0, le=MAX_CONNECTIONS)]
    """0 without an engine"""
    label: Text
    start_timestamp_seconds: Timestamp
    planned_duration_seconds: Seconds
    """0 where it ends when somebody ends it"""
    stall_after_seconds: Seconds
    """a connection that has reported nothing for so long, with a request in flight, is stalled"""
    baseline_p99_seconds: Seconds | None = None
    """99th percentile of what the run is held against, where there is such a thing"""
    baseline_requests_per_second: Rate | None = None
    """its 2xx a second"""
    starts: Annotated[int, Field(ge=1, le=MAX_STARTS)] = 1
    """how often the engine is started; each start has workers of its own, `connections` of them"""
    goodput: Text | None = None
    """which streams are good, as an expression; None where nobody asked"""

    @property
    def sends(self) -> bool:
        """Whether it has an engine, and so a load that is counted."""
        return bool(self.engine)

    @property
    def route(self) -> Route | None:
        """Of the first pair: what stands for a run of several; None where it asks nothing itself."""
        return self.pairs[0].route if self.pairs else None

    @property
    def model(self) -> str | None:
        """Of the first pair; None where it asks nothing itself."""
        return self.pairs[0].model if self.pairs else None


Row = tuple[int, int, bytes]
"""place of the pair, an index (histogram.py), and the counts from there on (u32, little-endian)"""

Values = tuple[float, ...]
"""failures by reason, counters, sums of each histogram (durations by class); in the order of the enums"""

FIRST_COUNTER = len(FailureReason)
FIRST_SUM = FIRST_COUNTER + len(Counter)

Block = tuple[int, Values]
"""place of the pair, and its values"""


def values_of(
    failures: Mapping[FailureReason, int] = MappingProxyType({}),
    counters: Mapping[Counter, int] = MappingProxyType({}),
    sums_us: Mapping[Histogram, Sequence[float]] = MappingProxyType({}),
) -> Values:
    """The values of a block; what is not named is 0."""
    sums = (total for each in Histogram for total in sums_us.get(each, (0.0,) * each.classes))
    return (
        *(failures.get(reason, 0) for reason in FailureReason),
        *(counters.get(counter, 0) for counter in Counter),
        *sums,
    )


@dataclass(frozen=True, slots=True)
class WorkerCounts:
    """One live message: the cumulative counts of one worker (for wrk: one thread with one connection)."""

    token: bytes = field(repr=False)
    """the secret of the run"""
    worker: int
    sequence: int
    """rises with every report of this worker"""
    part: int
    """a report too long for one message is several, numbered from 0"""
    final: bool
    """the worker has ended; no later report follows"""
    connections: int
    in_flight: int
    blocks: tuple[Block, ...]
    """cumulative, in order of pairs"""
    rows: tuple[Row, ...]
    """cumulative, in order of pair and index; a row is one octave or several within a page (histogram.py)"""
    waiting_ms: int = 0
    """in the last report: for how long its request has been in flight"""
    stalled: int = 0
    """requests in flight that have had no answer for `--stall-after`, where the worker tells them apart: one
    with several connections is never silent"""
    pace: Pace | None = None
    """when it had its successes; None where it has not begun, or does not know"""
