"""Past the router: the same request at a node itself, for `--direct URL`.

Nothing of it is an attempt of the load: it is in no count, only in the differences of pairs (pairing.py).
"""

from collections.abc import Callable, Iterable
from functools import partial
from typing import NamedTuple

from exporter.live.message import StreamEnd
from exporter.load.stream.answer_body import ANSWER_BYTES, AnswerBody
from exporter.load.stream.apis import Api
from exporter.load.stream.connection import Connection
from exporter.load.stream.port import Cut, Port
from exporter.load.stream.scan import StreamScan
from exporter.load.stream.shape import Asked
from exporter.load.stream.target import Requests
from exporter.load.stream.timers import Timers
from exporter.settings.placeholders import is_secret

_OF_THE_ROUTER = frozenset({"host", "accept-encoding"})


class Times(NamedTuple):
    """How long one half of a pair took, from the last byte of its request written (s)."""

    first_token: float | None
    """None: it was no stream"""
    total: float


Done = Callable[[Times | None], None]
"""gets the times of a complete stream or a whole 2xx answer, None for anything else"""


def headers_past(headers: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """The headers of the load that a node gets too: none that may be a secret, which are the router's."""
    return tuple(
        (name, value)
        for name, value in headers
        if name.lower() not in _OF_THE_ROUTER and not is_secret(name, value)
    )


class DirectHalf:
    """A keep-alive connection to the node, and one request at a time on it."""

    def __init__(
        self,
        port: Port,
        timers: Timers,
        headers: tuple[tuple[str, str], ...],
        timeout_seconds: float,
        stall_after_seconds: float,
        scan: Callable[[Api], StreamScan],
        complain: Callable[[str], None],
    ) -> None:
        """`headers` are those of the load; `complain` gets a line for the user where a half fails."""
        self._host = port.target.host
        self._requests = Requests(port.target.host, headers_past(headers))
        self._timers, self._now = timers, port.stamps.monotonic
        self._timeout_seconds, self._stall_after_seconds = timeout_seconds, stall_after_seconds
        self._deadline = 0.0
        self._heard: float | None = None
        """when its answer was heard of last; None: it has none"""
        self._body = AnswerBody(scan)
        self._complain = complain
        self._connection = Connection(port, self)
        self._done: Done | None = None
        self._number = 0

    @property
    def is_busy(self) -> bool:
        """Whether a request is under way."""
        return self._done is not None

    def ask(self, asked: Asked, done: Done) -> None:
        """Send it, on a new connection where the old one is gone; `done` is called once, later."""
        self._asked, self._done = asked, done
        self._number += 1
        self._deadline, self._heard = self._now() + self._timeout_seconds, None
        self._look(self._number)
        connection = self._connection
        if connection.is_open and connection.is_usable():
            self._send()
        else:
            connection.open()

    def close(self) -> None:
        """What is under way comes to nothing."""
        self._done = None
        self._connection.close()

    def _send(self) -> None:
        asked = self._asked
        self._connection.send(self._requests.of(asked.direct_endpoint or asked.endpoint, asked.body))

    def _look(self, number: int) -> None:
        """Whether this request's time is over; else look again when it may be."""
        if number != self._number or not self.is_busy:
            return
        now, silent = self._now(), self._stall_after_seconds
        if now >= self._deadline:
            self._fail(f"has not answered within {self._timeout_seconds:g} s")
        elif self._heard is not None and now - self._heard >= silent:
            self._fail(f"was silent for {silent:g} s in an answer")
        else:
            heard = now if self._heard is None else self._heard
            self._timers.at(min(heard + silent, self._deadline), partial(self._look, number))

    def _fail(self, why: str) -> None:
        self._connection.close()
        self._complain(f"--direct: {self._host} {why}; such pairs are not counted")
        self._end(None)

    def _end(self, times: Times | None) -> None:
        done, self._done = self._done, None
        if done is not None:
            done(times)

    # ==== What the connection tells ========================================================================

    def opened(self) -> None:
        """The request can be sent."""
        self._send()

    def not_opened(self) -> None:
        """The node does not take the connection."""
        self._fail("takes no connection")

    def head(self, status: int, headers: dict[bytes, bytes]) -> None:
        """The head of the answer."""
        self._heard = self._now()
        if not 200 <= status < 300:
            self._fail(f"answers {status}")
        elif b"content-encoding" in headers:
            self._fail("answers in an encoding that nobody asked for")
        else:
            self._body.begin(self._asked, status, headers)

    def body(self, data: bytes, at: float) -> None:
        """A part of the answer's body."""
        self._heard = self._now()
        self._body.take(data, at)

    def whole(self, at: float) -> None:
        """The answer is whole."""
        sent_at = self._connection.sent_at
        if self._asked.stream:
            end, first = self._body.end(), self._body.scan.first_token_at
            if end is not StreamEnd.COMPLETE or first is None:
                self._fail(f"ends a stream as {end.value}")
            else:
                self._end(Times(max(first - sent_at, 0.0), at - sent_at))
            return
        # Of a longer answer nobody knows whether it is an error.
        if len(self._body.document) > ANSWER_BYTES or self._body.meaning.in_band:
            self._fail("answers with an error, or at great length")
        else:
            self._end(Times(None, at - sent_at))

    def cut(self, how: Cut, at: float) -> None:
        """The answer will not be whole."""
        if self.is_busy:
            self._fail("cut an answer off")

    def unheard(self) -> None:
        """The node had closed the kept connection, and never saw the request."""
        self._connection.open()

    def left(self, how: Cut) -> None:
        """The node ended the idle connection; the next request opens it again."""
