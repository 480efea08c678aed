"""exporter.load.stream.answer_framing: where an answer begins and ends, and what is none."""

import pytest

from exporter.load.stream.answer_framing import MAX_QUIET_BYTES, AnswerFraming, says_idle_timeout

OK = b"HTTP/1.1 200 OK\r\n"


def fed(*parts: bytes) -> tuple[AnswerFraming, bool]:
    framing = AnswerFraming()
    framing.begin()
    return framing, [framing.feed(memoryview(part)) for part in parts][-1]


@pytest.mark.parametrize("cut", [None, 1, 7])
def test_an_answer_is_read_in_any_pieces(cut: int | None) -> None:
    text = (
        OK
        + b"Content-Type: text/x\r\nTransfer-Encoding: chunked\r\n\r\n"
        + b"3\r\nabc\r\n2\r\nde\r\n0\r\nX-Sum: 5\r\n\r\n"
    )
    framing, is_http = fed(*(text[at : at + cut] for at in range(0, len(text), cut)) if cut else (text,))
    assert is_http
    assert (framing.status, framing.is_whole, framing.has_extra, framing.keeps_alive) == (
        200,
        True,
        False,
        True,
    )
    assert b"".join(framing.pieces) == b"abcde"
    assert framing.headers == {b"content-type": b"text/x", b"transfer-encoding": b"chunked"}
    assert not framing.ends_with_connection


def test_the_next_answer_is_read_from_its_begin() -> None:
    framing, _ = fed(OK + b"A: 1\r\nContent-Length: 1\r\n\r\nx")
    framing.begin()
    assert framing.feed(memoryview(b"HTTP/1.1 404 No\r\nB: 2\r\nContent-Length: 0\r\n\r\n"))
    assert (framing.status, framing.is_whole, framing.pieces) == (404, True, [])
    assert framing.headers == {b"b": b"2", b"content-length": b"0"}


def test_a_length_beside_chunks_is_passed_over() -> None:
    head = OK + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"
    framing, is_http = fed(head + b"5\r\nabcde\r\n0\r\n\r\n")
    assert is_http
    assert (framing.is_whole, framing.pieces, framing.keeps_alive) == (True, [b"abcde"], True)


def test_informational_heads_are_passed_over() -> None:
    hints = b"HTTP/1.1 103 Early Hints\r\nContent-Encoding: gzip\r\n\r\n"
    framing, _ = fed(b"HTTP/1.1 100 Continue\r\n\r\n", hints)
    assert (framing.status, framing.is_whole) == (None, False)
    framing.feed(memoryview(OK + b"Content-Length: 0\r\n\r\n"))
    assert (framing.status, framing.is_whole, framing.has_extra) == (200, True, False)
    assert framing.headers == {b"content-length": b"0"}


@pytest.mark.parametrize(
    ("head", "ends_with_it"),
    [
        (OK, True),
        (b"HTTP/1.0 200 OK\r\n", True),
        (OK + b"Content-Length: 3\r\n", False),
        (OK + b"transfer-encoding: Chunked\r\n", False),
        (b"HTTP/1.1 204 No Content\r\n", False),
        (b"HTTP/1.1 304 Not Modified\r\n", False),
    ],
)
def test_a_body_without_a_length_ends_with_the_connection(head: bytes, ends_with_it: bool) -> None:
    assert fed(head + b"\r\n")[0].ends_with_connection is ends_with_it


@pytest.mark.parametrize(
    ("head", "keeps"),
    [
        (OK + b"Content-Length: 0\r\n", True),
        (OK + b"Content-Length: 0\r\nConnection: close\r\n", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n", True),
        (b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n", False),
    ],
)
def test_whether_the_connection_goes_on_is_as_the_answer_says(head: bytes, keeps: bool) -> None:
    framing, _ = fed(head + b"\r\n")
    assert (framing.is_whole, framing.keeps_alive) == (True, keeps)


@pytest.mark.parametrize("extra", [b"x", b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\n\r\n", b"HTTP/1."])
def test_what_comes_behind_a_whole_answer_is_seen_and_none_of_it(extra: bytes) -> None:
    framing, _ = fed(OK + b"Content-Length: 2\r\n\r\nab" + extra)
    assert (framing.status, framing.is_whole, framing.has_extra) == (200, True, True)
    assert (framing.pieces, framing.headers) == ([b"ab"], {b"content-length": b"2"})


def test_an_empty_line_behind_it_is_nothing() -> None:
    framing, _ = fed(OK + b"Content-Length: 2\r\n\r\nab\r\n")
    assert (framing.is_whole, framing.has_extra, framing.keeps_alive) == (True, False, True)


def test_an_idle_timeout_behind_it_only_ends_the_connection() -> None:
    timeout = b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n"
    framing, _ = fed(OK + b"Content-Length: 2\r\n\r\nab" + timeout)
    assert (framing.status, framing.has_extra, framing.keeps_alive) == (200, False, False)
    assert says_idle_timeout(timeout)
    assert not says_idle_timeout(b"HTTP/1.1 200 OK\r\nX: 408 \r\n")


@pytest.mark.parametrize(
    "text",
    [
        b"SSH-2.0\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
def test_what_is_no_answer_of_http_is_told(text: bytes) -> None:
    framing, is_http = fed(text)
    assert (is_http, framing.is_whole) == (False, False)


def test_a_head_or_a_trailer_without_end_is_no_http() -> None:
    line = b"X: " + b"a" * 1021
    for before in (OK, OK + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n"):
        framing, is_http = fed(before)
        fed_bytes = 0
        while is_http and fed_bytes <= MAX_QUIET_BYTES:
            is_http = framing.feed(memoryview(line))
            fed_bytes += len(line)
        assert not is_http
