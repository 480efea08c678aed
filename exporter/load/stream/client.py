"""One of the load's clients: a keep-alive connection, and the attempt that is under way on it.

An attempt counts once. Without the head of an answer it is a failure (`connect`, `write`, `read`, `timeout`);
an answer other than 2xx counts by its status once it is whole; a 2xx stream has an end, and is a success
where that is `complete`.
"""

import zlib
from enum import Enum
from typing import Protocol

from exporter.live.message import Counter, FailureReason, StreamEnd
from exporter.load.stream.account import Account
from exporter.load.stream.answer_body import AnswerBody
from exporter.load.stream.apis import Api
from exporter.load.stream.complete_stream import count_complete
from exporter.load.stream.connection import Connection
from exporter.load.stream.goodput import Goodput
from exporter.load.stream.port import Cut, Port
from exporter.load.stream.refusals import KEPT_BYTES, RefusedBy, refused_by
from exporter.load.stream.scan import StreamScan
from exporter.load.stream.shape import Asked, Draw, events_before_leaving
from exporter.load.stream.tally import PairTally, Tally

CONNECT_SECONDS = 30.0
"""in which a connection has to be there"""
LINGER_SECONDS = 1.0
"""in which a stream that has told its end has to end its body too; then the connection is closed"""


class _Stage(Enum):
    IDLE = 0
    OPENING = 1
    WAITING = 2
    """for the head of the answer"""
    READING = 3


class Load(Protocol):
    """What a client is a part of."""

    tally: Tally
    account: Account
    stall_after_seconds: float
    timeout_seconds: float
    goodput: Goodput | None
    lengths: dict[int, int]
    """events with tokens of the last complete stream of each request, by its identity"""
    lingering: "set[Client]"
    """clients whose stream has told its end, that it is complete or its error, while its body has none"""

    def request(self, asked: Asked) -> bytes:
        """What is sent."""

    def scan(self, api: Api) -> StreamScan:
        """A new one."""

    def ended(self, asked: Asked, end: StreamEnd, done_seen: bool) -> None:
        """A stream did; whether `[DONE]` was seen, or what stands for it."""

    def timed(self, client: "Client", first_token_seconds: float | None, total_seconds: float) -> None:
        """Its answer came whole, so long after its request was written; None: it is no stream."""

    def freed(self, client: "Client", is_lost: bool) -> None:
        """Its attempt is over; lost: the connection failed."""


class Client:
    """One connection and its attempts, one after the other."""

    __slots__ = (
        *("_abort_after", "_asked", "_began", "_body", "_connection", "_due", "_heard", "_headers"),
        *("_load", "_monotonic", "_pair", "_place", "_stage", "_stamps", "_status"),
        *("has_begun", "lost_in_a_row", "watched"),
    )

    def __init__(self, port: Port, load: Load) -> None:
        self._load = load
        self._stamps = port.stamps
        self._monotonic = port.stamps.monotonic
        self._connection = Connection(port, self)
        self._stage = _Stage.IDLE
        self.has_begun = False
        """whether it ever had an attempt"""
        self.watched = False
        """whether a timer looks after it"""
        self.lost_in_a_row = 0
        self._body = AnswerBody(load.scan)
        self._headers: dict[bytes, bytes] = {}
        self._began = self._heard = 0.0
        self._due: float | None = None
        self._status = 0

    @property
    def is_active(self) -> bool:
        """Whether an attempt is under way."""
        return self._stage is not _Stage.IDLE

    @property
    def in_flight_since(self) -> float:
        """When its request was sent, or was to be, or its attempt begun."""
        if self._due is not None:
            return self._due
        return self._began if self._stage is _Stage.OPENING else self._connection.sent_at

    def waits(self, now: float) -> float:
        """For how long its request has had no head of an answer, its connection's time too; 0: none waits."""
        waits = self._stage in (_Stage.OPENING, _Stage.WAITING)
        return now - self.in_flight_since if waits else 0.0

    def begin(self, draw: Draw, due: float | None = None) -> None:
        """An attempt; `due`: when it was to be sent, in an open load (monotonic s)."""
        connection = self._connection
        is_usable = connection.is_open and connection.is_usable()
        self._asked, self._abort_after = draw
        if self._abort_after is not None:
            usual = self._load.lengths.get(id(self._asked))
            self._abort_after = events_before_leaving(self._abort_after, usual)
        self._place = self._asked.pair
        self._pair: PairTally = self._load.tally.pairs[self._place]
        self._due = due
        self._began = self._monotonic()
        self.has_begun = True
        self._load.account.sent += 1
        if is_usable:
            self._send()
        else:
            self._stage = _Stage.OPENING
            connection.open()

    def _send(self) -> None:
        self._stage = _Stage.WAITING
        self._status = 0
        self._connection.send(self._load.request(self._asked))

    def leave(self) -> None:
        """Close the connection; an attempt under way comes to nothing."""
        self._stage = _Stage.IDLE
        self._connection.close()

    # ==== What the connection tells ========================================================================

    def opened(self) -> None:
        """The request can be sent."""
        self._send()

    def not_opened(self) -> None:
        """The target does not take the connection."""
        self._fail(FailureReason.CONNECT, self._monotonic())

    def head(self, status: int, headers: dict[bytes, bytes]) -> None:
        """The head of the answer."""
        self._stage = _Stage.READING
        self._heard = self._stamps.now
        self._status = status
        self._headers = headers
        if 100 <= status <= 599:
            self._body.begin(self._asked, status, headers)
            return
        self._connection.close()
        self._stage = _Stage.WAITING
        self._fail(FailureReason.READ, self._heard)

    def body(self, data: bytes, at: float) -> None:
        """A part of the answer's body."""
        self._heard = self._stamps.now
        try:
            events = self._body.take(data, at)
        except zlib.error:
            self._connection.close()
            self.cut(Cut.BROKEN, at)
            return
        if events:
            self._take_events(events, at)

    def _take_events(self, events: int, at: float) -> None:
        stamps = self._stamps
        self._pair.read(events, stamps.now - at if stamps.stamped else None)
        scan = self._body.scan
        if scan.in_band or scan.finished:
            self._load.lingering.add(self)
        elif self._abort_after is not None and scan.token_events >= self._abort_after and not scan.done_seen:
            self._connection.close()
            self._ended(StreamEnd.ABORTED, at)

    def whole(self, at: float) -> None:
        """The answer is whole."""
        if self._body.is_stream:
            self._ended(self._body.end(), at)
        elif self._status < 300:
            self._take_plain(at)
        else:
            self._refused(at)

    def cut(self, how: Cut, at: float) -> None:
        """The answer will not be whole; without an attempt, bytes came that nobody had asked for."""
        if self._stage is _Stage.READING and self._body.is_stream:
            told = None if how is Cut.EXTRA else self._body.told()
            self._ended(told or StreamEnd.DISCONNECT, at)
        elif self._stage is _Stage.WAITING:
            self._fail(FailureReason.WRITE if how is Cut.WRITE else FailureReason.READ, at)
        else:
            self._fail(FailureReason.DISCONNECT, at)

    def unheard(self) -> None:
        """The server had closed the kept connection, and never saw the request: the attempt goes on."""
        self._stage = _Stage.OPENING
        self._connection.open()

    def left(self, how: Cut) -> None:
        """The other side ended the idle connection; the next attempt opens it again."""

    # ==== The end of an attempt ============================================================================

    def overdue(self, now: float) -> float:
        """End the attempt if its time is over; else the moment at which it will be."""
        if self._stage is _Stage.OPENING:
            deadline = self._began + min(CONNECT_SECONDS, self._load.timeout_seconds)
        elif self._stage is _Stage.WAITING:
            deadline = self._began + self._load.timeout_seconds
        else:
            over = self._began + self._load.timeout_seconds
            deadline = min(over, self._heard + self._load.stall_after_seconds)
        if now < deadline:
            is_opening = self._stage is _Stage.OPENING
            return min(deadline, self._connection.pass_over(now)) if is_opening else deadline
        if self._stage is _Stage.OPENING:
            self._connection.abandon()
            self._fail(FailureReason.CONNECT, now)
            return now
        self._connection.close()
        if self._stage is _Stage.WAITING or deadline == self._began + self._load.timeout_seconds:
            self._give_up(StreamEnd.TIMEOUT, FailureReason.TIMEOUT, now)
        else:
            self._give_up(StreamEnd.STALLED, FailureReason.STALLED, now)
        return now

    def _give_up(self, end: StreamEnd, reason: FailureReason, now: float) -> None:
        if self._stage is _Stage.READING and self._body.is_stream:
            self._ended(self._body.told() or end, now)
        else:
            self._fail(reason, now)

    def lingers(self, now: float, for_seconds: float = LINGER_SECONDS) -> None:
        """Its stream has told its end, and its body has none: it is no longer waited for after so long."""
        if now - self._heard >= for_seconds:
            self._connection.close()
            self._ended(self._body.end(), self._heard)

    def _ended(self, end: StreamEnd, at: float) -> None:
        """A stream did."""
        scan, pair, account = self._body.scan, self._pair, self._load.account
        self._load.lingering.discard(self)
        pair.end(end)
        self._load.ended(self._asked, end, scan.done_seen)
        if scan.checked:
            pair.count(Counter.CHECKED, scan.checked)
            pair.count(Counter.DISAGREED, scan.disagreed)
        if end is StreamEnd.ABORTED:
            account.aborted += 1
            self._over(is_lost=False)
        elif end is StreamEnd.COMPLETE:
            self._complete(at)
            account.statuses[self._status] += 1
            self._over(is_lost=False)
        else:
            self._fail(FailureReason(end.value), at)

    def _complete(self, at: float) -> None:
        scan, since, sent_at = self._body.scan, self._since, self._connection.sent_at
        assert scan.first_token_at is not None
        self._load.lengths[id(self._asked)] = scan.token_events
        self._load.tally.response(self._place, self._status, at - since, at)
        self._load.timed(self, max(scan.first_token_at - sent_at, 0.0), at - sent_at)
        count_complete(self._pair, scan, self._body.reads, since, at, self._load.goodput)

    def _take_plain(self, at: float) -> None:
        """A whole 2xx answer that is no stream; its lag is that of its last read."""
        stamps = self._stamps
        self._pair.lag(stamps.now - at if stamps.stamped else None)
        meaning = self._body.meaning
        if meaning.in_band:
            self._fail(FailureReason.IN_BAND, at)
            return
        if meaning.output_tokens:
            self._pair.count(Counter.OUTPUT_TOKENS, meaning.output_tokens)
        if meaning.input_tokens:
            self._pair.count(Counter.INPUT_TOKENS, meaning.input_tokens)
        self._answered(at)

    def _refused(self, at: float) -> None:
        """A whole answer other than 2xx."""
        by = refused_by(self._status, self._headers, self._body.document[:KEPT_BYTES])
        if by is not None:
            router = by is RefusedBy.ROUTER
            self._pair.count(Counter.ROUTER_REFUSALS if router else Counter.UPSTREAM_REFUSALS)
        self._answered(at)

    def _answered(self, at: float) -> None:
        if self._status < 300:
            self._load.timed(self, None, at - self._connection.sent_at)
        self._load.tally.response(self._place, self._status, at - self._since, at)
        self._load.account.statuses[self._status] += 1
        self._over(is_lost=False)

    def _fail(self, reason: FailureReason, at: float) -> None:
        if self._stage is _Stage.IDLE:
            since = at
        else:
            since = self._began if self._stage is _Stage.OPENING else self._since
        self._load.tally.failure(self._place, reason, at - since, at)
        self._load.account.failures[reason] += 1
        if self._stage is not _Stage.IDLE:
            self._over(is_lost=reason in _LOST)

    @property
    def _since(self) -> float:
        """From when its times count."""
        return self._connection.sent_at if self._due is None else self._due

    def _over(self, is_lost: bool) -> None:
        self._stage = _Stage.IDLE
        self._body.clear()
        self._load.freed(self, is_lost)


_LOST = frozenset({FailureReason.CONNECT, FailureReason.READ, FailureReason.WRITE, FailureReason.DISCONNECT})
"""of the connection: what comes of trying again at once"""
