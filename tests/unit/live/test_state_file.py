"""exporter.live.state_file: a restarted exporter goes on counting where it was killed."""

import base64
import json
import logging
import os
import shutil
import zlib
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from exporter.live.histogram import BUCKETS, STATUS_END, Histogram
from exporter.live.message import Counter, FailureReason, Pair, Phase, Route
from exporter.live.pace import PaceRecord
from exporter.live.runs import LiveRuns
from exporter.live.state_file import MAX_BYTES, StateFile
from tests.support.checkout import FIXTURES
from tests.support.clocks import FakeClock
from tests.support.live_messages import (
    INDEX,
    LOCAL_MODEL,
    RUN,
    announced,
    answered,
    message,
    register,
    run_info,
    token_of,
)
from tests.support.worker_histories import holds

OTHER = "f" * 16


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "state.json"


@pytest.fixture
def runs(clock: FakeClock) -> LiveRuns:
    found = LiveRuns(clock)
    register(found, run=OTHER, route=Route.GOOGLE, model="google:ジェミニ")
    found.apply(answered({"2xx": [7]}, run=OTHER))
    register(found, Phase.FINISHED, run=OTHER, route=Route.GOOGLE, model="google:ジェミニ")
    register(found, Phase.DRAIN)
    found.apply(
        answered(
            {"2xx": [100, 3_000_000], "5xx": [9]}, {503: 1}, failures={"connect": 1, "read": 2, "write": 3}
        )
    )
    return found


def restarted(file: Path) -> LiveRuns:
    found = LiveRuns(FakeClock())
    StateFile(file).load(found)
    return found


def test_a_missing_file_is_a_first_start(file: Path) -> None:
    assert restarted(file).models == {}
    assert not file.exists()


def test_models_and_unfinished_runs_come_back_as_they_were_published(file: Path, runs: LiveRuns) -> None:
    StateFile(file).save(runs)
    found = restarted(file)
    assert list(found.models) == [Pair(Route.GOOGLE, "google:ジェミニ"), LOCAL_MODEL]
    for key, totals in runs.models.items():
        assert found.models[key].pages == totals.pages
        assert found.models[key].values == totals.values
    assert list(found.runs) == [RUN]
    assert found.runs[RUN].info == run_info()
    assert found.runs[RUN].phase == Phase.DRAIN
    assert found.runs[RUN].published.requests() == [0, 2, 0, 0, 1]
    assert found.runs[RUN].published.failures()[FailureReason.WRITE] == 3
    found.apply(answered({"2xx": [100, 3_000_000, 7], "5xx": [9]}, {503: 1}, failures={"write": 3}))
    assert found.models[LOCAL_MODEL].requests() == [0, 3, 0, 0, 1]


def test_what_came_back_is_not_taken_for_requests_of_the_last_seconds(file: Path, runs: LiveRuns) -> None:
    StateFile(file).save(runs)
    assert sum(restarted(file).models[LOCAL_MODEL].recent()) == 0


def test_a_run_of_several_models_goes_on_with_each_of_them(file: Path, clock: FakeClock) -> None:
    pairs = (LOCAL_MODEL, Pair(Route.OPENAI, "openai:gpt-4o"))
    before = LiveRuns(clock)
    register(before, pairs=pairs)
    for pair, count in enumerate((2, 5)):
        before.apply(message({INDEX: count}, pair=pair, part=pair, failures={"read": count}))
    StateFile(file).save(before)
    found = restarted(file)
    # Less than was published, then more.
    found.apply(message({INDEX: 1}, failures={"read": 1}, sequence=2))
    found.apply(message({INDEX: 9}, pair=1, part=1, failures={"read": 6}, sequence=2))
    assert [found.models[pair].requests()[1] for pair in pairs] == [2, 9]
    assert [found.models[pair].failures()[FailureReason.READ] for pair in pairs] == [2, 6]


def test_saving_what_was_loaded_gives_the_same_file(file: Path, runs: LiveRuns, tmp_path: Path) -> None:
    StateFile(file).save(runs)
    again = tmp_path / "again.json"
    StateFile(again).save(restarted(file))
    assert again.read_bytes() == file.read_bytes()


def test_the_file_is_replaced_in_one_step_and_only_where_something_changed(
    file: Path, runs: LiveRuns
) -> None:
    state_file = StateFile(file)
    state_file.save(runs)
    first = file.stat().st_ino
    state_file.save(runs)
    assert file.stat().st_ino == first
    runs.apply(answered({"2xx": [100]}, worker=1))
    with file.open("rb") as old:
        state_file.save(runs)
        run = json.loads(old.read().splitlines()[-1])
        assert run["totals"][0]["sums_us"]["duration"][1] == 3_000_100
    assert restarted(file).models[LOCAL_MODEL].requests()[1] == 3
    assert [path.name for path in file.parent.iterdir()] == ["state.json"]


def test_the_file_holds_no_token(file: Path, runs: LiveRuns) -> None:
    StateFile(file).save(runs)
    text = file.read_text()
    assert RUN in text
    assert token_of().hex() not in text


def test_what_a_kill_left_half_written_is_ignored(file: Path, runs: LiveRuns) -> None:
    StateFile(file).save(runs)
    left = file.with_name("state.json.new")
    left.write_text('{"version": 2, "mod')
    assert restarted(file).models[LOCAL_MODEL].requests()[1] == 2


def totals(**changes: Any) -> dict[str, Any]:
    sums = {"duration": [0.0] * 5}
    return {"counts": [[3333, 1]], "sums_us": sums, "failures": {}, "counters": {}, **changes}


def document(version: Any = 2, route: str = "local", model: str = "m", **changes: Any) -> dict[str, Any]:
    models = [{"route": route, "model": model, "totals": totals(**changes)}]
    return {"version": version, "models": models, "runs": [], "ended": []}


def with_run(**changes: Any) -> dict[str, Any]:
    """A file with one run under way."""
    run = {
        "info": asdict(run_info()),
        "token_digest": "ab" * 32,
        "phase": "load",
        "totals": [totals()],
        **changes,
    }
    return {**document(), "runs": [run]}


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"[" * 100_000, id="nested without end"),
        pytest.param(b'{"version":3,"models":0,"runs":0,"ended":[]}\n' + b"[" * 9999, id="nested lines"),
        pytest.param(b'{"version":3,"models":1,"runs":0,"ended":[]}\n', id="a line too few"),
        pytest.param(b'{"version":4,"models":65,"runs":0,"ended":[]}\n', id="too many models"),
        pytest.param(document(counts=[[3333, True]]), id="true is not 1"),
        pytest.param(document(counts=[[3333, 1], [3333, 1]]), id="a count twice"),
        pytest.param(document(failures={"read": -1}), id="a failure below zero"),
        pytest.param(document(failures={"read": "7"}), id="a text as number"),
        pytest.param(document(sums_us={"duration": [float("nan")] * 5}), id="no numbers"),
        pytest.param(document(model="a\x9bb"), id="a control character in a model"),
        pytest.param(with_run(info={**asdict(run_info()), "connections": 10**9}), id="a run beyond bounds"),
        pytest.param(with_run(info={**asdict(run_info()), "label": "x" * 129}), id="a long label"),
        pytest.param(b"", id="empty"),
        pytest.param(b'{"version": 2, "mod', id="cut off"),
        pytest.param(b"\xff\xfe", id="no text"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b"1", id="a number"),
        pytest.param(b"{}", id="an empty object"),
        pytest.param(document(version=5), id="a later version"),
        pytest.param({"version": 1, "models": []}, id="an earlier version without runs"),
        pytest.param(document(route="mars"), id="an unknown route"),
        pytest.param(document(counts=[[STATUS_END, 1]]), id="an index beyond the last"),
        pytest.param(document(counts=[[-1, 1]]), id="an index below zero"),
        pytest.param(document(counts=[[3333, -1]]), id="a count below zero"),
        pytest.param(document(counts=[[3333, 2**64]]), id="a count beyond 64 bits"),
        pytest.param(document(counts=[[3333, 1.5]]), id="a broken count"),
        pytest.param(document(counts=[3333]), id="a count without an index"),
        pytest.param(document(sums_us={"duration": [0.0] * 4}), id="four sums"),
        pytest.param(document(sums_us={"duration": ["1"] * 5}), id="sums as text"),
        pytest.param(document(sums_us={"duration": [1e308] * 5}), id="sums whose own sum is infinite"),
        pytest.param(document(sums_us={"mood": [0.0] * 5}), id="an unknown histogram"),
        pytest.param(document(counters={"sheep": 1}), id="an unknown counter"),
        pytest.param(document(failures={"boredom": 1}), id="an unknown reason"),
        pytest.param(document(failures=[]), id="failures as a list"),
        pytest.param(with_run(info={"run": RUN}), id="a run without its parameters"),
        pytest.param(with_run(token_digest="z" * 64), id="a digest that is no hexadecimal number"),
        pytest.param(with_run(totals=[]), id="a run without the totals of its model"),
    ],
)
def test_a_file_that_is_no_state_file_is_set_aside_and_counters_begin_at_zero(
    file: Path, content: bytes | dict[str, Any], runs: LiveRuns, caplog: pytest.LogCaptureFixture
) -> None:
    written = content if isinstance(content, bytes) else json.dumps(content).encode()
    file.write_bytes(written)
    found, state_file = LiveRuns(FakeClock()), StateFile(file)
    state_file.load(found)
    assert (found.models, found.runs, list(found.ended)) == ({}, {}, [])
    assert state_file.set_aside
    [said] = [each.getMessage() for each in caplog.records if each.levelno == logging.ERROR]
    assert said.startswith(f"{file}: ")
    assert f"{file}.broken" in said
    assert "\n" not in said
    assert len(said) < 1000
    assert file.with_name("state.json.broken").read_bytes() == written
    state_file.save(runs)
    assert restarted(file).models[LOCAL_MODEL].requests()[1] == 2


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda packed: packed[:-3], id="cut off"),
        pytest.param(lambda packed: packed[:-2] + b"!!", id="another checksum"),
        pytest.param(lambda packed: packed + packed, id="two in one"),
        pytest.param(lambda packed: zlib.compress(b"\1" * 99_999), id="longer than a page"),
    ],
)
def test_a_page_of_which_something_is_missing_or_too_much_is_none(
    file: Path, runs: LiveRuns, damage: Callable[[bytes], bytes]
) -> None:
    StateFile(file).save(runs)
    lines = [json.loads(line) for line in file.read_bytes().splitlines()]
    pages = lines[1]["totals"]["pages"]
    place = next(number for number, page in enumerate(pages) if page)
    pages[place] = base64.b64encode(damage(base64.b64decode(pages[place]))).decode()
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    found, state_file = LiveRuns(FakeClock()), StateFile(file)
    state_file.load(found)
    assert (state_file.set_aside, found.models) == (True, {})


def test_the_good_one_of_these_files_is_taken(file: Path) -> None:
    file.write_text(json.dumps(with_run()))
    assert restarted(file).runs[RUN].digest == bytes.fromhex("ab" * 32)


def test_a_file_of_version_1_is_taken_over_with_equal_counters_and_its_runs_are_over(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A real one: two runs of wrk that ended, one of several connections a thread, and one under way."""
    shutil.copy(FIXTURES / "earlier/ingest-state-v1.json", file)
    found = restarted(file)
    openai = found.models[Pair(Route.OPENAI, "openai:gpt-4o")]
    local = found.models[LOCAL_MODEL]
    assert openai.requests() == [0, 0, 0, 32_729, 0]
    assert openai.of_statuses()[401] == 32_729
    assert openai.sums_us()[3] == pytest.approx(6.0470662919960025e6)
    assert local.requests() == [0, 1190, 0, 0, 79]
    assert local.counters()[Counter.UNTIMED_2XX] == 1190 - 854
    assert sum(local.of_class(1)) == 854
    assert local.sums_us()[1] == pytest.approx(19.37576869199753e6)
    assert {reason: count for reason, count in local.failures().items() if count} == {FailureReason.READ: 14}
    assert found.runs == {}
    assert sorted(found.ended) == ["33e7933323e3a104", "58194bd04eadb840", "be7030b722d97f76"]
    [record] = caplog.records
    assert str(file) in record.getMessage()
    StateFile(file).save(found)
    again = restarted(file)
    assert {pair: holds(totals) for pair, totals in again.models.items()} == {
        pair: holds(totals) for pair, totals in found.models.items()
    }
    assert again.ended == found.ended
    assert len(caplog.records) == 1


def test_a_file_of_version_3_is_taken_over_and_its_counters_and_its_run_go_on(file: Path) -> None:
    """A real one: a run that ended, and one under way."""
    shutil.copy(FIXTURES / "earlier/state-v3.json", file)
    found = restarted(file)
    google, local = found.models[Pair(Route.GOOGLE, "google:ジェミニ")], found.models[LOCAL_MODEL]
    assert google.requests() == [0, 1, 0, 0, 0]
    assert local.requests() == [0, 6, 0, 0, 1]
    assert local.sums_us() == [0, 3_000_100, 0, 0, 9]
    assert local.sums_us(Histogram.FIRST_TOKEN) == [0]
    assert local.of(Histogram.FIRST_TOKEN) == ()
    assert [*local.failures().values()][:3] == [1, 2, 3]
    assert {each: n for each, n in local.counters().items() if n} == {Counter.UNTIMED_2XX: 4}
    assert [*found.ended] == [OTHER]
    assert (found.runs[RUN].info, found.runs[RUN].phase) == (run_info(), Phase.DRAIN)
    found.apply(
        message({6 * BUCKETS: 5}, failures={"read": 7}, counters={"untimed_2xx": 3, "end_complete": 5})
    )
    assert local.requests() == [0, 6, 0, 0, 1]
    assert local.failures()[FailureReason.READ] == 7
    assert local.counters()[Counter.END_COMPLETE] == 5
    assert local.of(Histogram.FIRST_TOKEN)[0] == 5
    StateFile(file).save(found)
    assert json.loads(file.read_bytes().splitlines()[0])["version"] == 4
    again = restarted(file)
    assert {pair: holds(totals) for pair, totals in again.models.items()} == {
        pair: holds(totals) for pair, totals in found.models.items()
    }


@pytest.mark.parametrize(
    ("version", "change"),
    [
        pytest.param(3, {"pages": [""] * 17}, id="a page that its version had not"),
        pytest.param(4, {"pages": [""] * 6}, id="pages of an earlier version"),
        pytest.param(4, {"pages": [""] * 18}, id="a page too many"),
        pytest.param(
            4, {"sums_us": {"duration": [0.0] * 5, "first_token": [0.0] * 5}}, id="five sums of one"
        ),
        pytest.param(4, {"sums_us": {"duration": [0.0]}}, id="one sum of five"),
        pytest.param(4, {"counters": {"end_bored": 1}}, id="an unknown end"),
    ],
)
def test_a_file_that_is_not_as_its_version_says_is_set_aside(
    file: Path, version: int, change: dict[str, Any]
) -> None:
    pages = [""] * (6 if version == 3 else 17)
    zeros = {"pages": pages, "sums_us": {"duration": [0.0] * 5}, "failures": {}, "counters": {}}
    head = {"version": version, "models": 1, "runs": 0, "ended": []}
    for totals, taken in ((zeros, True), ({**zeros, **change}, False)):
        model = {"route": "local", "model": "m", "totals": totals}
        file.write_text(f"{json.dumps(head)}\n{json.dumps(model)}\n")
        found, state_file = LiveRuns(FakeClock()), StateFile(file)
        state_file.load(found)
        assert (state_file.set_aside, len(found.models)) == (not taken, int(taken))


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo])
def test_what_is_no_regular_file_is_set_aside_and_blocks_nothing(
    file: Path, make: Callable[[Path], None], runs: LiveRuns
) -> None:
    make(file)
    assert restarted(file).models == {}
    StateFile(file).save(runs)
    assert restarted(file).models[LOCAL_MODEL].requests()[1] == 2


def test_a_file_larger_than_any_of_ours_is_not_read(file: Path) -> None:
    with file.open("wb") as sparse:
        sparse.truncate(MAX_BYTES + 1)
    assert restarted(file).models == {}
    assert file.with_name("state.json.broken").stat().st_size == MAX_BYTES + 1


def test_the_temporary_name_is_not_followed(file: Path, runs: LiveRuns, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("mine")
    file.with_name("state.json.new").symlink_to(precious)
    StateFile(file).save(runs)
    assert precious.read_text() == "mine"
    assert not file.is_symlink()
    assert file.stat().st_mode & 0o777 == 0o600
    assert restarted(file).models[LOCAL_MODEL].requests()[1] == 2


def test_file_and_folder_are_on_the_disk_before_a_scrape_is_answered(
    file: Path, runs: LiveRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced = []

    def fsync(descriptor: int) -> None:
        synced.append((Path(f"/proc/self/fd/{descriptor}").readlink(), file.exists()))

    monkeypatch.setattr(os, "fsync", fsync)
    StateFile(file).save(runs)
    assert synced == [(file.with_name("state.json.new"), False), (file.parent, True)]


def test_a_failure_to_write_is_logged_once_and_costs_no_scrape(
    tmp_path: Path, runs: LiveRuns, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "gone"
    state_file = StateFile(folder / "state.json")
    with caplog.at_level(logging.ERROR):
        state_file.save(runs)
        state_file.save(runs)
    [record] = caplog.records
    assert record.getMessage().startswith(f"{folder / 'state.json'}: ")
    assert "No such file or directory" in record.getMessage()
    folder.mkdir()
    state_file.save(runs)
    assert restarted(folder / "state.json").models[LOCAL_MODEL].requests()[1] == 2


def test_the_times_without_a_success_come_back(file: Path, clock: FakeClock) -> None:
    runs = announced(clock)
    record = PaceRecord(10e6)
    for at in (11.0, 11.1, 15.0):
        record.succeeded(at * 1e6)
    runs.apply(answered({"2xx": [100]}, pace=record.pace(16e6, 1000)))
    state = runs.runs[RUN].pace.gaps.state
    StateFile(file).save(runs)
    assert restarted(file).runs[RUN].pace.gaps.state == state
    assert state.gaps == ((11.1, 15.0),)


def test_a_run_of_a_release_that_kept_no_such_times_goes_on(file: Path, runs: LiveRuns) -> None:
    StateFile(file).save(runs)
    lines = file.read_text(encoding="utf-8").splitlines()
    run = json.loads(lines[-1])
    del run["gaps"]
    file.write_text("\n".join([*lines[:-1], json.dumps(run)]) + "\n", encoding="utf-8")
    found = restarted(file).runs[RUN]
    assert (found.published.requests()[1], found.pace.gaps.begun) == (2, None)
