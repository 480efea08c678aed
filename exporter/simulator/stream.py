"""One stream on its way: its events at the node's pace, broken by the faults that struck it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from exporter.simulator.answer import EventStream
from exporter.simulator.connection import Connection
from exporter.simulator.faults import (
    BrokenStream,
    Buffer,
    Faults,
    InBand,
    StallStream,
    Truncate,
    TruncateCleanly,
)
from exporter.simulator.truth import Truth

HEARTBEAT = [b": keep-alive\n\n"]


class StreamEnd(StrEnum):
    """How a stream ended."""

    COMPLETE = "complete"
    TRUNCATED = "truncated"
    """as streams end, but without its finish"""
    IN_BAND = "in_band"
    EMPTY = "empty"
    """as streams end, without a token"""
    STALLED = "stalled"
    DISCONNECT = "disconnect"
    """the router closed the connection in mid-stream"""
    ABORTED = "aborted"
    """the client did"""


class Stalled(Protocol):
    """A stream that is kept silent."""

    def stop_stalling(self) -> None:
        """Drop its connection."""


class StreamConditions(Protocol):
    """What all streams share."""

    loop: asyncio.AbstractEventLoop
    truth: Truth
    heartbeat_seconds: float
    hang_seconds: float
    stalling: set[Stalled]


@dataclass(frozen=True, slots=True)
class StreamFaults:
    """What strikes one stream."""

    breaks: Truncate | BrokenStream | None = None
    buffered: bool = False

    @classmethod
    def drawn(cls, faults: Faults) -> "StreamFaults":
        """Draw them; a stream breaks once."""
        if faults.none:
            return _NONE
        breaks = (
            faults.struck(Truncate)
            or faults.struck(TruncateCleanly)
            or faults.struck(InBand)
            or faults.struck(StallStream)
        )
        return cls(breaks, faults.struck(Buffer) is not None)


_NONE = StreamFaults()


@dataclass(slots=True, eq=False)
class Stream:
    """A stream that is being sent; its timer and its connection keep it alive.

    `ended` is called once, with how it ended and the status of the response, None where that is not whole.
    """

    conditions: StreamConditions
    connection: Connection
    stream: EventStream
    gap_seconds: float
    struck: StreamFaults
    ended: Callable[[StreamEnd, int | None], None]
    _bursts: list[tuple[list[bytes], float]] = field(init=False)
    """what is still to be sent, the next at the end: events, and how long after those before"""
    _tokens: int = field(default=0, init=False)
    """in all that is sent"""
    _due: float = field(default=0.0, init=False)
    _head_sent: bool = field(default=False, init=False)
    _held: list[bytes] = field(default_factory=list, init=False)
    """held back by the fault `buffer`"""
    _timer: asyncio.TimerHandle | None = field(default=None, init=False)

    def start(self, delay_seconds: float) -> None:
        """Begin: the first token follows after so long."""
        stream, breaks = self.stream, self.struck.breaks
        bursts = stream.bursts
        if breaks is not None:
            bursts = stream.first_bursts(breaks.after_tokens if isinstance(breaks, BrokenStream) else None)
        self._tokens = sum(burst.tokens for burst in bursts)
        self._bursts = [
            (list(burst.events), burst.gaps * self.gap_seconds + burst.silence_seconds) for burst in bursts
        ]
        if self._bursts:
            self._bursts[0] = ([*stream.opening, *self._bursts[0][0]], 0.0)
        else:
            self._bursts.append((list(stream.opening), 0.0))
        self._bursts.reverse()
        self.connection.on_gone = self._gone
        if self.struck.buffered:
            self.conditions.truth.buffered += 1
        elif self.conditions.heartbeat_seconds > 0:
            self._begin()
        self._due = self.conditions.loop.time() + delay_seconds
        if delay_seconds > 0:
            self._wait()
        else:
            self._send_due()

    def stop_stalling(self) -> None:
        """Drop the connection of a stream that is kept silent."""
        self._close(StreamEnd.STALLED, None)
        self.connection.drop()

    def _begin(self) -> None:
        self._head_sent = True
        self.connection.begin_stream()

    def _wait(self) -> None:
        """Sleep until the next events are due, or a heartbeat."""
        conditions, beat = self.conditions, self.conditions.heartbeat_seconds
        wake, then = self._due, self._send_due
        if beat > 0 and not self.struck.buffered and (next_beat := conditions.loop.time() + beat) < self._due:
            wake, then = next_beat, self._beat
        self._timer = conditions.loop.call_at(wake, then)

    def _beat(self) -> None:
        self.connection.send_events(HEARTBEAT)
        self._wait()

    def _send_due(self) -> None:
        # Due times add up from the first token, so a late timer delays one burst and not all that follow.
        while True:
            events, _ = self._bursts.pop()
            self._send(events)
            if not self._bursts:
                self._finish()
                return
            self._due += self._bursts[-1][1]
            if self._due > self.conditions.loop.time():
                self._wait()
                return

    def _send(self, events: list[bytes]) -> None:
        if self.struck.buffered:
            self._held += events
            return
        if not self._head_sent:
            self._begin()
        if events:
            self.connection.send_events(events)

    def _finish(self) -> None:
        stream, breaks = self.stream, self.struck.breaks
        if isinstance(breaks, StallStream):
            self._flush()
            self.conditions.stalling.add(self)
            self._timer = self.conditions.loop.call_later(self.conditions.hang_seconds, self.stop_stalling)
            return
        if isinstance(breaks, Truncate):
            self._flush()
            self.conditions.truth.truncated += 1
            self._close(StreamEnd.DISCONNECT, None)
            self.connection.drop()
            return
        if isinstance(breaks, InBand):
            self._send([stream.error, *stream.done])
            end = StreamEnd.IN_BAND
        elif isinstance(breaks, TruncateCleanly):
            self._send(list(stream.done) if breaks.done else [])
            end = StreamEnd.TRUNCATED if self._tokens else StreamEnd.EMPTY
        else:
            self._send([*stream.closing, *stream.done])
            end = StreamEnd.COMPLETE
        self._flush()
        self._close(end, 200)
        self.connection.end_stream()

    def _flush(self) -> None:
        """Send what was held back, the head first."""
        if self.struck.buffered:
            self._begin()
            self.connection.send_events(self._held)

    def _gone(self, cut: bool) -> None:
        if self in self.conditions.stalling:
            end = StreamEnd.STALLED
        else:
            end = StreamEnd.DISCONNECT if cut else StreamEnd.ABORTED
        if not cut:
            self.conditions.truth.abandoned += 1
        self._close(end, None)

    def _close(self, end: StreamEnd, status: int | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self.conditions.stalling.discard(self)
        self.ended(end, status)
