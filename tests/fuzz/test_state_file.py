"""State files of any bytes, cut off anywhere or changed: restored within bounds or set aside."""

import json
import logging
import math
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.collectors.benchmark.load import LoadCollector
from exporter.collectors.collector import LiveLoad
from exporter.exposition.text_format import TextFormat
from exporter.live.ingest import Ingest
from exporter.live.message import MAX_CONNECTIONS, MAX_PAIRS, Pair, Phase, Route
from exporter.live.runs import MAX_ENDED, MAX_MODELS, MAX_RUNS, LiveRuns
from exporter.live.state_file import StateFile
from exporter.live.state_snapshot import Snapshot
from exporter.live.status import RunStatus
from tests.support.checkout import FIXTURES
from tests.support.clocks import FakeClock
from tests.support.live_messages import answered, message, register
from tests.support.mutations import WRITABLE, mutated_bytes, mutated_json, repeated
from tests.support.worker_histories import holds


def some_runs() -> LiveRuns:
    """Two models of runs that ended, and a run of two under way."""
    runs = LiveRuns(FakeClock())
    for number, model in enumerate(("ジェミニ", 'a"b\\')):
        run = f"{number:016}"
        register(runs, run=run, model=model)
        runs.apply(answered({"2xx": [7, 70], "4xx": [900]}, {404: 1}, run=run))
        register(runs, Phase.FINISHED, run=run, model=model)
    register(runs, pairs=(Pair(Route.LOCAL, "m"), Pair(Route.OPENAI, "openai:gpt-4o")))
    runs.apply(answered({"2xx": [100, 3_000_000]}, failures={"read": 2}, counters={"untimed_2xx": 5}))
    runs.apply(message({0: 9}, pair=1, part=1))
    return runs


RUNS = some_runs()
TEXT = "".join(Snapshot.of(RUNS).text()).encode()
LINES = [json.loads(line) for line in TEXT.splitlines()]
EARLIER = json.loads((FIXTURES / "earlier/ingest-state-v1.json").read_bytes())
VERSION_3 = (FIXTURES / "earlier/state-v3.json").read_bytes().splitlines()
VERSION_2: dict[str, Any] = {
    "version": 2,
    "models": [
        {
            "route": "local",
            "model": "m",
            "totals": {
                "counts": [[3333, 1]],
                "sums_us": {"duration": [0.0] * 5},
                "failures": {},
                "counters": {},
            },
        }
    ],
    "runs": [],
    "ended": ["a" * 16],
}


def holds_its_bounds(content: bytes) -> bool:
    """Whether it was restored; an exporter that starts with this file goes on, and so does the next one."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "state.json"
        file.write_bytes(content)
        runs, state_file = LiveRuns(FakeClock()), StateFile(file)
        state_file.load(runs)
        if state_file.set_aside:
            assert (runs.models, runs.runs, [*runs.ended]) == ({}, {}, [])
            assert file.with_name("state.json.broken").read_bytes() == content
            assert not file.exists()
        assert len(runs.models) <= MAX_MODELS
        assert len(runs.runs) <= MAX_RUNS
        assert len(runs.ended) <= MAX_ENDED
        for run in runs.runs.values():
            assert 1 <= run.info.connections <= MAX_CONNECTIONS
            assert 1 <= len(run.info.pairs) <= MAX_PAIRS
            status = RunStatus.of(run, 1000.0)
            assert RunStatus.from_json(status.to_json()) == status
        # A run begins, is counted and scraped, and what is written then is taken whole by the next exporter.
        register(runs, run="n" * 16, model="another")
        runs.apply(answered({"2xx": [100]}, run="n" * 16))
        load = LiveLoad(runs, Ingest(runs.apply), state_file)
        families = [*LoadCollector(load, FakeClock()).collect()]
        assert TextFormat().plain(families)
        assert all(0 <= sample.value < math.inf for family in families for sample in family.samples)
        restarted, again = LiveRuns(FakeClock()), StateFile(file)
        again.load(restarted)
        assert not again.set_aside
        assert {*restarted.models} == {*runs.models}
        for pair, totals in runs.models.items():
            assert holds(restarted.models[pair]) == holds(totals)
        return not state_file.set_aside


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Thousands of lines that say a file is set aside are of no use."""
    caplog.set_level(logging.CRITICAL)


@given(
    st.binary(max_size=400)
    | mutated_bytes(st.just(TEXT))
    | mutated_bytes(st.just(json.dumps(EARLIER).encode()))
)
def test_any_bytes_are_restored_within_bounds_or_set_aside(content: bytes) -> None:
    holds_its_bounds(content)


@given(st.integers(0, len(TEXT)))
def test_a_file_that_is_cut_off_anywhere_is_set_aside_whole(length: int) -> None:
    # Of the last line its end may be missing, not what is in it.
    assert holds_its_bounds(TEXT[:length]) == (length >= len(TEXT) - 1)


@given(st.integers(0, len(LINES) - 1), st.data())
def test_a_line_that_was_changed_is_restored_within_bounds_or_set_aside(at: int, data: st.DataObject) -> None:
    lines = [json.dumps(line).encode() for line in LINES]
    lines[at] = data.draw(mutated_json(st.just(LINES[at])))
    holds_its_bounds(b"\n".join(lines) + b"\n")


@given(mutated_json(st.sampled_from([EARLIER, VERSION_2])))
def test_a_changed_file_of_an_earlier_release_is_taken_over_within_bounds_or_set_aside(
    content: bytes,
) -> None:
    holds_its_bounds(content)


@given(st.integers(0, len(VERSION_3) - 1), st.data())
def test_a_changed_line_of_the_last_release_is_taken_over_within_bounds_or_set_aside(
    at: int, data: st.DataObject
) -> None:
    lines = [*VERSION_3]
    lines[at] = data.draw(mutated_json(st.just(json.loads(VERSION_3[at]))))
    holds_its_bounds(b"\n".join(lines) + b"\n")


def test_the_file_of_the_last_release_itself_is_taken_over() -> None:
    assert holds_its_bounds(b"\n".join(VERSION_3) + b"\n")


DEEP = repeated(b"[", b"{", b'{"a":', b"[{", b"-", b"1", b'"', b"\\u", most=200_000)


@given(DEEP, st.integers(0, 4))
def test_nesting_of_any_depth_is_set_aside(deep: bytes, before: int) -> None:
    assert not holds_its_bounds(b"".join(TEXT.splitlines(keepends=True)[:before]) + deep)


@given(st.lists(st.builds(Pair, st.sampled_from(Route), WRITABLE), max_size=4, unique=True))
def test_models_of_any_name_come_back_as_they_were_or_the_file_is_set_aside(pairs: list[Pair]) -> None:
    runs = LiveRuns(FakeClock())
    for number, pair in enumerate(pairs):
        register(runs, run=f"{number:016}", pairs=(pair,))
    holds_its_bounds("".join(Snapshot.of(runs).text()).encode())
