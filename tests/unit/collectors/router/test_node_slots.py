"""exporter.collectors.router.router: which nodes have series, from scrape to scrape."""

from hypothesis import given
from hypothesis import strategies as st

from exporter.collectors.router.router import KEPT_SECONDS, MAX_NODES, NodeSlots


def names(first: int, count: int) -> list[str]:
    return [f"n{number:04}" for number in range(first, first + count)]


def test_the_first_by_name_are_chosen_whatever_their_order() -> None:
    assert NodeSlots().choose(names(0, 250)[::-1], 0.0) == names(0, MAX_NODES)


def test_a_new_node_displaces_none_that_has_a_slot() -> None:
    slots = NodeSlots()
    assert slots.choose(names(100, MAX_NODES), 0.0) == names(100, MAX_NODES)
    assert slots.choose(names(0, 300), 5.0) == names(100, MAX_NODES)


def test_a_node_that_was_away_has_its_slot_still() -> None:
    slots = NodeSlots()
    slots.choose(names(0, 201), 0.0)
    assert slots.choose(names(1, 200), 5.0) == names(1, 199)
    assert slots.choose(names(0, 201), KEPT_SECONDS - 1) == names(0, 200)


def test_a_slot_that_nobody_has_needed_for_an_hour_is_given_away() -> None:
    slots = NodeSlots()
    slots.choose(names(0, 200), 0.0)
    slots.choose(names(1, 200), KEPT_SECONDS - 1)
    assert slots.choose(names(1, 200), KEPT_SECONDS) == names(1, 200)
    assert slots.choose(names(0, 201), KEPT_SECONDS) == names(1, 200)


def test_a_router_that_makes_up_names_gets_200_an_hour_and_no_more() -> None:
    slots = NodeSlots()
    seen: set[str] = set()
    for scrape in range(720):
        seen.update(slots.choose(names(200 * scrape, 200), 5.0 * scrape))
    assert len(seen) == MAX_NODES


@given(st.lists(st.tuples(st.sets(st.integers(0, 600)), st.floats(0, 2 * KEPT_SECONDS))))
def test_only_listed_nodes_are_chosen_and_never_too_many(scrapes: list[tuple[set[int], float]]) -> None:
    slots, now = NodeSlots(), 0.0
    for listed, later in scrapes:
        now += later
        chosen = slots.choose([f"n{number}" for number in listed], now)
        assert len(chosen) == len(set(chosen)) <= MAX_NODES
        assert {int(name[1:]) for name in chosen} <= listed
