"""exporter.http_server.auth: who is let in, and what an answer costs."""

import asyncio
import base64
from collections.abc import Iterator
from contextlib import contextmanager

import bcrypt
import pytest

from exporter.http_server.auth import MAX_REMEMBERED, BasicAuth
from tests.support.clocks import FakeClock

CHEAP = bcrypt.gensalt(4)
USERS = {"alice": bcrypt.hashpw("geheim ジ".encode(), CHEAP), "bob": bcrypt.hashpw(b"x" * 72, CHEAP)}


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


async def allows(auth: BasicAuth, header: str, users: dict[str, bytes]) -> bool:
    return await auth.allows(header, users, "192.0.2.1")


@contextmanager
def authenticator() -> Iterator[BasicAuth]:
    auth = BasicAuth(FakeClock())
    try:
        yield auth
    finally:
        auth.close()


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The passwords that bcrypt is asked about."""
    asked: list[bytes] = []
    check = bcrypt.checkpw

    def counted(password: bytes, hashed: bytes) -> bool:
        asked.append(password)
        return check(password, hashed)

    monkeypatch.setattr(bcrypt, "checkpw", counted)
    return asked


@pytest.mark.parametrize(
    ("header", "allowed"),
    [
        (basic("alice", "geheim ジ"), True),
        (basic("alice", "geheim ジ").replace("Basic", "basic"), True),
        (basic("bob", "x" * 72), True),
        (basic("bob", "x" * 5000), True),  # bcrypt, Go's and htpasswd's too, looks at 72 bytes
        (basic("alice", "geheim"), False),
        (basic("alice", ""), False),
        (basic("bob", "geheim ジ"), False),
        (basic("carol", "geheim ジ"), False),
        (basic("", ""), False),
        ("", False),
        ("Basic", False),
        ("Basic !!!", False),
        ("Basic " + base64.b64encode(b"alice").decode(), False),
        ("Basic " + base64.b64encode(b"\xff\xfe:x").decode(), False),
        ("Bearer geheim", False),
    ],
)
def test_a_user_with_the_right_password_is_let_in_and_nobody_else(header: str, allowed: bool) -> None:
    with authenticator() as auth:
        assert asyncio.run(allows(auth, header, USERS)) is allowed


@pytest.mark.parametrize("prefix", [b"$2a$", b"$2b$", b"$2y$"])
def test_every_spelling_of_bcrypt_is_known(prefix: bytes) -> None:
    users = {"alice": prefix + USERS["alice"][4:]}
    with authenticator() as auth:
        assert asyncio.run(allows(auth, basic("alice", "geheim ジ"), users)) is True


def test_the_same_answer_costs_one_bcrypt_whether_right_or_wrong(checks: list[bytes]) -> None:
    with authenticator() as auth:
        for _ in range(5):
            assert asyncio.run(allows(auth, basic("alice", "geheim ジ"), USERS)) is True
            assert asyncio.run(allows(auth, basic("alice", "wrong"), USERS)) is False
    assert checks == ["geheim ジ".encode(), b"wrong"]


def test_an_unknown_user_costs_a_bcrypt_too(checks: list[bytes]) -> None:
    with authenticator() as auth:
        assert asyncio.run(allows(auth, basic("carol", "x"), USERS)) is False
    assert checks == [b"x"]


def test_a_flood_of_guesses_forgets_no_right_password_and_is_not_remembered_without_end(
    checks: list[bytes],
) -> None:
    with authenticator() as auth:
        asyncio.run(allows(auth, basic("alice", "geheim ジ"), USERS))
        for i in range(MAX_REMEMBERED + 10):
            asyncio.run(allows(auth, basic("alice", str(i)), USERS))
        before = len(checks)
        assert asyncio.run(allows(auth, basic("alice", "geheim ジ"), USERS)) is True
        assert len(checks) == before
        asyncio.run(allows(auth, basic("alice", "0"), USERS))
        assert len(checks) == before + 1


def test_a_changed_hash_is_asked_again(checks: list[bytes]) -> None:
    with authenticator() as auth:
        assert asyncio.run(allows(auth, basic("alice", "geheim ジ"), USERS)) is True
        changed = {"alice": bcrypt.hashpw(b"neu", CHEAP)}
        assert asyncio.run(allows(auth, basic("alice", "geheim ジ"), changed)) is False
        assert asyncio.run(allows(auth, basic("alice", "neu"), changed)) is True


def test_who_asks_the_same_at_a_time_waits_for_one_bcrypt(checks: list[bytes]) -> None:
    async def ask(auth: BasicAuth) -> list[bool]:
        header = basic("alice", "geheim ジ")
        return await asyncio.gather(*(auth.allows(header, USERS, "192.0.2.1") for _ in range(20)))

    with authenticator() as auth:
        assert asyncio.run(ask(auth)) == [True] * 20
    assert checks == ["geheim ジ".encode()]
