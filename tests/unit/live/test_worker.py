"""exporter.live.worker: what is kept of a worker's reports, and the room that all of them share."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.errors import WireError
from exporter.live.histogram import BUCKETS, INDEX_COUNT, OCTAVE, end_of_row, split
from exporter.live.message import Phase, Row
from exporter.live.runs import LiveRuns
from exporter.live.worker import PAGE_BYTES, PAIR_BYTES, Room, Worker
from tests.support.clocks import FakeClock
from tests.support.live_messages import INDEX, RUN, announced, message, octaves, register

runs = pytest.fixture(announced)
OCTAVES = INDEX_COUNT // OCTAVE
spans = st.tuples(st.integers(0, OCTAVES - 1), st.integers(1, 4))
reports = st.lists(st.tuples(st.lists(spans, min_size=1, max_size=3), st.integers(1, 9)), max_size=6)


def rows(found: list[tuple[int, int]], counts: dict[int, int]) -> list[Row]:
    """The octaves that are named, with all that was counted in them."""
    indices = {i for octave, length in found for i in range(octave * OCTAVE, (octave + length) * OCTAVE)}
    found_rows: list[Row] = []
    known = {i: counts.get(i, 0) for i in indices if i < end_of_row(i)}
    for pair, first, row in octaves(known):
        before = found_rows[-1] if found_rows else (0, -1, b"")
        if first % BUCKETS and before[1] + len(before[2]) // 4 == first:
            # As live.lua sends them: what adjoins is one row.
            found_rows[-1] = (pair, before[1], before[2] + row)
        else:
            found_rows.append((pair, first, row))
    return found_rows


@given(reports)
def test_every_rise_is_what_came_on_top_whatever_octaves_a_report_has(
    found: list[tuple[list[tuple[int, int]], int]],
) -> None:
    worker = Worker()
    counts: dict[int, int] = {}
    kept: dict[int, int] = {}
    for named, added in found:
        for row in rows(named, counts):
            for index in range(row[1], row[1] + len(row[2]) // 4, 7):
                counts[index] = counts.get(index, 0) + added
        current = rows(named, counts)
        for row in current:
            rise, _ = worker.rise(row)
            _, first, now = row
            expected = [
                count - kept.get(first + i, 0) for i, (count,) in enumerate(struct.iter_unpack("<I", now))
            ]
            assert list(split(rise, len(expected))) == expected
        for row in current:
            worker.grow(row)
            for i, (count,) in enumerate(struct.iter_unpack("<I", row[2])):
                kept[row[1] + i] = count
    for page, (start, known) in worker.pages.items():
        for i, (count,) in enumerate(struct.iter_unpack("<I", known)):
            assert count == kept.get(page * BUCKETS + start + i, 0)


def test_a_page_is_as_long_as_the_octaves_that_were_reported() -> None:
    worker = Worker()
    [row] = octaves({INDEX: 1})
    assert worker.grow(row) == PAGE_BYTES + 4 * OCTAVE
    assert worker.grow(row) == 0
    [later] = octaves({INDEX + 3 * OCTAVE: 1})
    assert worker.grow(later) == 3 * 4 * OCTAVE
    assert [len(counts) for _, counts in worker.pages.values()] == [4 * 4 * OCTAVE]


def test_one_report_that_widens_a_page_on_both_sides_is_counted_right(runs: LiveRuns) -> None:
    runs.apply(message({INDEX + 5 * OCTAVE: 4}))
    runs.apply(message({INDEX: 1, INDEX + 5 * OCTAVE: 6, INDEX + 9 * OCTAVE: 2}, sequence=2))
    runs.apply(message({INDEX: 1, INDEX + 5 * OCTAVE: 7, INDEX + 9 * OCTAVE: 3}, sequence=3))
    [totals] = runs.models.values()
    assert dict(totals.counts()) == {INDEX: 1, INDEX + 5 * OCTAVE: 7, INDEX + 9 * OCTAVE: 3}


def fill(runs: LiveRuns, room: Room, run: str = RUN) -> None:
    """Workers report until none is taken any more."""
    with pytest.raises(WireError, match="no_room"):
        for worker in range(1000):
            runs.apply(message({INDEX: 1}, run=run, worker=worker))
    assert room.left <= 0


def test_what_needs_room_is_refused_where_none_is_left_and_what_needs_none_is_taken() -> None:
    room = Room(PAIR_BYTES + 20_000)
    runs = LiveRuns(FakeClock(), room)
    register(runs, connections=1000)
    fill(runs, room)
    [totals] = runs.models.values()
    before = totals.requests()[1]
    assert 5 < before < 20
    for more in (message({INDEX + OCTAVE: 1}, sequence=2), message(worker=999, sequence=2)):
        with pytest.raises(WireError, match="no_room"):
            runs.apply(more)
    runs.apply(message({INDEX: 5}, sequence=2))
    assert totals.requests()[1] == before + 4


def test_a_run_that_is_over_gives_all_of_its_room_back() -> None:
    room = Room(PAIR_BYTES + 20_000)
    runs = LiveRuns(FakeClock(), room)
    register(runs, connections=1000)
    fill(runs, room)
    register(runs, Phase.FINISHED, connections=1000)
    assert room.left == PAIR_BYTES + 20_000
    register(runs, run="f" * 16, connections=1000)
    fill(runs, room, "f" * 16)
