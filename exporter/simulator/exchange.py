"""One request from its arrival to its ending, through latency and faults."""

import asyncio
import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from exporter.clock import Clock
from exporter.simulator.answer import Answer, EventStream, error_answer
from exporter.simulator.connection import Connection
from exporter.simulator.faults import DropConnections, ErrorAnswer, Faults, Hang, Slow, Truncate
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
    hang_seconds: float
    hanging: "set[Exchange]" = field(default_factory=set)


@dataclass(slots=True, eq=False)
class Exchange:
    """A request that is being answered; its timer and its connection keep it alive."""

    conditions: Conditions
    connection: Connection
    answer: Answer | EventStream
    upstream: Upstream | None
    """None: the router itself answers"""
    _started: float = field(init=False)
    _token_seconds: float = field(init=False)
    _timer: asyncio.TimerHandle | None = field(default=None, init=False)
    _truncated: bool = field(default=False, init=False)
    _bursts_sent: int = field(default=0, init=False)
    _first_token_at: float = field(default=0.0, init=False)

    def start(self) -> None:
        """Send the request upstream; the answer follows after the latency, changed by the faults in force."""
        conditions, faults, inference = self.conditions, self.conditions.faults, self.upstream is not None
        self._started = conditions.clock.monotonic()
        self._token_seconds = conditions.inter_token_seconds
        if self.upstream is not None:
            self.upstream.begin()
        delay_seconds = conditions.latency() if inference else 0.0
        if not faults.none:
            if drop := faults.struck(DropConnections, inference):
                conditions.truth.dropped += 1
                self._end(None)
                self.connection.drop(reset=drop.mode == "rst")
                return
            if faults.struck(Hang, inference):
                self._hang()
                return
            if error := faults.struck(ErrorAnswer, inference):
                message = f"the fault `error` is in force with status {error.status}"
                self._send(error_answer(error.status, message, code="injected_fault"))
                return
            if slow := faults.struck(Slow, inference):
                delay_seconds = delay_seconds * slow.factor + slow.add_seconds
                self._token_seconds *= slow.factor
            self._truncated = faults.struck(Truncate, inference) is not None
        if delay_seconds > 0:
            self.connection.on_gone = self._abandoned
            self._timer = conditions.loop.call_later(delay_seconds, self._begin_answer)
        else:
            self._begin_answer()

    def stop_hanging(self) -> None:
        """Drop the connection of a request that hangs."""
        self._end(None)
        self.connection.drop()

    def _hang(self) -> None:
        conditions = self.conditions
        conditions.truth.hung += 1
        conditions.hanging.add(self)
        self.connection.on_gone = self._abandoned
        self._timer = conditions.loop.call_later(conditions.hang_seconds, self.stop_hanging)

    def _begin_answer(self) -> None:
        answer = self.answer
        if isinstance(answer, EventStream):
            self.connection.on_gone = self._abandoned
            self._first_token_at = self.conditions.loop.time()
            self.connection.begin_stream()
            self._stream(answer.first_half() if self._truncated else answer)
        elif self._truncated:
            self.conditions.truth.truncated += 1
            self._end(None)
            self.connection.send_half(answer)
        else:
            self._send(answer)

    def _send(self, answer: Answer) -> None:
        self.conditions.truth.answered(answer.status, self.upstream is not None)
        self._end(answer.status)
        self.connection.send(answer)

    def _stream(self, stream: EventStream) -> None:
        while self._bursts_sent < len(stream.bursts):
            self.connection.send_events(stream.bursts[self._bursts_sent])
            self._bursts_sent += 1
            if self._token_seconds > 0 and self._bursts_sent < len(stream.bursts):
                # Counted from the first token, so a late timer delays one token and not all that follow.
                due = self._first_token_at + self._bursts_sent * self._token_seconds
                self._timer = self.conditions.loop.call_at(due, self._stream, stream)
                return
        if self._truncated:
            self.conditions.truth.truncated += 1
            self._end(None)
            self.connection.drop()
        else:
            self.conditions.truth.answered(200, self.upstream is not None)
            self._end(200)
            self.connection.end_stream()

    def _abandoned(self) -> None:
        self.conditions.truth.abandoned += 1
        self._end(None)

    def _end(self, status: int | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self.conditions.hanging.discard(self)
        if self.upstream is not None:
            self.upstream.finish(status, self.conditions.clock.monotonic() - self._started)
