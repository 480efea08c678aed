"""`--direct`: requests through the router and past it; of the latter only the differences are counted."""

import threading
import time
from dataclasses import replace

import pytest

from exporter.live.overhead import MIN_PAIRS
from exporter.load.stream.schedule import Arrivals
from tests.support.raw_peer import Peer, RawPeer, Script
from tests.support.stream_load import Counted, asked, load, shape_of

TOKEN = b'data: {"choices":[{"index":0,"delta":{"content":"hi"}}]}\n\n'
FINISH = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
PLAIN = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


class Server:
    """Streams whose first token and whose end come after so long; keeps what it was asked."""

    def __init__(self, first_seconds: float, rest_seconds: float) -> None:
        self._first, self._rest = first_seconds, rest_seconds
        self._lock = threading.Lock()
        self.requests: list[bytes] = []

    def script(self, peer: Peer) -> None:
        while (request := peer.request()) is not None:
            with self._lock:
                self.requests.append(request)
            if b'"stream": true' not in request:
                peer.send(PLAIN)
                continue
            time.sleep(self._first)
            peer.send(HEAD + b"Content-Length: %d\r\n\r\n" % len(TOKEN + FINISH) + TOKEN)
            time.sleep(self._rest)
            peer.send(FINISH)


def answering(*parts: bytes) -> Script:
    def script(peer: Peer) -> None:
        while peer.request() is not None:
            peer.send(*parts)

    return script


def paired(router: Script, node: Script, **options: object) -> Counted:
    requests = [replace(asked(), direct_endpoint="/node/v1/chat/completions")]
    with RawPeer(router) as through, RawPeer(node) as past:
        shape = shape_of(requests, direct=past.url, **options.pop("shape", {}))  # type: ignore[arg-type]
        return load(through.url, shape, **options)  # type: ignore[arg-type]


def test_the_difference_of_first_token_and_total_is_counted_with_its_interval() -> None:
    router, node = Server(0.03, 0.02), Server(0.01, 0.0)
    counted = paired(router.script, node.script, max_requests=21)

    assert counted.ends == {"complete": 21}
    assert counted.account.sent == counted.account.responses == len(router.requests) == 21
    # The last one's half past the router is not waited for.
    assert len(node.requests) in (20, 21)
    assert all(each.startswith(b"POST /node/v1/chat/completions HTTP/1.1\r\n") for each in node.requests)
    first, total = counted.streams.overhead_first_token, counted.streams.overhead_total
    assert first is not None and total is not None
    assert first.pairs == total.pairs
    assert (first.pairs or 0) >= 20
    # What sleeps may wake late, and never early.
    assert first.low > 0.005
    assert total.low > 0.02
    assert first.low <= first.median <= first.high


def test_a_router_that_is_faster_than_its_node_is_below_zero() -> None:
    counted = paired(Server(0.0, 0.0).script, Server(0.02, 0.0).script, max_requests=13)

    assert counted.streams.overhead_first_token is not None
    assert counted.streams.overhead_first_token.high < 0


@pytest.mark.parametrize("arrivals", Arrivals)
def test_an_open_load_has_pairs_and_keeps_its_times(arrivals: Arrivals) -> None:
    router, node = Server(0.004, 0.0), Server(0.002, 0.0)
    counted = paired(
        *(router.script, node.script),
        shape={"rate": 100.0, "arrivals": arrivals},
        connections=60,
        max_requests=60,
    )

    assert counted.account.sent == len(router.requests) == 60
    assert (counted.ends, counted.streams.skipped) == ({"complete": 60}, 0)
    assert counted.streams.overhead_total is not None
    assert (counted.streams.overhead_total.pairs or 0) >= MIN_PAIRS


def test_the_halves_past_the_router_come_in_changing_order_and_of_the_same_request() -> None:
    log: list[tuple[str, bytes]] = []

    def noting(name: str) -> Script:
        server = Server(0.0, 0.0)

        def script(peer: Peer) -> None:
            receive = peer.request

            def request() -> bytes | None:
                found = receive()
                if found is not None:
                    log.append((name, found.partition(b"\r\n\r\n")[2]))
                return found

            peer.request = request  # type: ignore[method-assign]
            server.script(peer)

        return script

    bodies = [b'{"stream": true, "a": %d}' % number for number in range(3)]
    requests = [asked(body=body) for body in bodies]
    with RawPeer(noting("through")) as through, RawPeer(noting("past")) as past:
        load(through.url, shape_of(requests, direct=past.url), max_requests=9)

    assert [name for name, _ in log[:8]] == ["through", "past", "past", "through"] * 2
    assert all(first[1] == second[1] for first, second in zip(log[:16:2], log[1:16:2], strict=True))
    assert len({body for _, body in log}) > 1


@pytest.mark.parametrize(
    ("node", "why"),
    [
        (answering(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"), "answers 404"),
        (answering(HEAD + b"Content-Length: %d\r\n\r\n" % len(TOKEN) + TOKEN), "ends a stream as truncated"),
        (answering(b"no HTTP"), "cut an answer off"),
        (lambda peer: peer.fin(), "cut an answer off"),
    ],
    ids=["status", "truncated", "no HTTP", "closed"],
)
def test_a_node_that_fails_makes_no_pair_harms_no_attempt_and_is_said_once(
    capfd: pytest.CaptureFixture[str], node: Script, why: str
) -> None:
    counted = paired(Server(0.0, 0.0).script, node, max_requests=9)

    assert (counted.ends, counted.failures) == ({"complete": 9}, {})
    assert counted.streams.overhead_total is None
    [line] = capfd.readouterr().err.splitlines()
    assert line.startswith("--direct: 127.0.0.1:")
    assert line.endswith(f" {why}; such pairs are not counted")


def test_a_node_that_is_silent_in_an_answer_is_not_waited_for() -> None:
    head = HEAD + b"Content-Length: 999\r\n\r\n" + TOKEN
    counted = paired(Server(0.0, 0.0).script, answering(head), max_requests=3, stall_after=0.2)

    assert counted.ends == {"complete": 3}


def test_of_a_router_that_fails_the_node_is_not_asked() -> None:
    node = Server(0.0, 0.0)
    refusing = answering(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")
    counted = paired(refusing, node.script, max_requests=4)

    assert counted.account.statuses == {503: 4}
    # The order changes with each pair: the node is first in every second one.
    assert len(node.requests) == 2
    assert counted.status.streams is None or counted.streams.overhead_total is None


def test_plain_answers_have_a_total_alone() -> None:
    with RawPeer(Server(0, 0).script) as through, RawPeer(Server(0, 0).script) as past:
        shape = shape_of([asked(stream=False)], direct=past.url)
        counted = load(through.url, shape, max_requests=13)

    assert counted.account.statuses == {200: 13}
    assert counted.streams.overhead_total is not None
    assert counted.streams.overhead_first_token is None


def test_the_key_of_the_router_stays_with_it() -> None:
    router, node = Server(0.0, 0.0), Server(0.0, 0.0)
    headers = (("Authorization", "Bearer sk-secret"), ("X-Tenant", "blue"))
    paired(router.script, node.script, max_requests=5, headers=headers)

    assert all(b"sk-secret" in each and b"X-Tenant: blue" in each for each in router.requests)
    assert node.requests
    assert all(b"sk-secret" not in each and b"X-Tenant: blue" in each for each in node.requests)
