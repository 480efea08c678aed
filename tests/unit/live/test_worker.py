"""exporter.live.worker: what is kept of a worker's reports, and the room that all of them share."""

import struct
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.errors import WireError
from exporter.live.histogram import BUCKETS, INDEX_COUNT, OCTAVE, PAGES, STATUS_PAGE, end_of_row, split
from exporter.live.message import Pair, Phase, Route, Row
from exporter.live.runs import LiveRuns
from exporter.live.totals import KEPT_BYTES, LENGTHS, ModelTotals, Totals
from exporter.live.worker import BLOCK_BYTES, PAGE_BYTES, PAIR_BYTES, WORKER_BYTES, Room, Worker
from tests.support.clocks import FakeClock
from tests.support.live_messages import INDEX, RUN, announced, message, octaves, register, token_of

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


FULL = message(dict.fromkeys(((page + 1) * BUCKETS - 1 for page in range(6, PAGES)), 1))
"""the last count of each page of streams: all before it take as much"""
FULL_BYTES = 11 * 8 * BUCKETS


def bytes_of(totals: Totals) -> int:
    return sum(page.bit_length() for page in totals.pages) // 8


def room_of(pairs: int) -> Room:
    return Room(PAIR_BYTES * pairs + (4 << 20))


def test_all_that_wrk_counts_needs_no_room_beside_that_of_its_pair() -> None:
    totals = ModelTotals()
    for page in (*range(5), STATUS_PAGE):
        assert totals.set_page(page, 1 << 64 * LENGTHS[page] - 1) == 0
    assert 0.8 * KEPT_BYTES < bytes_of(totals) <= KEPT_BYTES


@given(st.lists(st.tuples(st.integers(0, PAGES - 1), st.integers(0, 64 * BUCKETS)), max_size=30))
def test_what_a_page_needs_beyond_is_counted_as_it_grows(found: list[tuple[int, int]]) -> None:
    totals, needed = ModelTotals(), 0
    for page, bits in found:
        needed += totals.set_page(page, max(totals.pages[page], 1 << bits))
    assert needed == totals.excess_bytes
    assert totals.excess_bytes == max(bytes_of(totals) - KEPT_BYTES, 0)


def test_counts_far_beyond_three_decades_need_room_of_the_run_and_of_the_model() -> None:
    room = room_of(1)
    runs = LiveRuns(FakeClock(), room)
    register(runs)
    left = room.left
    runs.apply(FULL)
    excess = FULL_BYTES - KEPT_BYTES
    kept = BLOCK_BYTES + WORKER_BYTES + 11 * (PAGE_BYTES + 4 * OCTAVE)
    assert left - room.left == pytest.approx(2 * excess + kept, abs=200)
    # The run gives its part back; that of the model stays as long as its series.
    register(runs, Phase.FINISHED)
    [totals] = runs.models.values()
    assert totals.excess_bytes == pytest.approx(excess, abs=100)
    assert room.left == PAIR_BYTES + (4 << 20) - totals.excess_bytes


def test_where_room_is_short_models_with_many_counts_that_nobody_asks_go_and_others_stay() -> None:
    room = Room(3 * PAIR_BYTES)
    runs = LiveRuns(FakeClock(), room)
    for number, report in enumerate((FULL, message({INDEX: 1}), FULL)):
        run = f"{number:016}"
        register(runs, run=run, model=f"model-{number}")
        runs.apply(replace(report, token=token_of(run)))
        register(runs, Phase.FINISHED, run=run, model=f"model-{number}")
    assert room.left == 3 * PAIR_BYTES - sum(each.excess_bytes for each in runs.models.values())
    register(runs, run="a" * 16, model="another")
    assert [pair.model for pair in runs.models] == ["model-0", "model-1", "model-2", "another"]
    register(runs, run="b" * 16, pairs=tuple(Pair(Route.LOCAL, f"more-{each}") for each in range(2)))
    assert [pair.model for pair in runs.models] == ["model-1", "another", "more-0", "more-1"]
    assert room.left == 0


def test_what_a_state_file_brings_needs_the_same_room() -> None:
    room, restored = room_of(1), room_of(1)
    runs, again = LiveRuns(FakeClock(), room), LiveRuns(FakeClock(), restored)
    register(runs)
    runs.apply(FULL)
    kept = BLOCK_BYTES + WORKER_BYTES + 11 * (PAGE_BYTES + 4 * OCTAVE)
    [run] = runs.runs.values()
    for pair, totals in runs.models.items():
        again.restore(pair, totals.copy())
    again.restore_run(run.info, run.digest, run.phase, [each.published.copy() for each in run.pairs])
    assert restored.left == pytest.approx(room.left + kept, abs=200)
    for found in (runs, again):
        register(found, Phase.FINISHED)
    assert restored.left == room.left
