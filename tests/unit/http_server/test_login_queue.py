"""exporter.http_server.login_queue: who is next, and who finds no place."""

import asyncio
import threading
from collections.abc import Callable, Coroutine

import bcrypt
import pytest

from exporter.http_server.login_queue import (
    FORGOTTEN_SECONDS,
    MAX_OF_ADDRESS,
    MAX_WAITING,
    MAX_WRONG,
    BusyError,
    LoginQueue,
    address_of,
)
from tests.support.clocks import FakeClock

RIGHT = b"right"
MINE = "192.0.2.1"


class Scene:
    """A queue whose thread is held at its first check until `release`, and the order of its checks."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clock = FakeClock()
        self.queue = LoginQueue(self.clock)
        self.checked: list[bytes] = []
        self.release = threading.Event()
        monkeypatch.setattr(bcrypt, "checkpw", self._check)

    def _check(self, password: bytes, _hashed: bytes) -> bool:
        assert self.release.wait(60)
        self.checked.append(password)
        return password == RIGHT

    def play(self, scene: Callable[[], Coroutine[None, None, None]]) -> None:
        """Run what waits in the queue."""
        try:
            asyncio.run(scene())
        finally:
            self.release.set()
            self.queue.close()

    async def guesses(self, *addresses: str) -> None:
        """Wrong passwords, each checked before the next."""
        self.release.set()
        for address in addresses:
            assert await self.queue.matches(b"guess", b"", address) is False
        self.checked.clear()

    async def hold(self) -> asyncio.Future[bool]:
        """A check that is made until `release`."""
        self.release.clear()
        held = self.queue.matches(b"held", b"", "198.51.100.1")
        await asyncio.sleep(0)
        return held


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Scene:
    return Scene(monkeypatch)


def test_one_address_has_its_places_and_no_more(scene: Scene) -> None:
    async def play() -> None:
        held = await scene.hold()
        asked = [scene.queue.matches(b"%d" % i, b"", "198.51.100.2") for i in range(MAX_OF_ADDRESS)]
        for _ in range(100):
            with pytest.raises(BusyError):
                scene.queue.matches(b"one more", b"", "198.51.100.2")
        mine = scene.queue.matches(RIGHT, b"", MINE)
        scene.release.set()
        assert await mine is True
        assert await asyncio.gather(held, *asked) == [False] * (1 + MAX_OF_ADDRESS)

    scene.play(play)
    assert scene.checked == [b"held", b"0", RIGHT, b"1"]


def test_who_has_guessed_wrong_stands_behind_who_has_not_and_gives_way(scene: Scene) -> None:
    flood = [f"198.51.100.{10 + i}" for i in range(MAX_WAITING)]

    async def play() -> None:
        await scene.guesses(*flood, flood[0])
        await scene.hold()
        waiting = [scene.queue.matches(address.encode(), b"", address) for address in flood]
        mine = scene.queue.matches(RIGHT, b"", MINE)
        # The one with two wrong ones gave way, and gets no place again.
        with pytest.raises(BusyError):
            await waiting[0]
        with pytest.raises(BusyError):
            scene.queue.matches(b"another", b"", flood[0])
        scene.release.set()
        assert await mine is True
        assert await asyncio.gather(*waiting[1:]) == [False] * (MAX_WAITING - 1)

    scene.play(play)
    assert scene.checked == [b"held", RIGHT, *(address.encode() for address in flood[1:])]


def test_wrong_ones_are_forgotten_after_a_while_and_of_the_oldest_addresses(scene: Scene) -> None:
    async def play() -> None:
        await scene.guesses("198.51.100.2")
        scene.clock.advance(FORGOTTEN_SECONDS + 1)
        await scene.guesses("198.51.100.3", *(f"2001:db8:{i}::/64" for i in range(MAX_WRONG)))
        await scene.hold()
        order = ["198.51.100.2", "198.51.100.3", MINE]
        waiting = [scene.queue.matches(address.encode(), b"", address) for address in order]
        waiting.append(scene.queue.matches(b"a /64", b"", "2001:db8:5::/64"))
        scene.release.set()
        await asyncio.gather(*waiting)
        assert scene.checked == [b"held", *map(str.encode, order), b"a /64"]

    scene.play(play)


def test_an_error_of_bcrypt_is_that_checks_own(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_password: bytes, _hashed: bytes) -> bool:
        raise ValueError("Invalid salt")

    async def play() -> None:
        with monkeypatch.context() as patched:
            patched.setattr(bcrypt, "checkpw", broken)
            with pytest.raises(ValueError, match="Invalid salt"):
                await scene.queue.matches(b"a", b"", MINE)
        scene.release.set()
        assert await scene.queue.matches(RIGHT, b"", MINE) is True

    scene.play(play)


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("testclient", ""),
        (None, ""),
    ],
)
def test_of_ipv6_a_whole_network_is_one_address(host: str | None, address: str) -> None:
    assert address_of(host) == address
