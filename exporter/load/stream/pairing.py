"""Pairs of one request, through the router and past it, one half after the other, in changing order.

Both halves ask the same within moments, so what differs between them is the router's. A pair counts where
both halves came whole; the half through the router is an attempt like any other.
"""

from collections.abc import Callable, Hashable, Sequence

from exporter.live.histogram import Histogram
from exporter.load.stream.direct import DirectHalf, Times
from exporter.load.stream.shape import Draw
from exporter.load.stream.tally import Tally

PAIRED_CLIENTS = 10
"""of so many clients of a closed load one makes pairs, and of a worker's at least one"""


class Pairing:
    """One pair after the other, on one connection past the router."""

    def __init__(self, node: DirectHalf, tally: Tally) -> None:
        self._node = node
        self._tally = tally
        self.node_first = False
        """the order of the next pair, and of the one under way"""
        self._draw: Draw | None = None
        self._past: Times | None = None
        self._through: Times | None = None

    @property
    def is_under_way(self) -> bool:
        """Whether a pair is."""
        return self._draw is not None

    @property
    def came_through(self) -> bool:
        """Whether the half through the router came whole."""
        return self._through is not None

    def begin(self, draw: Draw) -> None:
        """Begin a pair of this request."""
        self._draw = draw
        self._past = self._through = None

    def ask_node(self, then: Callable[[], None]) -> None:
        """Send the half past the router; `then` is called when it is over, whatever came of it."""
        assert self._draw is not None

        def done(times: Times | None) -> None:
            self._past = times
            then()

        self._node.ask(self._draw.asked, done)

    def took(self, times: Times) -> None:
        """The half through the router came whole, in this time."""
        self._through = times

    def end(self) -> None:
        """The pair is over; the next one has the other order."""
        draw, past, through = self._draw, self._past, self._through
        self._draw = None
        self.node_first = not self.node_first
        if draw is None or past is None or through is None:
            return
        pair = self._tally.pairs[draw.asked.pair]
        differences = [(through.total - past.total, Histogram.TOTAL_OVER, Histogram.TOTAL_UNDER)]
        if through.first_token is not None and past.first_token is not None:
            first = through.first_token - past.first_token
            differences.append((first, Histogram.FIRST_TOKEN_OVER, Histogram.FIRST_TOKEN_UNDER))
        for seconds, over, under in differences:
            pair.observe(over if seconds >= 0 else under, abs(seconds))

    def close(self) -> None:
        """What is under way comes to nothing."""
        self._draw = None
        self._node.close()


class ClosedPairs:
    """Pairs of a closed load: one in PAIRED_CLIENTS makes them, and waits for the half past the router."""

    def __init__(self, clients: Sequence[Hashable], pairing: Callable[[], Pairing]) -> None:
        self._pairings = {client: pairing() for client in clients[::PAIRED_CLIENTS]}
        self.waiting = 0
        """attempts that are sent once the half past the router is over"""

    def begin(self, client: Hashable, draw: Draw, send: Callable[[], None]) -> None:
        """The client's next attempt: `send` it, now or behind the half past the router."""
        pairing = self._pairings.get(client)
        if pairing is None or draw.abort_after is not None:
            send()
            return
        pairing.begin(draw)
        if not pairing.node_first:
            send()
            return

        def go_on() -> None:
            self.waiting -= 1
            send()

        self.waiting += 1
        pairing.ask_node(go_on)

    def took(self, client: Hashable, times: Times) -> None:
        """The client's attempt came whole."""
        pairing = self._pairings.get(client)
        if pairing is not None and pairing.is_under_way:
            pairing.took(times)

    def over(self, client: Hashable, go_on: Callable[[], None]) -> None:
        """The client's attempt is over: `go_on`, now or behind the half past the router."""
        pairing = self._pairings.get(client)
        if pairing is None or not pairing.is_under_way:
            go_on()
            return

        def end() -> None:
            pairing.end()
            go_on()

        if pairing.came_through and not pairing.node_first:
            pairing.ask_node(end)
        else:
            end()

    def close(self) -> None:
        """What is under way comes to nothing."""
        for pairing in self._pairings.values():
            pairing.close()


class OpenPairs:
    """Pairs of an open load, which nothing holds up: the half past the router goes when there is time.

    Where that one is first it is sent as soon as nothing is due, and asks what is due next.
    """

    def __init__(self, pairing: Pairing) -> None:
        self._pairing = pairing
        self._ahead: Draw | None = None
        self._client: Hashable | None = None
        """whose attempt is the half through the router"""
        self._is_past_over = self._is_through_over = False

    def has_time(self, next_draw: Callable[[], Draw]) -> None:
        """Nothing is due now."""
        pairing = self._pairing
        if pairing.is_under_way or not pairing.node_first or self._ahead is not None:
            return
        self._ahead = next_draw()
        if self._ahead.abort_after is None:
            self._begin(self._ahead)
            pairing.ask_node(self._past_over)

    def _begin(self, draw: Draw) -> None:
        self._pairing.begin(draw)
        self._is_past_over = self._is_through_over = False

    def next(self, next_draw: Callable[[], Draw]) -> tuple[Draw, bool]:
        """What is due now, and whether its half past the router has been sent."""
        draw, self._ahead = self._ahead, None
        if draw is None:
            return next_draw(), False
        return draw, draw.abort_after is None

    def sent(self, client: Hashable, draw: Draw, is_half: bool) -> None:
        """It is sent by this client."""
        pairing = self._pairing
        if not is_half:
            if pairing.is_under_way or pairing.node_first or draw.abort_after is not None:
                return
            self._begin(draw)
        self._client = client

    def skipped(self, is_half: bool) -> None:
        """It is not sent."""
        if is_half:
            self._through_over()

    def took(self, client: Hashable, times: Times) -> None:
        """The client's attempt came whole."""
        if client is self._client:
            self._pairing.took(times)

    def over(self, client: Hashable) -> None:
        """The client's attempt is over."""
        if client is self._client:
            self._client = None
            self._through_over()

    def _through_over(self) -> None:
        pairing = self._pairing
        self._is_through_over = True
        if pairing.came_through and not pairing.node_first:
            pairing.ask_node(self._past_over)
        elif self._is_past_over or not pairing.node_first:
            pairing.end()

    def _past_over(self) -> None:
        self._is_past_over = True
        if self._is_through_over:
            self._pairing.end()

    def close(self) -> None:
        """What is under way comes to nothing."""
        self._pairing.close()
