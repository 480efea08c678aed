"""The simulated router's HTTP: pipelines, bounds of heads and bodies, offers to upgrade."""

import json

from tests.support.simulated_router import CHAT, CHAT_BYTES, Simulator, post_bytes, running


def test_pipelined_requests_are_answered_in_order(simulator: Simulator) -> None:
    last = b"GET /last HTTP/1.1\r\nConnection: close\r\n\r\n"
    stream = json.dumps({**CHAT, "stream": True}).encode()
    answer = simulator.raw(post_bytes() + post_bytes(stream) + b"GET /v1/models HTTP/1.1\r\n\r\n" + last)
    marks = [b"chat.completion", b"data: [DONE]", b'"owned_by"', b"404 Not Found"]
    places = [answer.find(mark) for mark in marks]
    assert -1 not in places
    assert places == sorted(places)
    assert answer.count(b"HTTP/1.1 ") == 4


def test_pipelined_requests_wait_for_slow_ones() -> None:
    with running(latency_median_seconds=0.05, latency_p99_seconds=0.05) as simulator:
        last = b"GET /last HTTP/1.1\r\nConnection: close\r\n\r\n"
        answer = simulator.raw(post_bytes() * 3 + last)
        assert answer.count(b"HTTP/1.1 200 OK") == 3
        assert answer.rindex(b"chat.completion") < answer.index(b"404 Not Found")


def test_what_is_not_http_is_refused_and_the_connection_closed(shared: Simulator) -> None:
    answer = shared.raw(b"nonsense\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"Connection: close\r\n" in answer


def test_a_head_without_end_is_refused(shared: Simulator) -> None:
    answer = shared.raw(b"GET / HTTP/1.1\r\nX: " + b"x" * 66_000)
    assert answer.startswith(b"HTTP/1.1 431 ")


def test_too_many_headers_are_refused(shared: Simulator) -> None:
    answer = shared.raw(b"GET / HTTP/1.1\r\n" + b"X: 123456789\r\n" * 7000 + b"\r\n")
    assert answer.startswith(b"HTTP/1.1 431 ")


def test_a_body_that_announces_too_much_is_refused_before_it_comes(shared: Simulator) -> None:
    head = b"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: 16777217\r\n\r\n"
    assert shared.raw(head).startswith(b"HTTP/1.1 413 ")


def test_a_chunked_body_that_grows_too_large_is_refused(shared: Simulator) -> None:
    head = b"POST /v1/chat/completions HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    megabyte = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
    assert shared.raw(head + megabyte * 17).startswith(b"HTTP/1.1 413 ")


def test_a_large_body_within_the_bound_is_answered(shared: Simulator) -> None:
    message = {"role": "user", "content": "word " * 1_000_000}
    answer = shared.post({**CHAT, "messages": [message]})
    assert answer.json()["usage"]["prompt_tokens"] == 1_000_000


def test_a_client_that_expects_100_continue_gets_it(shared: Simulator) -> None:
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: {len(CHAT_BYTES)}\r\n"
    )
    with shared.connect() as connection:
        connection.sendall(head.encode() + b"\r\n")
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(CHAT_BYTES)
        assert connection.recv(1000).startswith(b"HTTP/1.1 200 OK")


def test_an_offer_to_upgrade_is_answered_as_plain_http(shared: Simulator) -> None:
    upgrade = b"GET /v1/models HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    assert shared.raw(upgrade).startswith(b"HTTP/1.1 200 OK")
