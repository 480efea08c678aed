"""Who sends when: a fixed set of clients, closed (each as soon as it can) or open (when it is due)."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from exporter.live.histogram import Histogram
from exporter.live.message import Counter, StreamEnd
from exporter.load.stream.account import Account
from exporter.load.stream.apis import Api
from exporter.load.stream.client import CONNECT_SECONDS, Client
from exporter.load.stream.connection import ADDRESS_SECONDS
from exporter.load.stream.direct import DirectHalf, Times
from exporter.load.stream.done_advice import DoneAdvice
from exporter.load.stream.event_shape import EventShapes
from exporter.load.stream.pairing import ClosedPairs, OpenPairs, Pairing
from exporter.load.stream.port import Port
from exporter.load.stream.scan import StreamScan
from exporter.load.stream.schedule import Schedule
from exporter.load.stream.shape import Asked, Draw, Draws, StreamShape
from exporter.load.stream.tally import Tally
from exporter.load.stream.target import Requests
from exporter.load.stream.timers import Timers
from exporter.load.stream.worker_plan import Limits

BACKOFF_AFTER, BACKOFF_MAX_MS = 2, 256
"""attempts lost in a row before a client waits, 2 ms and then twice as long each time: as live.lua does"""
START_SPACING_SECONDS = 0.001
"""between the first requests of a closed load: streams that begin in one moment have their tokens in the same
moments ever after, and the first figures would be those of a burst"""

DUE_AT_ONCE = 100
"""of an open load that falls behind, before answers are read again"""
MAX_REST = 1_000_000
"""requests that are counted at the end as due and not sent; a load so late is in no figure that counts"""


@dataclass(frozen=True)
class Left:
    """What is in flight when a load ends: neither a success nor a failure."""

    in_flight: int
    stalled: int
    """of those, without the head of an answer for `--stall-after`"""
    waiting_seconds: float
    """the longest that one has been without the head of an answer"""


class Traffic:
    """The load of one worker.

    `tell` is called where a report is to be sent at once, `say` with a line for the user, and `finished` once
    all that may be sent is over.
    """

    def __init__(
        self,
        shape: StreamShape,
        worker: int,
        limits: Limits,
        headers: tuple[tuple[str, str], ...],
        port: Port,
        timers: Timers,
        tally: Tally,
        tell: Callable[[], None],
        say: Callable[[str], None],
        finished: Callable[[], None],
        node: Port | None = None,
    ) -> None:
        """`say` gets a line for the user; `node` is what paired requests go to, past the router."""
        self.tally = tally
        self.account = Account()
        self.goodput = shape.goodput
        self.stall_after_seconds = limits.stall_after_seconds
        self.timeout_seconds = shape.timeout_seconds
        opening = CONNECT_SECONDS if len(port.target.addresses) == 1 else ADDRESS_SECONDS
        self._soonest_seconds = min(self.stall_after_seconds, self.timeout_seconds, opening)
        """in which an attempt's time can be over"""
        self.lengths: dict[int, int] = {}
        self.lingering: set[Client] = set()
        self.in_flight = 0
        self._shape = shape
        self._worker = worker
        self._headers = headers
        self._requests = Requests(port.target.host, headers)
        self._shapes: dict[Api, EventShapes] = {}
        self._draws = Draws(shape, worker)
        self._schedule = (
            None
            if shape.rate is None
            else Schedule(shape.rate, shape.arrivals, shape.seed, worker, shape.workers)
        )
        self._due = 0
        """how many were due so far"""
        self._begun = 0.0
        self._timers, self._now = timers, port.stamps.monotonic
        self._tell, self._say, self._finished = tell, say, finished
        self._advice = DoneAdvice(shape.complete_on_done)
        self._is_first = worker == 0
        """of the workers, for what is to be said once"""
        self._ended = False
        self.clients = [Client(port, self) for _ in range(limits.clients)]
        self._idle = self.clients[::-1]
        self._left = limits.max_requests
        self._owed = 0 if self._schedule else len(self.clients)
        """clients of a closed load that have not begun: one of what is left is for each"""
        self._has_complained = False
        self._closed_pairs: ClosedPairs | None = None
        self._open_pairs: OpenPairs | None = None
        if node is not None and self._schedule is not None:
            self._open_pairs = OpenPairs(self._pairing(node))
        elif node is not None:
            self._closed_pairs = ClosedPairs(self.clients, partial(self._pairing, node))

    def _pairing(self, node: Port) -> Pairing:
        half = DirectHalf(
            *(node, self._timers, self._headers, self.timeout_seconds, self.stall_after_seconds),
            *(self.scan, self._complain),
        )
        return Pairing(half, self.tally)

    def _complain(self, line: str) -> None:
        """Say once what was wrong with a half of a pair: a node that is away for a while fails a thousand."""
        if self._is_first and not self._has_complained:
            self._has_complained = True
            self._say(line)

    def begin(self, at: float) -> None:
        """The load begins, at this moment (monotonic s)."""
        self._begun = at
        if self._schedule is not None:
            self._send_due()
        else:
            for place, client in enumerate(self.clients):
                later = (place * self._shape.workers + self._worker) * START_SPACING_SECONDS
                self._timers.at(at + later, partial(self._next, client))

    def end(self, now: float) -> Left:
        """Nothing more is sent, and every connection closed."""
        self._ended = True
        self._skip_rest(now)
        for client in tuple(self.lingering):
            client.lingers(now, 0.0)
        self.look(now)
        waits = [client.waits(now) for client in self.clients]
        left = Left(self.in_flight, self._stalled(waits), max(waits, default=0.0))
        for client in self.clients:
            client.leave()
        if self._closed_pairs is not None:
            self._closed_pairs.close()
        if self._open_pairs is not None:
            self._open_pairs.close()
        return left

    @property
    def connections(self) -> int:
        """Those of a closed load; of an open one as many as were ever needed."""
        return len(self.clients) if self._schedule is None else sum(each.has_begun for each in self.clients)

    def stalled(self, now: float) -> int:
        """How many requests in flight have had no head of an answer for `--stall-after`."""
        return self._stalled(client.waits(now) for client in self.clients)

    def _stalled(self, waits: Iterable[float]) -> int:
        return sum(seconds >= self.stall_after_seconds for seconds in waits)

    def look(self, now: float) -> None:
        """Once a second: whose stream has told its end is not waited for, and how long the others have."""
        for client in tuple(self.lingering):
            client.lingers(now)
        if self.in_flight:
            self.tally.waited(
                max(now - client.in_flight_since for client in self.clients if client.is_active), now
            )

    # ==== What a client asks ===============================================================================

    def request(self, asked: Asked) -> bytes:
        """What is sent."""
        return self._requests.of(asked.endpoint, asked.body)

    def scan(self, api: Api) -> StreamScan:
        """A new one, which learns with the others of its API."""
        shapes = self._shapes.setdefault(api, EventShapes())
        return StreamScan(api, self._shape.complete_on_done, self._shape.check_every, shapes)

    def ended(self, asked: Asked, end: StreamEnd, done_seen: bool) -> None:
        """A stream did."""
        line = self._advice.ended(asked.api, end, done_seen)
        if line is not None and self._is_first:
            self._say(line)

    def timed(self, client: Client, first_token_seconds: float | None, total_seconds: float) -> None:
        """Its answer came whole, so long after its request was written."""
        if self._closed_pairs is not None:
            self._closed_pairs.took(client, Times(first_token_seconds, total_seconds))
        elif self._open_pairs is not None:
            self._open_pairs.took(client, Times(first_token_seconds, total_seconds))

    def freed(self, client: Client, is_lost: bool) -> None:
        """Its attempt is over."""
        self.in_flight -= 1
        if self.tally.has_news:
            self._tell()
        if self._ended:
            return
        if self._schedule is not None:
            self._idle.append(client)
            if self._open_pairs is not None:
                self._open_pairs.over(client)
            self._end_if_done()
        elif self._closed_pairs is not None:
            self._closed_pairs.over(client, partial(self._go_on, client, is_lost))
        else:
            self._go_on(client, is_lost)

    # ==== Sending ==========================================================================================

    def _go_on(self, client: Client, is_lost: bool) -> None:
        """A closed load: the client's next attempt, at once unless it loses one after the other."""
        client.lost_in_a_row = client.lost_in_a_row + 1 if is_lost else 0
        if client.lost_in_a_row > BACKOFF_AFTER:
            wait_ms = min(2 ** min(client.lost_in_a_row - BACKOFF_AFTER, 10), BACKOFF_MAX_MS)
            self._timers.at(self._now() + wait_ms / 1000, partial(self._next, client))
        else:
            self._next(client)

    def _next(self, client: Client) -> None:
        """A closed load: the client's next attempt."""
        if self._ended:
            return
        if not client.has_begun:
            self._owed -= 1
        if self._left is not None:
            if self._left <= self._owed:
                self._end_if_done()
                return
            self._left -= 1
        draw = self._draws.next()
        if self._closed_pairs is not None:
            self._closed_pairs.begin(client, draw, partial(self._begin_attempt, client, draw, None))
        else:
            self._begin_attempt(client, draw, None)

    def _begin_attempt(self, client: Client, draw: Draw, due: float | None) -> None:
        self.in_flight += 1
        if due is not None:
            late = self._now() - due
            self.tally.pairs[draw.asked.pair].observe(Histogram.SEND_LATENESS, late)
        client.begin(draw, due)
        if not client.watched:
            client.watched = True
            self._watch(client)

    def _send_due(self) -> None:
        """An open load: all that is due by now; what finds no free client is skipped, and counted."""
        schedule, pairs = self._schedule, self._open_pairs
        assert schedule is not None
        last = self._due + DUE_AT_ONCE
        while not self._ended and self._left != 0:
            due = self._begun + schedule.due(self._due)
            now = self._now()
            if due > now or self._due == last:
                self._timers.at(max(due, now), self._send_due)
                if pairs is not None and due > now:
                    pairs.has_time(self._draws.next)
                return
            self._due += 1
            draw, is_half = pairs.next(self._draws.next) if pairs else (self._draws.next(), False)
            if not self._idle:
                self._skip(draw.asked)
                if pairs is not None:
                    pairs.skipped(is_half)
                continue
            if self._left is not None:
                self._left -= 1
            client = self._idle.pop()
            if pairs is not None:
                pairs.sent(client, draw, is_half)
            self._begin_attempt(client, draw, due)
        self._end_if_done()

    def _skip(self, asked: Asked) -> None:
        self.tally.pairs[asked.pair].count(Counter.SKIPPED)
        self.account.skipped += 1

    def _skip_rest(self, now: float) -> None:
        """What was due by the end of an open load, and is behind others that were late."""
        schedule = self._schedule
        if schedule is None or self._left == 0:
            return
        for number in range(self._due, self._due + MAX_REST):
            if self._begun + schedule.due(number) > now:
                return
            self._skip(self._draws.next().asked)

    def _end_if_done(self) -> None:
        """Where nothing is left to send or to wait for; from the begin on where a worker has no share."""
        if self._closed_pairs is not None and self._closed_pairs.waiting:
            return
        if self._left == 0 and not self.in_flight:
            self._finished()

    def _watch(self, client: Client) -> None:
        """Look after its time; the next look is no later than any state's earliest end can be."""
        now = self._now()
        if self._ended or not client.is_active:
            client.watched = False
            return
        over = client.overdue(now)
        if client.is_active:
            soonest = now + self._soonest_seconds
            # An attempt that ended just now may have made room for the next.
            self._timers.at(min(over, soonest) if over > now else soonest, partial(self._watch, client))
        else:
            client.watched = False
