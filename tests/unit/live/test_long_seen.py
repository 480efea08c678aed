"""exporter.live.long_seen: what two loads of a run saw of silent connections, together."""

import pytest

from exporter.live.long_seen import Closed, HeldSeen, IdleSeen, LongSeen, both_seen


def idle(seconds: float, how: Closed | None = None, closed: int = 0) -> IdleSeen:
    return IdleSeen(seconds, "router" if how else "nobody", how, closed)


@pytest.mark.parametrize(
    ("first", "second", "together"),
    [
        (idle(60.0), idle(90.0), idle(90.0)),
        (idle(60.0), idle(5.0, "fin", 3), idle(5.0, "fin", 3)),
        (idle(30.0, "fin", 1), idle(90.0), idle(30.0, "fin", 1)),
        (idle(30.0, "fin", 1), idle(40.0, "rst", 2), idle(30.0, "rst", 3)),
    ],
)
def test_the_shortest_silence_that_was_cut_stands(
    first: IdleSeen, second: IdleSeen, together: IdleSeen
) -> None:
    assert first + second == together
    assert LongSeen(first) + LongSeen(second) == LongSeen(together)


def test_of_two_loads_every_silent_stream_is_told() -> None:
    one = HeldSeen(15.0, True, "nobody", None, 15.0, 0)
    other = HeldSeen(30.0, False, "router", "fin", 20.0, 0)
    assert LongSeen(None, (other,)) + LongSeen(idle(5.0), (one,)) == LongSeen(idle(5.0), (one, other))
    assert LongSeen(None, (), "HTTP 404") + LongSeen(None) == LongSeen(None, (), "HTTP 404")
    assert LongSeen(None, (), "HTTP 404") + LongSeen(None, (one,)) == LongSeen(None, (one,))


def test_where_one_load_saw_nothing_the_other_is_told() -> None:
    seen = LongSeen(idle(5.0))
    assert both_seen(None, seen) == both_seen(seen, None) == seen
    assert both_seen(None, None) is None
