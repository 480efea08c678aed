"""exporter.load.stream.timers and loop: what is due, in order; what is readable, with its end."""

import os
import signal
import socket
import struct
from collections.abc import Iterator

import pytest

from exporter.clock import SystemClock
from exporter.load.stream.loop import EpollLoop
from exporter.load.stream.timers import Timers

CLOCK = SystemClock()


@pytest.fixture
def loop() -> Iterator[EpollLoop]:
    loop = EpollLoop()
    yield loop
    loop.close()


@pytest.fixture
def timers(loop: EpollLoop) -> Iterator[Timers]:
    timers = Timers(loop, CLOCK)
    yield timers
    timers.close()


def test_what_is_due_is_called_in_order_and_never_too_early(loop: EpollLoop, timers: Timers) -> None:
    now = CLOCK.monotonic()
    called: list[tuple[str, bool]] = []

    def call(name: str, due: float) -> None:
        timers.at(due, lambda: called.append((name, CLOCK.monotonic() >= due)))

    call("third", now + 0.003)
    call("first", now + 0.001)
    call("second", now + 0.0015)
    call("second too", now + 0.0015)
    call("past", now - 5)
    timers.at(now + 0.004, loop.stop)
    loop.run_forever()
    names = ["past", "first", "second", "second too", "third"]
    assert called == [(name, True) for name in names]


def test_a_call_may_ask_for_others_the_sooner_the_better(loop: EpollLoop, timers: Timers) -> None:
    now = CLOCK.monotonic()
    called: list[str] = []

    def first() -> None:
        called.append("first")
        timers.at(now, lambda: called.append("at once"))
        timers.at(now + 0.002, loop.stop)

    timers.at(now + 60, lambda: called.append("never"))
    timers.at(now + 0.001, first)
    loop.run_forever()
    assert called == ["first", "at once"]


def test_a_reader_hears_of_a_reset(loop: EpollLoop) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        server, _ = listener.accept()
        server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        server.close()
        errors: list[int | None] = []

        def read() -> None:
            try:
                client.recv(1)
            except OSError as error:
                errors.append(error.errno)
            loop.remove_reader(client.fileno())
            loop.stop()

        loop.add_reader(client.fileno(), read)
        loop.run_forever()
        client.close()
    assert errors == [104]


def test_what_was_seen_of_a_closed_file_is_not_told_to_the_next_of_its_number(loop: EpollLoop) -> None:
    pairs = [socket.socketpair() for _ in range(2)]
    for mine, theirs in pairs:
        mine.setblocking(False)
        theirs.send(b"x")
    numbers = [mine.fileno() for mine, _ in pairs]
    heard: list[str] = []
    fresh: list[int] = []

    def replace(own: int, other: int) -> None:
        """The first that is called closes the other's file; a pipe without data gets its number."""
        heard.append("old")
        loop.remove_reader(own)
        loop.remove_reader(other)
        closed = pairs[numbers.index(other)][0]
        closed.close()
        reading, writing = os.pipe2(os.O_NONBLOCK)
        assert other in (reading, writing)
        fresh.extend((reading, writing))
        loop.add_reader(reading, lambda: heard.append("new"))
        loop.call_soon(loop.stop)

    loop.add_reader(numbers[0], lambda: replace(*numbers))
    loop.add_reader(numbers[1], lambda: replace(*reversed(numbers)))
    loop.run_forever()
    assert heard == ["old"]
    for fd in fresh:
        loop.remove_reader(fd)
        os.close(fd)
    for pair in pairs:
        for sock in pair:
            sock.close()


def test_a_signal_stops_a_loop_that_waits(loop: EpollLoop) -> None:
    before = signal.getsignal(signal.SIGUSR1)
    try:
        loop.stop_on((signal.SIGUSR1,))
        loop.call_soon(lambda: os.kill(os.getpid(), signal.SIGUSR1))
        loop.run_forever()
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_a_loop_that_was_stopped_before_does_nothing(loop: EpollLoop) -> None:
    called: list[int] = []
    loop.stop()
    loop.call_soon(lambda: called.append(1))
    loop.run_forever()
    assert called == []


def test_an_error_of_a_call_ends_the_loop(loop: EpollLoop) -> None:
    loop.call_soon(lambda: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        loop.run_forever()
