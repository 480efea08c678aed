"""Datagrams: any bytes, valid ones that were changed, and rows of messages against a model of the counts."""

import struct
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from exporter.errors import WireError
from exporter.live.histogram import (
    BUCKETS,
    INDEX_COUNT,
    OCTAVE,
    STATUS_BASE,
    STATUS_END,
    Histogram,
    end_of_row,
)
from exporter.live.ingest import REJECTION_REASONS, Ingest
from exporter.live.message import (
    MAX_PAIRS,
    SUCCESS_CLASS,
    Counter,
    FailureReason,
    Pair,
    Phase,
    Route,
    WorkerCounts,
    values_of,
)
from exporter.live.run_seconds import RunSeconds
from exporter.live.runs import LiveRuns
from exporter.live.seconds import SecondCounts
from exporter.live.state_file import StateFile
from exporter.live.totals import Totals
from exporter.live.wire import MAX_PARTS, decode, encode
from exporter.live.worker import PAIR_BYTES, Room
from tests.support.clocks import FakeClock
from tests.support.live_messages import octaves, register, token_of
from tests.support.mutations import mutated_bytes

RUNS = ("a" * 16, "b" * 16)
MODELS = tuple(Pair(Route.LOCAL, name) for name in ("one", "two", "three"))
PAIRS = {RUNS[0]: MODELS[:2], RUNS[1]: MODELS[1:]}
CONNECTIONS = 3
# Few places, so that messages meet: both ends of a page, neighbours, and the statuses.
INDICES = st.sampled_from(
    [
        0,
        BUCKETS,
        BUCKETS + 1,
        BUCKETS + OCTAVE,
        2 * BUCKETS - 1,
        4 * BUCKETS,
        STATUS_BASE + 404,
        STATUS_END - 1,
        Histogram.FIRST_TOKEN * BUCKETS,
        INDEX_COUNT - 1,
    ]
)
COUNTS = st.integers(0, 4) | st.sampled_from([2**31, 2**32 - 1])
# Whose sums are exact in any order.
SUMS = st.sampled_from([0.0, 1.0, 2.5, 2.0**40])
VALUES = st.builds(
    lambda read, untimed, tokens, total, lag: values_of(
        {FailureReason.READ: read},
        {Counter.UNTIMED_2XX: untimed, Counter.OUTPUT_TOKENS: tokens},
        {Histogram.DURATION: (0.0, total, 0.0, 0.0, 0.0), Histogram.CLIENT_LAG: (lag,)},
    ),
    st.integers(0, 3),
    st.sampled_from([0, 1, 2**50]),
    st.sampled_from([0, 1, 2**50]),
    SUMS,
    SUMS,
)


@st.composite
def messages(draw: st.DrawFn) -> WorkerCounts:
    """One that a worker could send, or nearly."""
    run = draw(st.sampled_from([*RUNS, *RUNS, "z" * 16]))
    places = st.dictionaries(INDICES, COUNTS, max_size=3)
    pairs = [pair for pair in range(3) if draw(st.integers(0, 3)) > pair]
    return WorkerCounts(
        token=token_of(run),
        worker=draw(st.integers(0, CONNECTIONS)),
        sequence=draw(st.integers(0, 5)),
        part=draw(st.sampled_from([0, 0, 1, MAX_PARTS - 1])),
        final=draw(st.booleans()),
        connections=draw(st.sampled_from([0, 1, 1, 2, 2**32 - 1])),
        in_flight=draw(st.sampled_from([0, 1, 2**32 - 1])),
        blocks=tuple((pair, draw(VALUES)) for pair in pairs if draw(st.booleans())),
        rows=tuple(row for pair in pairs for row in octaves(draw(places), pair)),
    )


def counts_of(message: WorkerCounts) -> dict[tuple[int, int], int]:
    """By pair and index, those of zero too."""
    return {
        (pair, index): count
        for pair, first, row in message.rows
        for index, (count,) in enumerate(struct.iter_unpack("<I", row), first)
    }


@dataclass
class ModelWorker:
    """What a worker has last reported."""

    sequence: int = -1
    parts: set[int] = field(default_factory=set)
    connections: int = 0
    counts: dict[tuple[int, int], int] = field(default_factory=dict)
    values: dict[int, tuple[float, ...]] = field(default_factory=dict)


@dataclass
class ModelRun:
    """What must be published of a run: the greater of what was before a restart and of what came since."""

    workers: dict[int, ModelWorker] = field(default_factory=dict)
    counts_before: dict[tuple[int, int], int] = field(default_factory=dict)
    values_before: dict[int, tuple[float, ...]] = field(default_factory=dict)

    def objections(self, message: WorkerCounts, places: int) -> set[str]:
        """Every reason for which the message must not be taken."""
        known = self.workers.get(message.worker, ModelWorker())
        others = sum(worker.connections for worker in self.workers.values()) - known.connections
        found = set()
        if message.worker >= CONNECTIONS or others + message.connections > CONNECTIONS:
            found.add("inconsistent")
        if message.sequence < known.sequence:
            found.add("replayed")
        if message.sequence == known.sequence and message.part in known.parts:
            found.add("replayed")
        counts = counts_of(message)
        if any(pair >= places for pair, _ in [*counts, *message.blocks]):
            found.add("inconsistent")
        if any(count < known.counts.get(place, 0) for place, count in counts.items()):
            found.add("inconsistent")
        for pair, values in message.blocks:
            before = known.values.get(pair, values_of())
            if any(new < old for new, old in zip(values, before, strict=True)):
                found.add("inconsistent")
        return found

    def take(self, message: WorkerCounts) -> None:
        worker = self.workers.setdefault(message.worker, ModelWorker())
        if message.sequence > worker.sequence:
            worker.parts.clear()
        worker.sequence = message.sequence
        worker.parts.add(message.part)
        worker.connections = message.connections
        worker.counts |= counts_of(message)
        worker.values |= dict(message.blocks)

    def counts(self) -> dict[tuple[int, int], int]:
        since: dict[tuple[int, int], int] = {}
        for worker in self.workers.values():
            for place, count in worker.counts.items():
                since[place] = since.get(place, 0) + count
        both = since.keys() | self.counts_before.keys()
        return {place: max(since.get(place, 0), self.counts_before.get(place, 0)) for place in both}

    def values(self, pair: int) -> tuple[float, ...]:
        since = [values_of(), *(w.values[pair] for w in self.workers.values() if pair in w.values)]
        before = self.values_before.get(pair, values_of())
        return tuple(max(sum(new), old) for *new, old in zip(*since, before, strict=True))

    def restarted(self, places: int) -> "ModelRun":
        return ModelRun({}, self.counts(), {pair: self.values(pair) for pair in range(places)})


def announced(room: Room | None = None) -> LiveRuns:
    """Two runs that ask one model together."""
    runs = LiveRuns(FakeClock(), room)
    announce(runs)
    return runs


def announce(runs: LiveRuns, phase: Phase = Phase.LOAD) -> None:
    for run in RUNS:
        register(runs, phase, run=run, pairs=PAIRS[run], connections=CONNECTIONS)


def agrees(totals: Totals, counts: dict[int, int], values: tuple[float, ...]) -> None:
    assert dict(totals.counts()) == {index: count for index, count in counts.items() if count}
    assert tuple(totals.values) == values


def check(runs: LiveRuns, model: dict[str, ModelRun]) -> None:
    """What is published of every run and of every model is what the model says."""
    of_model = {pair: (dict[int, int](), values_of()) for pair in MODELS}
    for run, expected in model.items():
        every = expected.counts()
        for place, pair in enumerate(PAIRS[run]):
            counts = {index: count for (at, index), count in every.items() if at == place}
            agrees(runs.runs[run].pairs[place].published, counts, expected.values(place))
            known, values = of_model[pair]
            for index, count in counts.items():
                known[index] = known.get(index, 0) + count
            added = tuple(a + b for a, b in zip(values, expected.values(place), strict=True))
            of_model[pair] = known, added
    for pair, (counts, values) in of_model.items():
        agrees(runs.models[pair], counts, values)


def take(ingest: Ingest, message: WorkerCounts) -> str | None:
    """Give it to the ingest; why it was refused, or None."""
    before = dict(ingest.rejected)
    ingest.take(encode(message))
    return next((reason for reason in REJECTION_REASONS if ingest.rejected[reason] > before[reason]), None)


@given(st.lists(messages() | st.sampled_from(["restart", "repeat"]), max_size=25))
def test_messages_in_a_row_count_what_the_model_says(steps: list[WorkerCounts | str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "state.json"
        runs, model = announced(), {run: ModelRun() for run in RUNS}
        ingest = Ingest(runs.apply)
        last: WorkerCounts | None = None
        for step in steps:
            if step == "restart":
                StateFile(file).save(runs)
                runs = LiveRuns(FakeClock())
                StateFile(file).load(runs)
                announce(runs)
                ingest = Ingest(runs.apply)
                model = {run: each.restarted(len(PAIRS[run])) for run, each in model.items()}
            message = last if isinstance(step, str) else step
            if message is not None:
                last = message
                run = message.token.decode()
                objections = (
                    model[run].objections(message, len(PAIRS[run])) if run in model else {"unknown_run"}
                )
                refused = take(ingest, message)
                assert refused in objections if objections else refused is None
                if refused is None:
                    model[run].take(message)
            check(runs, model)
        announce(runs, Phase.FINISHED)
        for message in (step for step in steps if isinstance(step, WorkerCounts)):
            assert take(ingest, message) == "unknown_run"


@given(st.lists(messages(), max_size=25), st.integers(0, 20_000))
def test_where_room_is_short_a_message_counts_whole_or_not_at_all_and_all_room_comes_back(
    given_messages: list[WorkerCounts], size: int
) -> None:
    announcements = PAIR_BYTES * sum(map(len, PAIRS.values()))
    room = Room(announcements + size)
    runs, model = announced(room), {run: ModelRun() for run in RUNS}
    ingest = Ingest(runs.apply)
    for message in given_messages:
        run = message.token.decode()
        objections = model[run].objections(message, len(PAIRS[run])) if run in model else {"unknown_run"}
        refused = take(ingest, message)
        assert refused is None or refused in {*objections, "no_room"}
        if refused is None:
            assert not objections
            model[run].take(message)
        check(runs, model)
    assert room.left >= -200_000
    announce(runs, Phase.FINISHED)
    assert room.left == announcements + size


@given(st.lists(messages() | st.sampled_from([0.5, 1.0, 3.0]), max_size=25))
def test_the_seconds_of_a_run_add_up_to_what_is_published_of_it(steps: list[WorkerCounts | float]) -> None:
    clock = FakeClock()
    runs = LiveRuns(clock)
    announce(runs)
    ingest = Ingest(runs.apply)
    for step in [*steps, 2.0]:
        if isinstance(step, WorkerCounts):
            take(ingest, step)
            continue
        clock.advance(step)
        runs.tick()
    for run in runs.runs.values():
        answer = RunSeconds.of(run, 0, clock.wall(), clock.monotonic())
        assert RunSeconds.from_json(answer.to_json()) == answer
        added = SecondCounts(0, 0, seconds=0)
        for entry in answer.seconds:
            added += entry.counts
        total = answer.total.counts
        assert (added.successes, added.durations) == (total.successes, total.durations)
        assert (dict(added.statuses), dict(added.failures)) == (total.statuses, total.failures)
        assert total.successes == run.published.requests()[SUCCESS_CLASS]
        assert sum(total.failures.values()) == sum(run.published.failures().values())


LARGE = st.builds(
    lambda message, indices: replace(message, rows=octaves(dict.fromkeys(indices, 2**32 - 1))),
    messages(),
    st.lists(
        st.integers(0, INDEX_COUNT - 1).filter(lambda index: index < end_of_row(index)),
        max_size=15,
        unique_by=lambda index: index // OCTAVE,
    ),
)


@given(st.lists(mutated_bytes((messages() | LARGE).map(encode)) | st.binary(max_size=300), max_size=12))
def test_whatever_bytes_come_each_is_counted_once_and_nothing_falls(datagrams: list[bytes]) -> None:
    runs = announced()
    ingest = Ingest(runs.apply)
    seen: dict[Pair, tuple[list[int], list[float]]] = {}
    for number, datagram in enumerate(datagrams, 1):
        ingest.take(datagram)
        assert ingest.messages + sum(ingest.rejected.values()) == number
        for pair, totals in runs.models.items():
            before, now = seen.get(pair), ([*totals.pages], [*totals.values])
            if before is not None:
                assert all(new >= old for new, old in zip(now[1], before[1], strict=True))
                found = dict(totals.counts())
                earlier = Totals()
                earlier.pages = before[0]
                assert all(found.get(index, 0) >= count for index, count in earlier.counts())
            seen[pair] = now
        assert {*runs.models} == {*MODELS}
        assert {*runs.runs} == {*RUNS}
        for run in runs.runs.values():
            assert all(0 <= figure <= CONNECTIONS for figure in run.connections(1000.0))
            assert len(run.workers) <= CONNECTIONS


@given(mutated_bytes((messages() | LARGE).map(encode)))
def test_a_datagram_is_decoded_within_bounds_and_comes_back_the_same_or_is_refused(datagram: bytes) -> None:
    try:
        found = decode(datagram)
    except WireError as error:
        assert error.reason in ("malformed", "oversized", "version")
        return
    assert len(found.blocks) <= MAX_PAIRS
    assert all(0 <= value <= 2**53 for _, values in found.blocks for value in values)
    places = [(pair, first + i) for pair, first, row in found.rows for i in range(len(row) // 4)]
    assert places == sorted(set(places))
    assert all(pair < MAX_PAIRS and 0 <= index < end_of_row(index) for pair, index in places)
    # The flags have bits that nothing reads.
    known = bytes([datagram[5] & 1])
    assert encode(found) == datagram[:5] + known + datagram[6:]
