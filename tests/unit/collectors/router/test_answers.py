"""exporter.collectors.router.router against answers that are broken or never end, on the wire."""

import gzip
import socket
import threading
from collections.abc import Callable

import pytest

from tests.support.local_http import LocalHttp
from tests.support.raw_router import (
    DOWN,
    MIB,
    MODELS,
    NODES,
    NODES_FOUND,
    OVERVIEW,
    SHORT,
    UP,
    WITH_MODELS,
    answer,
    scrape,
    serve_raw_router,
)

server = pytest.fixture(serve_raw_router)


def chunked(*pieces: bytes) -> bytes:
    parts = [b"%x\r\n%s\r\n" % (len(piece), piece) for piece in (*pieces, b"")]
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"".join(parts)


def endlessly(start: bytes, more: bytes, seconds_between: float = 0.0) -> Callable[[socket.socket], None]:
    """Sends `start`, then `more` again and again until the client hangs up."""

    def send(connection: socket.socket) -> None:
        connection.sendall(start)
        pause = threading.Event()
        while not pause.wait(seconds_between):
            connection.sendall(more)

    return send


HEAD = b"HTTP/1.1 200 OK\r\n"
BOMB = gzip.compress(bytes(MIB)) * 64
"""64 MiB, in as many members"""


def answers(body: bytes) -> dict[str, tuple[bytes, dict[str, float]]]:
    """What may come in place of a plain answer with this body, and what is then known of the models."""
    length = b"Length: %d" % len(body)
    return {
        "chunked": (chunked(body[:7], body[7:]), WITH_MODELS),
        "ended by the end of the connection": (HEAD + b"\r\n" + body, WITH_MODELS),
        "after interim answers": (
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n" + answer(body),
            WITH_MODELS,
        ),
        "followed by another answer": (answer(body) + answer(b"{}"), WITH_MODELS),
        "followed by junk": (answer(body) + b"\0\xff" * 100, WITH_MODELS),
        "shorter than announced": (answer(body)[:-1], UP),
        "longer than announced": (answer(body).replace(length, b"Length: %d" % (len(body) - 1)), UP),
        "cut off in a chunk": (chunked(body)[:-20], UP),
        "with a chunk of no number": (chunked(body).replace(b"%x\r\n" % len(body), b"zz\r\n"), UP),
        "compressed without being asked": (answer(gzip.compress(body), "Content-Encoding: gzip"), UP),
        "a gzip bomb": (answer(BOMB, "Content-Encoding: gzip"), UP),
        "binary": (answer(bytes(range(256)) * 16), UP),
        "switching protocols": (
            b"HTTP/1.1 101 Up\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n\0",
            UP,
        ),
        "no status code": (b"HTTP/1.1 OK\r\n\r\n", DOWN),
        "a status code of zero": (b"HTTP/1.1 000 None\r\nContent-Length: 0\r\n\r\n", DOWN),
        "a status code of three thousand": (b"HTTP/1.1 3000 None\r\nContent-Length: 0\r\n\r\n", DOWN),
        "a length below zero": (answer(body).replace(length, b"Length: -1"), DOWN),
        "two lengths": (answer(body, "Content-Length: 7"), DOWN),
        "a length and chunks": (answer(body, "Transfer-Encoding: chunked"), DOWN),
        "no answer but the body, as in HTTP 0.9": (body, DOWN),
        "another protocol": (b"220 mail ESMTP\r\n", DOWN),
        "a page": (b"<!doctype html><title>router</title>", DOWN),
        "nothing": (b"", DOWN),
        "binary junk": (bytes(range(256)) * 300, DOWN),
        "a head without end": (HEAD + b"X: y\r\n" * 20_000, DOWN),
        "a header of a megabyte": (HEAD + b"X: " + b"y" * MIB + b"\r\n\r\n", DOWN),
    }


def without_nodes(found: dict[str, float]) -> dict[str, float]:
    return {key: value for key, value in found.items() if not key.startswith("router_node")}


@pytest.mark.parametrize("name", answers(MODELS))
def test_models_are_counted_or_left_out_where_the_answer_is(server: LocalHttp, name: str) -> None:
    server.answers["/v1/models"], expected = answers(MODELS)[name]
    assert without_nodes(scrape(server.url)) == expected


@pytest.mark.parametrize("name", answers(NODES))
def test_nodes_are_shown_or_cost_their_own_series_alone_where_the_answer_is(
    server: LocalHttp, name: str
) -> None:
    server.answers[OVERVIEW], of_models = answers(NODES)[name]
    nodes = NODES_FOUND if of_models == WITH_MODELS else {}
    assert scrape(server.url) == {**WITH_MODELS, **nodes}


ENDLESS: dict[str, tuple[Callable[[socket.socket], None], dict[str, float]]] = {
    "interim answers": (endlessly(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100), DOWN),
    "a head that drips": (endlessly(b"", b"H", 0.01), DOWN),
    "headers that drip": (endlessly(HEAD, b"X: y\r\n", 0.01), DOWN),
    "headers": (endlessly(HEAD, b"X: y\r\n" * 1000), DOWN),
    "a body that drips": (endlessly(HEAD + b"Content-Length: 1000000\r\n\r\n", b" ", 0.01), UP),
    "a body": (endlessly(HEAD + b"\r\n", b" " * 65536), UP),
    "chunks": (endlessly(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n" * 10_000), UP),
    "chunks that drip": (endlessly(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n", 0.01), UP),
    "the extension of a chunk": (
        endlessly(HEAD + b"Transfer-Encoding: chunked\r\n\r\n1;", b"x" * 65536),
        UP,
    ),
    "trailers": (endlessly(HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X: y\r\n" * 1000), UP),
}


@pytest.mark.parametrize("name", ENDLESS)
def test_the_probe_hangs_up_on_what_never_ends(server: LocalHttp, name: str) -> None:
    server.answers["/v1/models"], expected = ENDLESS[name]
    found = scrape(server.url, SHORT)
    assert server.left.wait(30)
    assert without_nodes(found) == expected


@pytest.mark.parametrize("name", ENDLESS)
def test_nodes_that_never_end_cost_their_own_series_alone(server: LocalHttp, name: str) -> None:
    server.answers[OVERVIEW], _ = ENDLESS[name]
    found = scrape(server.url, SHORT)
    assert server.left.wait(30)
    assert found == WITH_MODELS
