"""exporter.load.stream.stamps: the kernel's stamps on the monotonic clock, and a step of the wall's."""

import socket
import struct

import pytest

from exporter.load.stream.stamps import (
    SO_TIMESTAMPNS,
    STAMP_SPACE,
    Ancillary,
    Stamps,
    ask_for_stamps,
    begin_to_stamp,
)
from tests.support.clocks import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def stamps(clock: FakeClock) -> Stamps:
    return Stamps(clock)


def stamp(wall: float) -> Ancillary:
    seconds = int(wall)
    return [(socket.SOL_SOCKET, SO_TIMESTAMPNS, struct.pack("@ll", seconds, round((wall - seconds) * 1e9)))]


def test_a_read_that_is_late_has_the_moment_at_which_its_bytes_came(clock: FakeClock, stamps: Stamps) -> None:
    came = stamp(clock.wall())
    clock.advance(0.020)
    assert stamps.arrived(came) == pytest.approx(1000.0, abs=2e-6)
    assert stamps.stamped
    assert stamps.now == pytest.approx(1000.020)


@pytest.mark.parametrize(
    "ancillary", [[], [(socket.SOL_SOCKET, 29, bytes(16))]], ids=["nothing", "something else"]
)
def test_a_read_without_a_stamp_has_its_own_moment(
    clock: FakeClock, stamps: Stamps, ancillary: Ancillary
) -> None:
    clock.advance(1.0)
    assert (stamps.arrived(ancillary), stamps.stamped) == (1001.0, False)


def test_a_stamp_of_the_future_is_none(clock: FakeClock, stamps: Stamps) -> None:
    assert (stamps.arrived(stamp(clock.wall() + 0.001)), stamps.stamped) == (1000.0, False)


def test_a_stamp_is_never_later_than_its_read(clock: FakeClock, stamps: Stamps) -> None:
    assert stamps.arrived(stamp(clock.wall() + 3e-6)) == 1000.0
    assert stamps.stamped


@pytest.mark.parametrize("step", [3600.0, 0.05, -0.05, -3600.0])
def test_what_came_before_a_step_of_the_wall_clock_is_unstamped(
    clock: FakeClock, stamps: Stamps, step: float
) -> None:
    before = [stamp(clock.wall()), stamp(clock.wall())]
    clock.advance(0.001)
    clock.set_wall(step)
    for each in before:
        assert (stamps.arrived(each), stamps.stamped) == (1000.001, False)
        clock.advance(0.0)
    # Later ones are by the new clock.
    clock.advance(abs(step) + 0.001)
    came = stamp(clock.wall())
    clock.advance(0.002)
    assert stamps.arrived(came) == pytest.approx(clock.monotonic() - 0.002, abs=2e-6)
    assert (stamps.stamped, stamps.steps) == (True, 1)


def test_a_wall_clock_that_is_made_faster_is_followed(clock: FakeClock, stamps: Stamps) -> None:
    for _ in range(100):
        clock.advance(1.0)
        clock.set_wall(0.0005)
        came = stamp(clock.wall())
        clock.advance(0.001)
        assert stamps.arrived(came) == pytest.approx(clock.monotonic() - 0.001, abs=1e-5)
        assert stamps.stamped
    assert stamps.steps == 0


class Preempted(FakeClock):
    """Between the monotonic clock and the wall's the process waits for a CPU, once."""

    waits = 0.0

    def wall(self) -> float:
        waits, self.waits = self.waits, 0.0
        self.advance(waits)
        return super().wall()


def test_a_pause_between_the_two_clocks_is_no_step() -> None:
    clock = Preempted()
    stamps = Stamps(clock)
    came = stamp(clock.wall())
    clock.waits = 0.005
    assert stamps.arrived(came) == pytest.approx(1000.0, abs=2e-6)
    assert (stamps.stamped, stamps.steps) == (True, 0)


def test_the_kernel_stamps_what_comes_by_tcp() -> None:
    from exporter.clock import SystemClock

    clock = SystemClock()
    stamps = Stamps(clock)
    with (
        begin_to_stamp(clock),
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.socket() as client,
    ):
        ask_for_stamps(client)
        client.connect(listener.getsockname())
        server, _ = listener.accept()
        with server:
            before = clock.monotonic()
            server.sendall(b"token")
            client.recv(1, socket.MSG_PEEK)
            after = clock.monotonic()
            clock.sleep(0.02)
            buffer = bytearray(64)
            size, ancillary, _, _ = client.recvmsg_into([buffer], STAMP_SPACE)
            at = stamps.arrived(ancillary)
    assert (size, stamps.stamped) == (5, True)
    assert before - 1e-4 <= at <= after + 1e-4
    assert stamps.now - at >= 0.02
