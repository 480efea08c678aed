"""exporter.live.stream_counts: the streams of a run, as its command and the verdict read them."""

import pytest

from exporter.live.figures import all_of
from exporter.live.histogram import Histogram
from exporter.live.message import STREAM_ENDS, Counter, StreamEnd
from exporter.live.overhead import Overhead
from exporter.live.runs import LiveRuns
from exporter.live.status import RunStatus
from exporter.live.stream_counts import StreamCounts
from exporter.live.totals import Totals
from tests.support.clocks import FakeClock
from tests.support.live_messages import RUN, announced, answered, streamed

runs = pytest.fixture(announced)
UNKNOWN = dict.fromkeys(("0.5", "0.75", "0.9", "0.95", "0.99", "0.999"))


def test_ends_are_counters_of_the_same_names_in_the_same_order() -> None:
    assert [each.value for each in STREAM_ENDS] == [f"end_{end}" for end in StreamEnd]


def test_without_a_streaming_engine_there_are_none(runs: LiveRuns, clock: FakeClock) -> None:
    runs.apply(
        answered({"2xx": [100], "5xx": [9]}, {503: 1}, failures={"read": 1}, counters={"untimed_1xx": 1})
    )
    assert StreamCounts.of(runs.runs[RUN].published) is None
    assert RunStatus.of(runs.runs[RUN], clock.monotonic()).streams is None
    assert StreamCounts.of(Totals()) is None


@pytest.mark.parametrize("counter", [each for each in Counter if not each.startswith("untimed")])
def test_each_counter_of_streams_is_told_by_its_name(runs: LiveRuns, counter: Counter) -> None:
    runs.apply(streamed({counter: 3}, {}))
    found = StreamCounts.of(runs.runs[RUN].published)
    assert found is not None
    ends = {end.value: count for end, count in found.ends.items() if count}
    fields = {name: value for name, value in vars(found).items() if isinstance(value, int) and value}
    expected = {counter.value.removeprefix("end_"): 3}
    assert (ends, fields) == ((expected, {}) if counter in STREAM_ENDS else ({}, expected))


@pytest.mark.parametrize(
    ("histogram", "field"),
    [
        (Histogram.FIRST_TOKEN, "first_token"),
        (Histogram.FIRST_OUTPUT, "first_output"),
        (Histogram.CHUNK_GAP, "chunk_gap"),
        (Histogram.TIME_PER_TOKEN, "time_per_token"),
        (Histogram.CLIENT_LAG, "client_lag"),
        (Histogram.SEND_LATENESS, "send_lateness"),
    ],
)
def test_each_histogram_of_times_is_told_in_seconds(runs: LiveRuns, histogram: Histogram, field: str) -> None:
    runs.apply(streamed({}, {histogram: [100, 200, 250]}))
    found = vars(StreamCounts.of(runs.runs[RUN].published))
    assert (found[field]["0.5"], found[field]["0.99"]) == (200e-6, 250e-6)
    others = {name for name, value in found.items() if isinstance(value, dict) and value == UNKNOWN}
    assert len(others) == 6
    assert field not in others


def test_events_a_read_are_numbers(runs: LiveRuns) -> None:
    runs.apply(streamed({}, {Histogram.EVENTS_PER_READ: [1, 1, 1, 66]}))
    found = StreamCounts.of(runs.runs[RUN].published)
    assert found is not None
    assert (found.events_per_read["0.5"], found.events_per_read["0.99"]) == (1, 66)


def test_differences_of_pairs_are_told_with_their_sign(runs: LiveRuns) -> None:
    over, under = [100, 120, 140, 160, 180], [50, 60]
    runs.apply(streamed({}, {Histogram.FIRST_TOKEN_OVER: over, Histogram.FIRST_TOKEN_UNDER: under}))
    found = StreamCounts.of(runs.runs[RUN].published)
    assert found is not None
    assert found.overhead_total is None
    assert found.overhead_first_token == Overhead(pairs=7, median=120e-6, low=-60e-6, high=180e-6)


def test_streams_that_the_client_left_came_to_no_end_of_their_own(runs: LiveRuns) -> None:
    runs.apply(streamed({"end_complete": 5, "end_truncated": 2, "end_aborted": 4}, {}))
    found = StreamCounts.of(runs.runs[RUN].published)
    assert found is not None
    assert found.ended == 7


def test_a_status_with_streams_comes_back_from_its_json(runs: LiveRuns, clock: FakeClock) -> None:
    observed = {Histogram.TOTAL_OVER: list(range(20)), Histogram.CHUNK_GAP: [5, 2**31]}
    runs.apply(streamed({"end_complete": 5, "output_tokens": 2**40}, observed))
    status = RunStatus.of(runs.runs[RUN], clock.monotonic())
    assert status.streams is not None
    assert status.streams.overhead_total is not None
    assert RunStatus.from_json(status.to_json()) == status


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param('"complete":5', '"complete":-5', id="an end below zero"),
        pytest.param('"disconnect":0,"timeout":0', '"bored":0,"timeout":0', id="an unknown end"),
        pytest.param('"complete":5,', "", id="an end that is missing"),
        pytest.param('"good":0', '"good":0.5', id="half a stream"),
        pytest.param('"pairs":20', '"pairs":5', id="an interval of five pairs"),
        pytest.param('"chunk_gap":{"0.5":', '"chunk_gap":{"0.4":', id="another quantile"),
    ],
)
def test_a_status_whose_streams_cannot_be_is_refused(
    runs: LiveRuns, clock: FakeClock, old: str, new: str
) -> None:
    runs.apply(streamed({"end_complete": 5}, {Histogram.TOTAL_OVER: list(range(20))}))
    text = RunStatus.of(runs.runs[RUN], clock.monotonic()).to_json().decode()
    assert text.count(old) == 1
    with pytest.raises(ValueError, match="validation error"):
        RunStatus.from_json(text.replace(old, new).encode())


def test_a_mapping_has_the_keys_that_are_asked_and_no_other() -> None:
    check = all_of(["a", "b"])
    assert check({"b": 1, "a": 2}) == {"b": 1, "a": 2}
    for wrong in ({"a": 1}, {"a": 1, "b": 2, "c": 3}, {}):
        with pytest.raises(ValueError, match="keys a, b"):
            check(wrong)
