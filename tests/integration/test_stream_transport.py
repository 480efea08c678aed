"""The streaming engine's connections against servers of raw sockets: framing, ends, failures, keep-alive."""

import gzip
import json
import socket
import ssl
import threading
import zlib
from urllib.parse import urlsplit

import pytest
import trustme

from exporter.load.stream import connection, worker
from exporter.load.stream.connection import Connection
from exporter.load.stream.target import Target
from tests.support.raw_peer import Peer, RawPeer, Script
from tests.support.stream_load import asked, load, shape_of

TOKEN = b'data: {"choices":[{"index":0,"delta":{"content":"hi"}}]}\n\n'
FINISH = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
STREAM = TOKEN + TOKEN + FINISH + b"data: [DONE]\n\n"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
OLD_HEAD = HEAD.replace(b"1.1", b"1.0")
GZIPPED = HEAD + b"Content-Encoding: gzip\r\n"
DEFLATED = HEAD + b"content-encoding: DEFLATE\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
ERROR = b'data: {"error":{"message":"no"}}\n\n'
EXTENSION = b"1d;name=value\r\n" + STREAM[:29] + b"\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
JSON_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
PLAIN = shape_of([asked(stream=False)])
COMPLETION = json.dumps(
    {"choices": [{"message": {"content": "pong"}}], "usage": {"prompt_tokens": 8, "completion_tokens": 3}}
).encode()


def chunks(*parts: bytes) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)


def sized(body: bytes, head: bytes = HEAD) -> bytes:
    return head + b"Content-Length: %d\r\n\r\n" % len(body) + body


def always(*parts: bytes, then: str = "") -> Script:
    """Answers every request so, and then ends the connection in a way, or keeps it."""

    def script(peer: Peer) -> None:
        while peer.request() is not None:
            peer.send(*parts)
            if then:
                getattr(peer, then)()
                return

    return script


def whole_chunked(*parts: bytes) -> tuple[bytes, ...]:
    return (CHUNKED, chunks(*parts), b"0\r\n\r\n")


def gzipped(body: bytes) -> bytes:
    return sized(gzip.compress(body), GZIPPED)


@pytest.mark.parametrize(
    ("parts", "connections"),
    [
        pytest.param((sized(STREAM),), 1, id="length"),
        pytest.param(whole_chunked(STREAM), 1, id="chunked"),
        pytest.param((CHUNKED + chunks(STREAM) + b"0\r\nX-Left: 1\r\nX-More: 2\r\n\r\n",), 1, id="trailers"),
        pytest.param((CHUNKED, EXTENSION, chunks(STREAM[29:]) + b"0\r\n\r\n"), 1, id="extension"),
        pytest.param((CONTINUE, HINTS + sized(STREAM)), 1, id="1xx"),
        pytest.param((gzipped(STREAM),), 1, id="gzip"),
        pytest.param((sized(zlib.compress(STREAM), DEFLATED),), 1, id="deflate"),
        pytest.param((sized(gzip.compress(TOKEN) + gzip.compress(STREAM), GZIPPED),), 1, id="gzip members"),
        pytest.param((sized(STREAM, OLD_HEAD + b"Connection: keep-alive\r\n"),), 1, id="1.0 kept"),
        pytest.param((sized(STREAM, HEAD + b"Connection: close\r\n"),), 3, id="close"),
        pytest.param((sized(STREAM, HEAD.replace(b"event-stream", b"plain")),), 1, id="called plain"),
        pytest.param((sized(STREAM, JSON_HEAD),), 1, id="called JSON"),
        pytest.param((sized(STREAM) + b"\r\n",), 1, id="an empty line behind it"),
    ],
)
def test_a_stream_is_complete_whatever_its_framing(parts: tuple[bytes, ...], connections: int) -> None:
    with RawPeer(always(*parts)) as peer:
        counted = load(peer.url, max_requests=3)
    assert (counted.ends, counted.failures) == ({"complete": 3}, {})
    assert counted.account.statuses == {200: 3}
    assert peer.connections == connections


@pytest.mark.parametrize("version", [b"HTTP/1.0", b"HTTP/1.1"])
def test_a_body_without_a_length_ends_with_the_connection(version: bytes) -> None:
    head = version + b" 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
    with RawPeer(always(head, STREAM, then="fin")) as peer:
        counted = load(peer.url, max_requests=2)
    assert (counted.ends, counted.failures, peer.connections) == ({"complete": 2}, {}, 2)
    with RawPeer(always(head, TOKEN, then="fin")) as peer:
        assert load(peer.url).ends == {"truncated": 1}
    with RawPeer(always(head, TOKEN, then="rst")) as peer:
        assert load(peer.url).ends == {"disconnect": 1}


def test_an_answer_is_read_in_whatever_pieces_it_comes() -> None:
    answer = CHUNKED + chunks(STREAM) + b"0\r\n\r\n"

    def script(peer: Peer) -> None:
        for _ in range(3):
            assert peer.request() is not None
            for place in range(len(answer)):
                peer.send(answer[place : place + 1])

    with RawPeer(script) as peer:
        counted = load(peer.url, max_requests=3)
    assert (counted.ends, counted.failures, peer.connections) == ({"complete": 3}, {}, 1)
    assert counted.streams.output_tokens == 6


@pytest.mark.parametrize(
    ("parts", "then", "reason"),
    [
        pytest.param((), "fin", "read", id="nothing, closed"),
        pytest.param((), "rst", "read", id="nothing, reset"),
        pytest.param((b"HTTP/1.1 200 OK\r\nContent-Ty",), "fin", "read", id="half a head"),
        pytest.param((b"SSH-2.0-OpenSSH_9.2\r\n",), "", "read", id="another protocol"),
        pytest.param((b"HTTP/1.1 777 No\r\nContent-Length: 0\r\n\r\n",), "", "read", id="no status of HTTP"),
        pytest.param((b"HTTP/1.1 000 No\r\nContent-Length: 3\r\n\r\nabc",), "", "read", id="the status 000"),
        pytest.param((b"HTTP/1.1 200 OK\r\nX: " + b"a" * 300_000,), "", "read", id="a head without end"),
    ],
)
def test_an_attempt_without_a_head_is_a_failure_alone(
    parts: tuple[bytes, ...], then: str, reason: str
) -> None:
    with RawPeer(always(*parts, then=then)) as peer:
        counted = load(peer.url)
    assert (counted.ends, counted.failures) == ({}, {reason: 1})
    assert counted.account.failures == {reason: 1}
    assert counted.status.responses == 0


@pytest.mark.parametrize(
    ("parts", "then", "end"),
    [
        pytest.param((CHUNKED, chunks(TOKEN)), "fin", "disconnect", id="cut"),
        pytest.param((CHUNKED, chunks(TOKEN, FINISH)), "fin", "disconnect", id="cut behind its finish"),
        pytest.param((CHUNKED, chunks(TOKEN)), "rst", "disconnect", id="reset"),
        pytest.param(
            (HEAD + b"Content-Length: 999\r\n\r\n", STREAM[:99]), "fin", "disconnect", id="too short"
        ),
        pytest.param((CHUNKED, chunks(TOKEN) + b"zz\r\n"), "", "disconnect", id="no chunk"),
        pytest.param(
            (sized(STREAM) + b"HTTP/1.1 200 OK\r\n\r\n",), "", "disconnect", id="an answer too much"
        ),
        pytest.param((sized(STREAM) + b"and more",), "", "disconnect", id="longer than its length"),
        pytest.param((sized(b"no gzip", GZIPPED),), "", "disconnect", id="no gzip"),
        pytest.param((sized(TOKEN),), "", "truncated", id="unfinished"),
        pytest.param((sized(TOKEN + b"data: [DONE]\n\n"),), "", "truncated", id="DONE without a reason"),
        pytest.param((sized(b""),), "", "empty", id="no body"),
        pytest.param((b"HTTP/1.1 204 No Content\r\n\r\n",), "", "empty", id="no content"),
        pytest.param((sized(FINISH),), "", "empty", id="no token"),
        pytest.param((sized(COMPLETION, JSON_HEAD),), "", "empty", id="a document in place of a stream"),
        pytest.param(
            (sized(b'{"error":{"message":"no"}}', JSON_HEAD),), "", "in_band", id="an error document"
        ),
        pytest.param((sized(TOKEN + ERROR),), "", "in_band", id="an error"),
        pytest.param((CHUNKED, chunks(TOKEN, ERROR)), "rst", "in_band", id="an error, reset"),
    ],
)
def test_a_stream_that_does_not_end_as_it_has_to_is_a_failure_of_that_name(
    parts: tuple[bytes, ...], then: str, end: str
) -> None:
    with RawPeer(always(*parts, then=then)) as peer:
        counted = load(peer.url)
    assert (counted.ends, counted.failures) == ({end: 1}, {end: 1})
    assert counted.status.responses == counted.account.responses == 0
    assert counted.streams.first_token["0.5"] is None


def test_what_a_complete_stream_has_told_stands_though_its_body_does_not_end() -> None:
    with RawPeer(always(CHUNKED, chunks(STREAM), then="rst")) as peer:
        assert load(peer.url).ends == {"complete": 1}
    with RawPeer(always(CHUNKED, chunks(STREAM), then="gone")) as peer:
        counted = load(peer.url, max_requests=2)
    assert (counted.ends, counted.failures, peer.connections) == ({"complete": 2}, {}, 2)


@pytest.mark.parametrize(
    ("told", "end"), [(STREAM, "complete"), (TOKEN + ERROR, "in_band"), (STREAM + ERROR, "in_band")]
)
def test_what_a_stream_has_told_counts_though_the_load_ends_before_its_body(told: bytes, end: str) -> None:
    with RawPeer(always(CHUNKED, chunks(told), then="gone")) as peer:
        counted = load(peer.url, max_requests=None, connections=2, seconds=1)
    assert set(counted.ends) == {end}
    # What the load's end met while it was asked anew has told nothing yet.
    assert sum(counted.ends.values()) + counted.in_flight == counted.account.sent


def test_an_error_is_not_waited_for_until_its_body_ends() -> None:
    with RawPeer(always(CHUNKED, chunks(TOKEN, ERROR), then="gone")) as peer:
        counted = load(peer.url, max_requests=2)
    assert (counted.ends, counted.failures, peer.connections) == ({"in_band": 2}, {"in_band": 2}, 2)
    assert counted.account.sent == 2


def test_silence_after_the_head_is_a_stall_and_before_it_a_timeout() -> None:
    with RawPeer(always(CHUNKED, chunks(TOKEN), then="gone")) as peer:
        counted = load(peer.url, stall_after=0.3)
    assert (counted.ends, counted.failures) == ({"stalled": 1}, {"stalled": 1})
    with RawPeer(always(then="gone")) as peer:
        counted = load(peer.url, shape_of(timeout_seconds=0.4), stall_after=0.1)
    assert (counted.ends, counted.failures) == ({}, {"timeout": 1})


def test_a_stream_that_goes_on_and_on_is_a_timeout() -> None:
    def script(peer: Peer) -> None:
        peer.request()
        peer.send(CHUNKED)
        tick = threading.Event()
        while not tick.wait(0.05):
            peer.send(chunks(TOKEN))

    with RawPeer(script) as peer:
        counted = load(peer.url, shape_of(timeout_seconds=0.5), stall_after=0.3)
    assert (counted.ends, counted.failures) == ({"timeout": 1}, {"timeout": 1})


def test_plain_answers_count_by_their_status_and_have_no_end() -> None:
    with RawPeer(always(sized(COMPLETION, JSON_HEAD))) as peer:
        counted = load(peer.url, PLAIN, max_requests=4)
    assert (counted.ends, counted.failures, counted.account.statuses) == ({}, {}, {200: 4})
    assert (counted.streams.output_tokens, counted.streams.input_tokens) == (12, 32)
    with RawPeer(always(sized(b'{"error":{"message":"no"}}', JSON_HEAD))) as peer:
        counted = load(peer.url, PLAIN)
    assert (counted.ends, counted.failures) == ({}, {"in_band": 1})
    with RawPeer(always(JSON_HEAD + b"Content-Length: 99\r\n\r\n{", then="fin")) as peer:
        counted = load(peer.url, PLAIN)
    assert (counted.ends, counted.failures) == ({}, {"disconnect": 1})


@pytest.mark.parametrize("status", [301, 307, 401, 404, 429, 500, 503])
def test_another_status_counts_by_itself_and_a_redirect_is_not_followed(status: int) -> None:
    answer = f"HTTP/1.1 {status} No\r\nLocation: /elsewhere\r\nContent-Length: 2\r\n\r\nno".encode()
    with RawPeer(always(answer)) as peer:
        counted = load(peer.url, max_requests=3)
    assert (counted.ends, counted.failures) == ({}, {})
    assert counted.status.statuses == {str(status): 3}
    assert (counted.account.statuses, peer.connections) == ({status: 3}, 1)


def test_whose_a_refusal_is_is_told_by_head_and_body() -> None:
    answers = [
        b"HTTP/1.1 429 No\r\nopenai-organization: org\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 401 No\r\nContent-Type: text/plain\r\nContent-Length: 6\r\n\r\nno key",
        b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n",
    ]

    def script(peer: Peer) -> None:
        for answer in answers:
            peer.request()
            peer.send(answer)

    with RawPeer(script) as peer:
        counted = load(peer.url, max_requests=3)
    assert (counted.streams.upstream_refusals, counted.streams.router_refusals) == (1, 1)


def test_a_connection_that_was_closed_between_two_requests_is_opened_again_unsaid() -> None:
    # Ten a second: the end of each connection has come when the next request is due.
    with RawPeer(always(sized(STREAM), then="fin")) as peer:
        counted = load(peer.url, shape_of(rate=10.0), max_requests=5)
    assert (counted.ends, counted.failures, peer.connections) == ({"complete": 5}, {}, 5)


@pytest.mark.parametrize("secured", [False, True])
def test_a_request_that_crossed_the_end_of_its_connection_is_sent_again(
    monkeypatch: pytest.MonkeyPatch, tls: ssl.SSLContext, secured: bool
) -> None:
    """The end is there before the request is, and is not looked for: as if both were under way at once."""
    read = Connection._readable
    monkeypatch.setattr(Connection, "is_usable", lambda _: True)
    monkeypatch.setattr(
        Connection, "_readable", lambda self: read(self) if self._shaking or self._busy else None
    )
    with RawPeer(always(sized(STREAM), then="fin"), tls if secured else None) as peer:
        counted = load(peer.url, shape_of(rate=10.0), connections=1, max_requests=3)
    assert (counted.ends, counted.failures, peer.connections) == ({"complete": 3}, {}, 3)
    assert counted.account.sent == 3


@pytest.mark.parametrize("end", ["fin", "rst"])
def test_a_request_that_came_to_a_kept_connection_and_found_its_end_is_a_failure(end: str) -> None:
    def script(peer: Peer) -> None:
        peer.request()
        peer.send(sized(STREAM))
        peer.request()
        getattr(peer, end)()

    with RawPeer(script) as peer:
        counted = load(peer.url, max_requests=4)
    assert (counted.ends, counted.failures, peer.connections) == ({"complete": 2}, {"read": 2}, 2)


def test_how_a_server_says_that_it_closes_an_idle_connection_is_no_failure() -> None:
    said = threading.Event()

    def script(peer: Peer) -> None:
        peer.request()
        peer.send(sized(STREAM))
        if peer.number == 0:
            peer.send(b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n")
            peer.fin()
            said.set()

    # Two a second: each connection is idle in between.
    with RawPeer(script) as peer:
        counted = load(peer.url, shape_of(rate=2.0), max_requests=2)
    assert said.is_set()
    assert (counted.ends, counted.failures, peer.connections) == ({"complete": 2}, {}, 2)


def test_bytes_that_nobody_asked_for_are_a_disconnect() -> None:
    def script(peer: Peer) -> None:
        peer.request()
        peer.send(sized(STREAM))
        threading.Event().wait(0.1)
        if peer.number == 0:
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            peer.gone()

    with RawPeer(script) as peer:
        counted = load(peer.url, shape_of(rate=2.0), max_requests=2)
    assert (counted.ends, counted.failures, peer.connections) == ({"complete": 2}, {"disconnect": 1}, 2)


def test_an_answer_that_comes_before_the_request_is_written_counts() -> None:
    big = asked(body=b'{"stream": true, "prompt": "' + b"a" * (32 << 20) + b'"}')

    def script(peer: Peer) -> None:
        peer.socket.recv(1000)
        peer.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        peer.gone()

    with RawPeer(script) as peer:
        counted = load(peer.url, shape_of([big]))
    assert (counted.account.statuses, counted.failures) == ({413: 1}, {})


def test_a_request_that_cannot_be_written_is_a_failure_to_write() -> None:
    big = asked(body=b'{"stream": true, "prompt": "' + b"a" * (32 << 20) + b'"}')

    def script(peer: Peer) -> None:
        peer.socket.recv(1000)
        peer.rst()

    with RawPeer(script) as peer:
        counted = load(peer.url, shape_of([big]))
    assert set(counted.failures) <= {"write", "read"}
    assert (counted.account.failures.total(), counted.ends) == (1, {})


def test_where_the_target_refuses_each_try_counts_and_it_is_not_hammered() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    counted = load(f"http://127.0.0.1:{port}", connections=2, max_requests=None, seconds=1)
    # 2 at once, then after 2, 4, 8, … 256 ms: some ten tries of each connection in a second.
    assert 6 <= counted.failures["connect"] <= 30
    assert counted.failures == {"connect": counted.account.failures.total()}


def test_a_connection_that_does_not_come_to_be_open_is_one_without_an_answer() -> None:
    with (
        socket.create_server(("127.0.0.1", 0), backlog=0) as silent,
        socket.create_connection(silent.getsockname()),
    ):
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        counted = load(url, connections=3, max_requests=3, seconds=1, stall_after=0.5)
    assert (counted.failures, counted.in_flight, counted.stalled) == ({}, 3, 3)


def test_an_address_that_is_silent_is_passed_over_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        RawPeer(always(sized(STREAM))) as peer,
        socket.create_server(("127.0.0.1", 0), backlog=0) as silent,
        socket.create_connection(silent.getsockname()),
    ):
        places = [silent.getsockname(), ("127.0.0.1", urlsplit(peer.url).port)]
        target = Target(tuple((socket.AF_INET, place) for place in places), "router")
        monkeypatch.setattr(worker, "look_up", lambda _url: target)
        monkeypatch.setattr(connection, "ADDRESS_SECONDS", 0.2)
        counted = load("http://router", connections=3, max_requests=9)
    assert (counted.ends, counted.failures, counted.account.sent) == ({"complete": 9}, {}, 9)


@pytest.mark.parametrize(("connections", "requests"), [(1, 20), (3, 20), (8, 20), (8, 8), (8, 9)])
def test_the_number_of_requests_is_exact_and_each_connection_has_one(connections: int, requests: int) -> None:
    with RawPeer(always(sized(STREAM))) as peer:
        counted = load(peer.url, connections=connections, max_requests=requests)
    assert (counted.account.sent, counted.ends) == (requests, {"complete": requests})
    assert peer.connections == connections


def test_what_is_in_flight_at_the_end_is_neither_success_nor_failure() -> None:
    with RawPeer(always(CHUNKED, chunks(TOKEN), then="gone")) as peer:
        counted = load(peer.url, connections=3, max_requests=None, seconds=1)
    assert (counted.ends, counted.failures, counted.account.sent) == ({}, {}, 3)
    assert (counted.in_flight, counted.stalled, counted.waiting_ms) == (3, 0, 0)
    longest = counted.status.longest_request
    assert longest is not None and longest.seconds >= 0.5 and not longest.answered


def test_of_those_in_flight_the_ones_without_an_answer_for_too_long_are_told() -> None:
    def script(peer: Peer) -> None:
        peer.request()
        if peer.number:
            peer.send(CHUNKED)
            tick = threading.Event()
            while not tick.wait(0.05):
                peer.send(chunks(TOKEN))
        peer.gone()

    with RawPeer(script) as peer:
        counted = load(peer.url, connections=3, max_requests=None, seconds=1, stall_after=0.5)
    assert (counted.in_flight, counted.stalled) == (3, 1)
    assert counted.waiting_ms >= 500


def test_an_open_load_skips_what_finds_no_connection_free_and_counts_it() -> None:
    with RawPeer(always(then="gone")) as peer:
        counted = load(peer.url, shape_of(rate=20.0), connections=2, max_requests=None, seconds=1)
    assert (counted.account.sent, counted.in_flight) == (2, 2)
    assert counted.account.skipped == counted.streams.skipped
    assert 15 <= counted.streams.skipped <= 19


def test_an_open_load_that_falls_behind_reads_on_and_counts_all_that_was_due() -> None:
    with RawPeer(always(sized(STREAM))) as peer:
        counted = load(peer.url, shape_of(rate=100_000.0), connections=4, max_requests=None, seconds=1)
    assert counted.ends["complete"] > 0
    assert counted.failures == {}
    due = counted.account.sent + counted.account.skipped
    assert counted.account.skipped == counted.streams.skipped
    assert 100_000 <= due <= 300_000


def test_an_open_load_measures_from_when_a_request_was_due() -> None:
    def script(peer: Peer) -> None:
        while peer.request() is not None:
            peer.send(sized(STREAM))

    with RawPeer(script) as peer:
        counted = load(peer.url, shape_of(rate=50.0), connections=4, max_requests=25)
    assert counted.ends == {"complete": 25}
    late = counted.streams.send_lateness["0.5"]
    assert late is not None
    first = counted.streams.first_token["0.5"]
    assert first is not None and first >= late


def test_an_aborted_stream_counts_by_its_end_alone_and_the_client_goes_away() -> None:
    left: list[bool] = []

    def script(peer: Peer) -> None:
        peer.request()
        try:
            peer.send(CHUNKED, *[chunks(TOKEN)] * 20)
        except ConnectionError:
            left.append(True)
        else:
            left.append(peer.gone())

    with RawPeer(script) as peer:
        counted = load(peer.url, shape_of(abort_ratio=1.0), max_requests=3)
    assert (counted.ends, counted.failures, counted.status.responses) == ({"aborted": 3}, {}, 0)
    assert (counted.account.aborted, left, peer.connections) == (3, [True] * 3, 3)


def test_an_error_that_came_before_the_client_could_leave_stands() -> None:
    with RawPeer(always(*whole_chunked(TOKEN * 20 + ERROR))) as peer:
        counted = load(peer.url, shape_of(abort_ratio=1.0), max_requests=3)
    assert (counted.ends, counted.failures) == ({"in_band": 3}, {"in_band": 3})


@pytest.fixture
def tls() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    return context


def test_tls_keeps_its_connection_and_the_kernels_stamps(tls: ssl.SSLContext) -> None:
    with RawPeer(always(*whole_chunked(STREAM)), tls) as peer:
        counted = load(peer.url, max_requests=5)
    assert (counted.ends, counted.failures, peer.connections) == ({"complete": 5}, {}, 1)
    assert counted.streams.unstamped == 0


def test_an_end_of_tls_that_was_not_announced_is_a_cut(tls: ssl.SSLContext) -> None:
    def cut(peer: Peer) -> None:
        peer.request()
        peer.send(HEAD + b"\r\n" + TOKEN)
        socket.socket(fileno=peer.socket.detach()).close()

    def announced(peer: Peer) -> None:
        peer.request()
        peer.send(HEAD + b"\r\n" + TOKEN)
        assert isinstance(peer.socket, ssl.SSLSocket)
        peer.socket.unwrap()

    with RawPeer(cut, tls) as peer:
        assert load(peer.url).ends == {"disconnect": 1}
    with RawPeer(announced, tls) as peer:
        assert load(peer.url).ends == {"truncated": 1}


def test_a_server_without_tls_is_a_failure_to_connect() -> None:
    with RawPeer(lambda peer: peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as peer:
        counted = load(peer.url.replace("http:", "https:"))
    assert counted.failures == {"connect": 1}


def test_the_users_headers_are_sent_and_take_the_place_of_its_own() -> None:
    seen: list[bytes] = []

    def script(peer: Peer) -> None:
        seen.append(peer.request() or b"")
        peer.send(sized(STREAM))

    headers = (("Authorization", "Bearer key"), ("content-type", "text/x"), ("Host", "router"))
    with RawPeer(script) as peer:
        load(peer.url, headers=headers)
    head = seen[0].split(b"\r\n\r\n")[0].split(b"\r\n")
    assert head[0] == b"POST /v1/chat/completions HTTP/1.1"
    assert sorted(head[1:4]) == [b"Authorization: Bearer key", b"Host: router", b"content-type: text/x"]
    assert len(head) == 5 and head[4].startswith(b"Content-Length: ")
