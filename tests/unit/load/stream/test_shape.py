"""Which request is the n-th of a load: weighted, seeded, and the same however many workers there are."""

from collections import Counter

import pytest

from exporter.live.message import Pair, Route
from exporter.load.stream.apis import Api
from exporter.load.stream.shape import (
    MAX_ABORT_EVENTS,
    Asked,
    Draw,
    Draws,
    StreamShape,
    events_before_leaving,
)


def asked(body: bytes, weight: float = 1.0, stream: bool = True) -> Asked:
    return Asked(0, "/v1/chat/completions", body, weight, Api.CHAT, stream, choices=1)


def shape(*requests: Asked, seed: int = 5, abort_ratio: float = 0.0, workers: int = 1) -> StreamShape:
    return StreamShape(
        requests, (Pair(Route.LOCAL, "m"),), seed=seed, abort_ratio=abort_ratio, workers=workers
    )


def drawn(of: StreamShape, count: int, worker: int = 0) -> list[Draw]:
    draws = Draws(of, worker)
    return [draws.next() for _ in range(count)]


MIX = (asked(b"a", 1.0), asked(b"b", 3.0), asked(b"c", 0.5))


def test_one_request_is_every_request() -> None:
    only = asked(b"a")

    assert drawn(shape(only), 3) == [Draw(only, None)] * 3


def test_requests_come_by_their_weights() -> None:
    counts = Counter(draw.asked.body for draw in drawn(shape(*MIX), 18_000))

    assert counts[b"a"] == pytest.approx(4_000, rel=0.06)
    assert counts[b"b"] == pytest.approx(12_000, rel=0.06)
    assert counts[b"c"] == pytest.approx(2_000, rel=0.06)


@pytest.mark.parametrize("workers", [2, 3, 5])
def test_all_workers_together_send_what_one_would(workers: int) -> None:
    whole = drawn(shape(*MIX, abort_ratio=0.3), 20 * workers)
    of = shape(*MIX, abort_ratio=0.3, workers=workers)

    assert [drawn(of, 20, worker) for worker in range(workers)] == [
        whole[worker::workers] for worker in range(workers)
    ]


def test_a_seed_gives_the_same_requests_and_another_seed_others() -> None:
    assert drawn(shape(*MIX, seed=1), 50) == drawn(shape(*MIX, seed=1), 50)
    assert drawn(shape(*MIX, seed=1), 50) != drawn(shape(*MIX, seed=2), 50)


def test_aborts_are_a_share_of_the_streams_and_change_nothing_of_what_is_asked() -> None:
    requests = (asked(b"a"), asked(b"plain", stream=False))
    draws = drawn(shape(*requests, abort_ratio=0.25), 8_000)
    streams = [draw for draw in draws if draw.asked.stream]
    aborted = [draw.abort_after for draw in streams if draw.abort_after is not None]

    assert len(aborted) / len(streams) == pytest.approx(0.25, rel=0.1)
    assert set(aborted) == set(range(1, MAX_ABORT_EVENTS + 1))
    assert all(draw.abort_after is None for draw in draws if not draw.asked.stream)
    assert [draw.asked for draw in draws] == [draw.asked for draw in drawn(shape(*requests), 8_000)]


def test_every_stream_is_left_where_the_ratio_is_one() -> None:
    assert all(draw.abort_after for draw in drawn(shape(asked(b"a"), abort_ratio=1.0), 500))


@pytest.mark.parametrize("worker", [-1, 2])
def test_a_worker_is_one_of_the_workers(worker: int) -> None:
    with pytest.raises(ValueError, match="worker"):
        Draws(shape(*MIX, workers=2), worker)


def test_what_is_sent_is_not_shown_by_accident() -> None:
    assert "secret" not in repr(asked(b"secret"))


@pytest.mark.parametrize(
    ("usual", "expected"),
    [(None, set(range(1, 21))), (100, set(range(1, 21))), (4, {1, 2, 3}), (2, {1}), (1, {1}), (0, {1})],
)
def test_a_stream_is_left_before_the_last_of_its_usual_events(usual: int | None, expected: set[int]) -> None:
    assert {events_before_leaving(drawn, usual) for drawn in range(1, MAX_ABORT_EVENTS + 1)} == expected
