"""One request from its arrival to its ending, through latency and faults."""

import asyncio
import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Protocol

from exporter.clock import Clock
from exporter.simulator.answer import Answer, EventStream, error_answer
from exporter.simulator.connection import Connection
from exporter.simulator.faults import (
    DropConnections,
    ErrorAnswer,
    Faults,
    Hang,
    InBand,
    Place,
    Slow,
    Truncate,
)
from exporter.simulator.stream import Stalled, Stream, StreamEnd, StreamFaults
from exporter.simulator.truth import Truth

Z99 = 2.3263478740408408
"""the 99th percentile of the standard normal distribution"""


def latency_sampler(median_seconds: float, p99_seconds: float, rng: random.Random) -> Callable[[], float]:
    """Draws latencies in seconds from a lognormal distribution given by its median and 99th percentile.

    exp(mu) is the median and exp(mu + Z99 sigma) the 99th percentile, so mu = ln(median) and
    sigma = ln(p99 / median) / Z99. Where the two are equal every latency is the median.
    """
    if p99_seconds == median_seconds:
        return lambda: median_seconds
    return partial(rng.lognormvariate, math.log(median_seconds), math.log(p99_seconds / median_seconds) / Z99)


class Upstream(Protocol):
    """Where the router sends a request: a node or a cloud."""

    pace: float
    """it takes so many times as long as the latency and the token gaps say"""

    def begin(self) -> None:
        """A request was sent."""

    def finish(self, status: int | None, seconds: float) -> None:
        """It ended with this status after so long; None: without a whole answer."""


@dataclass(slots=True)
class Conditions:
    """What all exchanges share."""

    loop: asyncio.AbstractEventLoop
    clock: Clock
    faults: Faults
    truth: Truth
    latency: Callable[[], float]
    """draws the next, in seconds"""
    inter_token_seconds: float
    heartbeat_seconds: float
    hang_seconds: float
    saved_seconds: float = 0.0
    """of the latency, where no router is asked"""
    hanging: "set[Exchange]" = field(default_factory=set)
    stalling: set[Stalled] = field(default_factory=set)
    """streams that the fault `stall_stream` keeps silent"""


@dataclass(slots=True, eq=False)
class Exchange:
    """A request that is being answered; its timer and its connection keep it alive."""

    conditions: Conditions
    connection: Connection
    answer: Answer | EventStream
    upstream: Upstream | None
    """None: the router itself answers"""
    place: Place = "inference"
    _started: float = field(init=False)
    _timer: asyncio.TimerHandle | None = field(default=None, init=False)
    _truncated: bool = field(default=False, init=False)

    def start(self) -> None:
        """Send the request upstream; the answer follows after the latency, changed by the faults in force."""
        conditions, faults, upstream = self.conditions, self.conditions.faults, self.upstream
        answer, place = self.answer, self.place
        self._started = conditions.clock.monotonic()
        delay_seconds, pace = 0.0, 1.0
        if upstream is not None:
            upstream.begin()
            pace = upstream.pace
            delay_seconds = max(0.0, conditions.latency() * pace - conditions.saved_seconds)
        if not faults.none:
            if drop := faults.struck(DropConnections, place):
                conditions.truth.dropped += 1
                self._end(None)
                self.connection.drop(reset=drop.mode == "rst")
                return
            if faults.struck(Hang, place):
                self._hang()
                return
            if error := faults.struck(ErrorAnswer, place):
                message = f"the fault `error` is in force with status {error.status}"
                self._send(error_answer(error.status, message, code="injected_fault"))
                return
            if slow := faults.struck(Slow, place):
                delay_seconds = delay_seconds * slow.factor + slow.add_seconds
                pace *= slow.factor
        if isinstance(answer, EventStream):
            gap_seconds = conditions.inter_token_seconds * pace
            struck = StreamFaults.drawn(faults)
            Stream(conditions, self.connection, answer, gap_seconds, struck, self._stream_ended).start(
                delay_seconds
            )
            return
        if not faults.none:
            self._truncated = faults.struck(Truncate, place) is not None
            if faults.struck(InBand, place):
                message, code = "the fault `in_band` is in force", "injected_fault"
                silence_seconds = answer.silence_seconds
                answer = error_answer(200, message, code, kind="server_error")
                answer = replace(answer, silence_seconds=silence_seconds)
        delay_seconds += answer.silence_seconds
        if delay_seconds > 0:
            self.connection.on_gone = self._gone
            self._timer = conditions.loop.call_later(delay_seconds, self._answer, answer)
        else:
            self._answer(answer)

    def stop_hanging(self) -> None:
        """Drop the connection of a request that hangs."""
        self._end(None)
        self.connection.drop()

    def _hang(self) -> None:
        conditions = self.conditions
        conditions.truth.hung += 1
        conditions.hanging.add(self)
        self.connection.on_gone = self._gone
        self._timer = conditions.loop.call_later(conditions.hang_seconds, self.stop_hanging)

    def _answer(self, answer: Answer) -> None:
        if self._truncated:
            self.conditions.truth.truncated += 1
            self._end(None)
            self.connection.send_half(answer)
        else:
            self._send(answer)

    def _send(self, answer: Answer) -> None:
        truth = self.conditions.truth
        truth.answered(answer.status, self.upstream is not None)
        truth.input_tokens += answer.input_tokens
        truth.output_tokens += answer.output_tokens
        self._end(answer.status)
        self.connection.send(answer)

    def _stream_ended(self, end: StreamEnd, status: int | None) -> None:
        """A stream ended so; status None: its connection was closed before its end."""
        truth = self.conditions.truth
        truth.streams[end] += 1
        if status is not None:
            truth.answered(status, inference=True)
        if end is StreamEnd.COMPLETE and isinstance(self.answer, EventStream):
            truth.input_tokens += self.answer.input_tokens
            truth.output_tokens += self.answer.output_tokens
        # Routers do not see that a stream ended too early, so neither does this one.
        self._end(None if end is StreamEnd.IN_BAND else status)

    def _gone(self, cut: bool) -> None:
        if not cut:
            self.conditions.truth.abandoned += 1
        self._end(None)

    def _end(self, status: int | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self.conditions.hanging.discard(self)
        if self.upstream is not None:
            self.upstream.finish(status, self.conditions.clock.monotonic() - self._started)
