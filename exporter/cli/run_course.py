"""What a live display remembers of a run's course: rates, the last failure, the last minutes of a figure."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from exporter.live.message import Phase
from exporter.run.view import Moment

RATE_SECONDS = 5.0
SPARK_POINTS = 30
SPARK_SECONDS = 2.0
"""of each point"""
_BLOCKS = "▁▂▃▄▅▆▇█"


class RateMeter:
    """A rate from the last few cumulative counts."""

    def __init__(self) -> None:
        self._points: deque[tuple[float, int]] = deque()

    def rate(self, now: float, count: int) -> float | None:
        """The rate per second over the trailing 5 s, or None before there are two counts."""
        self._points.append((now, count))
        while len(self._points) > 2 and now - self._points[0][0] > RATE_SECONDS:
            self._points.popleft()
        (first, before), (last, after) = self._points[0], self._points[-1]
        return (after - before) / (last - first) if last > first else None


class Sparkline:
    """The last minute of a figure as eight heights of a block; a figure that is not known leaves a gap."""

    def __init__(self) -> None:
        self._values: deque[float | None] = deque(maxlen=SPARK_POINTS)
        self._next = 0.0

    def add(self, now: float, value: float | None) -> None:
        """A value, of which one in SPARK_SECONDS is kept."""
        if now >= self._next:
            self._next = now + SPARK_SECONDS
            self._values.append(value)

    def __str__(self) -> str:
        known = [value for value in self._values if value is not None]
        if len(known) < 2:
            return ""
        low, high = min(known), max(known)
        return "".join(_block(value, low, high) for value in self._values)


def _block(value: float | None, low: float, high: float) -> str:
    if value is None:
        return " "
    # Within a tenth of its height a line is level: noise must not look like a mountain.
    span = max(high - low, 0.1 * high)
    return _BLOCKS[min(int((value - low) / span * len(_BLOCKS)), len(_BLOCKS) - 1)] if span else _BLOCKS[0]


@dataclass
class Course:
    """One run's, as its display has seen it."""

    success_rate: float | None = None
    """2xx a second now; None where no load is on, or it is not known"""
    failure_rate: float | None = None
    """attempts a second that failed, in any way"""
    token_rate: float | None = None
    """output tokens a second, as success_rate"""
    failed: int = 0
    """all of them"""
    since_failure: float | None = None
    """s; None where none was seen"""
    latency: Sparkline = field(default_factory=Sparkline)
    """of the 99th percentile"""
    successes: Sparkline = field(default_factory=Sparkline)
    _good: RateMeter = field(default_factory=RateMeter)
    _bad: RateMeter = field(default_factory=RateMeter)
    _tokens: RateMeter = field(default_factory=RateMeter)
    _failed_at: float | None = None

    def see(self, now: float, moment: Moment) -> None:
        """Take in a moment; `now` is monotonic."""
        status = moment.status
        self.since_failure = None if self._failed_at is None else now - self._failed_at
        if status is None:
            self.success_rate = self.failure_rate = self.token_rate = None
            return
        failed = status.responses - status.successes + status.failed
        if failed > self.failed:
            self._failed_at, self.since_failure = now, 0.0
        self.failed = failed
        good, bad = self._good.rate(now, status.successes), self._bad.rate(now, failed)
        under_load = moment.phase in (Phase.WARMUP, Phase.LOAD)
        tokens = self._tokens.rate(now, status.streams.output_tokens if status.streams else 0)
        self.success_rate, self.failure_rate, self.token_rate = (
            (good, bad, tokens) if under_load else (None, None, None)
        )
        self.successes.add(now, self.success_rate)
        self.latency.add(now, status.recent_quantiles["0.99"] if under_load else None)


def counts_text(counts: Iterable[tuple[str, int]]) -> str:
    """Counts that are not zero, as `read 3, 502 12`."""
    return ", ".join(f"{name} {count:,}" for name, count in counts if count)
