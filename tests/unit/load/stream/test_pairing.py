"""Pairs: their order changes, both halves have to come whole, and no attempt of the load is lost by them."""

from collections.abc import Callable
from typing import Any

import pytest

from exporter.live.histogram import BUCKETS, Histogram, bucket_of
from exporter.load.stream.apis import Api
from exporter.load.stream.direct import DirectHalf, Times, headers_past
from exporter.load.stream.pairing import PAIRED_CLIENTS, ClosedPairs, OpenPairs, Pairing
from exporter.load.stream.shape import Asked, Draw
from exporter.load.stream.tally import Tally

DRAW = Draw(Asked(0, "/v1/chat/completions", b"{}", 1.0, Api.CHAT, True, 1), None)
ABORTED = DRAW._replace(abort_after=3)
THROUGH, PAST = Times(0.5, 2.0), Times(0.4, 2.25)


class FakeNode(DirectHalf):
    """Answers when the test says so."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.closed = False
        self._answer: Callable[[Times | None], None] | None = None

    def ask(self, asked: Asked, done: Callable[[Times | None], None]) -> None:
        assert self._answer is None
        self.asked.append(asked)
        self._answer = done

    def answers(self, times: Times | None = PAST) -> None:
        assert self._answer is not None
        done, self._answer = self._answer, None
        done(times)

    def close(self) -> None:
        self.closed = True


class Scene:
    """A node, what is counted, and a pairing of both."""

    def __init__(self) -> None:
        self.node = FakeNode()
        self.tally = Tally(bytes(16), 0, 1, 0.0)
        self.pairing = Pairing(self.node, self.tally)

    def count(self, histogram: Histogram, seconds: float) -> int:
        """How many values of so many seconds a histogram has; it has none but those."""
        counts = self.tally.pairs[0].counts[histogram * BUCKETS : (histogram + 1) * BUCKETS]
        found = counts[bucket_of(round(seconds * 1e6))]
        assert sum(counts) == found
        return int(found)

    def pairs(self) -> int:
        """Pairs of THROUGH and PAST that were counted."""
        first, total = self.count(Histogram.FIRST_TOKEN_OVER, 0.1), self.count(Histogram.TOTAL_UNDER, 0.25)
        assert first == total
        assert self.count(Histogram.FIRST_TOKEN_UNDER, 0) == self.count(Histogram.TOTAL_OVER, 0) == 0
        return first


@pytest.fixture
def scene() -> Scene:
    return Scene()


def sent_in(log: list[str]) -> Callable[[], None]:
    return lambda: log.append("through")


def test_a_closed_load_sends_the_halves_one_after_the_other_in_changing_order(scene: Scene) -> None:
    log: list[str] = []
    pairs = ClosedPairs(["a"], lambda: scene.pairing)

    pairs.begin("a", DRAW, sent_in(log))
    assert log == ["through"]
    assert not scene.node.asked
    pairs.took("a", THROUGH)
    pairs.over("a", lambda: log.append("next"))
    assert log == ["through"]
    scene.node.answers()
    assert log == ["through", "next"]
    assert scene.pairs() == 1

    pairs.begin("a", DRAW, sent_in(log))
    assert (log, pairs.waiting) == (["through", "next"], 1)
    scene.node.answers()
    assert (log[2:], pairs.waiting) == (["through"], 0)
    pairs.took("a", THROUGH)
    pairs.over("a", lambda: log.append("next"))
    assert log[2:] == ["through", "next"]
    assert scene.pairs() == 2
    assert [each.body for each in scene.node.asked] == [b"{}", b"{}"]


def test_a_half_that_is_not_whole_makes_no_pair_and_stops_nothing(scene: Scene) -> None:
    log: list[str] = []
    pairs = ClosedPairs(["a"], lambda: scene.pairing)

    pairs.begin("a", DRAW, sent_in(log))
    pairs.over("a", lambda: log.append("next"))  # it failed: the node is not asked
    pairs.begin("a", DRAW, sent_in(log))
    scene.node.answers(None)
    pairs.took("a", THROUGH)
    pairs.over("a", lambda: log.append("next"))

    assert log == ["through", "next"] * 2
    assert scene.pairs() == 0
    assert len(scene.node.asked) == 1


def test_an_answer_without_a_first_token_has_a_total_alone(scene: Scene) -> None:
    pairs = ClosedPairs(["a"], lambda: scene.pairing)
    pairs.begin("a", DRAW, lambda: None)
    pairs.took("a", Times(None, 3.0))
    pairs.over("a", lambda: None)
    scene.node.answers(Times(None, 1.0))

    assert scene.count(Histogram.TOTAL_OVER, 2.0) == 1
    assert scene.count(Histogram.FIRST_TOKEN_OVER, 0) == scene.count(Histogram.FIRST_TOKEN_UNDER, 0) == 0


def test_a_stream_that_the_client_leaves_is_no_half(scene: Scene) -> None:
    log: list[str] = []
    pairs = ClosedPairs(["a"], lambda: scene.pairing)
    scene.pairing.node_first = True

    pairs.begin("a", ABORTED, sent_in(log))
    pairs.over("a", lambda: log.append("next"))

    assert log == ["through", "next"]
    assert not scene.node.asked


def test_one_client_of_several_makes_pairs() -> None:
    made: list[Scene] = []

    def pairing() -> Pairing:
        made.append(Scene())
        return made[-1].pairing

    clients = [f"c{number}" for number in range(2 * PAIRED_CLIENTS + 1)]
    pairs = ClosedPairs(clients, pairing)
    log: list[str] = []
    for client in clients:
        pairs.begin(client, DRAW, sent_in(log))
        pairs.took(client, THROUGH)
        pairs.over(client, lambda: log.append("next"))

    assert len(made) == 3
    assert [len(scene.node.asked) for scene in made] == [1, 1, 1]
    assert log.count("through") == len(clients)
    assert log.count("next") == len(clients) - 3
    pairs.close()
    assert all(scene.node.closed for scene in made)


class Open:
    """An open load whose requests are sent one by one."""

    def __init__(self, scene: Scene, *draws: Draw) -> None:
        self.pairs = OpenPairs(scene.pairing)
        self._draws = iter(draws or [DRAW] * 20)

    def wait(self) -> None:
        self.pairs.has_time(self._draw)

    def send(self, client: str = "a") -> Draw:
        draw, is_half = self.pairs.next(self._draw)
        self.pairs.sent(client, draw, is_half)
        return draw

    def skip(self) -> None:
        _, is_half = self.pairs.next(self._draw)
        self.pairs.skipped(is_half)

    def whole(self, client: str = "a", times: Times | None = THROUGH) -> None:
        if times is not None:
            self.pairs.took(client, times)
        self.pairs.over(client)

    def _draw(self) -> Draw:
        return next(self._draws)


def test_an_open_load_is_held_up_by_nothing(scene: Scene) -> None:
    load = Open(scene)

    load.wait()
    assert not scene.node.asked
    load.send("a")
    load.send("b")
    load.whole("b")
    assert not scene.node.asked
    load.whole("a")
    assert len(scene.node.asked) == 1
    load.send("a")  # while the half past the router is under way
    load.whole("a")
    scene.node.answers()
    assert scene.pairs() == 1

    load.send("a")  # the node's turn to be first, but there was no time for it
    load.wait()
    assert len(scene.node.asked) == 2
    load.wait()
    load.send("b")
    load.whole("a")
    load.whole("b")
    assert scene.pairs() == 1
    scene.node.answers()
    assert scene.pairs() == 2


def test_the_half_past_the_router_asks_what_is_due_next(scene: Scene) -> None:
    other = Draw(Asked(0, "/v1/messages", b"other", 1.0, Api.MESSAGES, True, 1), None)
    scene.pairing.node_first = True
    load = Open(scene, other, DRAW)

    load.wait()
    assert scene.node.asked == [other.asked]
    assert load.send() is other
    assert load.send("b") is DRAW


def test_a_half_that_is_skipped_or_fails_makes_no_pair_and_the_next_one_does(scene: Scene) -> None:
    load = Open(scene)
    scene.pairing.node_first = True
    load.wait()
    load.skip()
    scene.node.answers()
    load.send()
    load.whole(times=None)
    load.wait()
    load.send()
    scene.node.answers()
    load.whole()

    assert scene.pairs() == 1
    assert len(scene.node.asked) == 2


def test_a_stream_that_is_to_be_left_is_sent_and_not_paired(scene: Scene) -> None:
    scene.pairing.node_first = True
    load = Open(scene, ABORTED, ABORTED, DRAW)
    load.wait()
    assert load.send() is ABORTED
    load.whole(times=None)
    load.wait()
    load.skip()
    load.wait()

    assert [each.body for each in scene.node.asked] == [b"{}"]


@pytest.mark.parametrize(
    ("header", "is_sent"),
    [
        (("Authorization", "Bearer sk-secret"), False),
        (("X-Api-Key", "a"), False),
        (("Cookie", "a=b"), False),
        (("Host", "router"), False),
        (("X-Tenant", "sk-aaaaaaaaaaaa"), False),
        (("anthropic-version", "2023-06-01"), True),
        (("X-Tenant", "blue"), True),
    ],
)
def test_a_node_gets_no_secret_of_the_router(header: tuple[str, str], is_sent: bool) -> None:
    expected: tuple[Any, ...] = (header,) if is_sent else ()
    assert headers_past([header]) == expected
