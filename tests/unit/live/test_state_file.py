"""exporter.live.state_file: a restarted exporter goes on counting where it was killed."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from exporter.errors import ConfigurationError
from exporter.live.histogram import INDEX_COUNT
from exporter.live.message import FailureReason, Phase, Route
from exporter.live.runs import LiveRuns
from exporter.live.state_file import Journal
from tests.support.clocks import FakeClock
from tests.support.live_messages import LOCAL_MODEL, RUN, answered, run_info

OTHER = "f" * 16


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "state.json"


@pytest.fixture
def runs(clock: FakeClock) -> LiveRuns:
    found = LiveRuns(clock)
    found.announce(run_info(run=OTHER, route=Route.GOOGLE, model="google:ジェミニ"), Phase.LOAD)
    found.apply(answered({"2xx": [7]}, run=OTHER))
    found.announce(run_info(run=OTHER, route=Route.GOOGLE, model="google:ジェミニ"), Phase.FINISHED)
    found.announce(run_info(), Phase.DRAIN)
    found.apply(answered({"2xx": [100, 3_000_000], "5xx": [9]}, {503: 1}, errors=(1, 2, 3)))
    return found


def restarted(file: Path) -> LiveRuns:
    found = LiveRuns(FakeClock())
    Journal(file).load(found)
    return found


def test_a_missing_file_is_a_first_start(file: Path) -> None:
    assert restarted(file).models == {}
    assert not file.exists()


def test_models_and_unfinished_runs_come_back_as_they_were_published(file: Path, runs: LiveRuns) -> None:
    Journal(file).save(runs)
    found = restarted(file)
    assert list(found.models) == [(Route.GOOGLE, "google:ジェミニ"), LOCAL_MODEL]
    for key, totals in runs.models.items():
        assert found.models[key].pages == totals.pages
        assert found.models[key].sum_us == totals.sum_us
        assert found.models[key].failures == totals.failures
    assert list(found.runs) == [RUN]
    assert found.runs[RUN].info == run_info()
    assert found.runs[RUN].phase == Phase.DRAIN
    assert found.runs[RUN].published.requests() == [0, 2, 0, 0, 1]
    assert found.runs[RUN].published.failures[FailureReason.WRITE] == 3


def test_what_came_back_is_not_taken_for_requests_of_the_last_seconds(file: Path, runs: LiveRuns) -> None:
    Journal(file).save(runs)
    assert sum(restarted(file).models[LOCAL_MODEL].recent()) == 0


def test_saving_what_was_loaded_gives_the_same_file(file: Path, runs: LiveRuns, tmp_path: Path) -> None:
    Journal(file).save(runs)
    again = tmp_path / "again.json"
    Journal(again).save(restarted(file))
    assert again.read_bytes() == file.read_bytes()


def test_the_file_is_replaced_in_one_step_and_only_where_something_changed(
    file: Path, runs: LiveRuns
) -> None:
    journal = Journal(file)
    journal.save(runs)
    first = file.stat().st_ino
    journal.save(runs)
    assert file.stat().st_ino == first
    runs.apply(answered({"2xx": [100]}, worker=1))
    with file.open("rb") as old:
        journal.save(runs)
        assert json.loads(old.read())["runs"][0]["totals"]["sum_us"][1] == 3_000_100
    assert restarted(file).models[LOCAL_MODEL].requests()[1] == 3
    assert [path.name for path in file.parent.iterdir()] == ["state.json"]


def test_what_a_kill_left_half_written_is_ignored(file: Path, runs: LiveRuns) -> None:
    Journal(file).save(runs)
    file.with_name("state.json.new").write_text('{"version": 1, "mod')
    assert restarted(file).models[LOCAL_MODEL].requests()[1] == 2


def totals(**changes: Any) -> dict[str, Any]:
    return {"counts": [[3333, 1]], "sum_us": [0.0] * 5, "failures": {}, **changes}


def document(version: Any = 1, route: str = "local", **changes: Any) -> dict[str, Any]:
    models = [{"route": route, "model": "m", "totals": totals(**changes)}]
    return {"version": version, "models": models, "runs": []}


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b'{"version": 1, "mod', id="cut off"),
        pytest.param(b"\xff\xfe", id="no text"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b"1", id="a number"),
        pytest.param(b"{}", id="an empty object"),
        pytest.param(document(version=2), id="another version"),
        pytest.param(document(route="mars"), id="an unknown route"),
        pytest.param(document(counts=[[INDEX_COUNT, 1]]), id="an index beyond the last"),
        pytest.param(document(counts=[[-1, 1]]), id="an index below zero"),
        pytest.param(document(counts=[[3333, -1]]), id="a count below zero"),
        pytest.param(document(counts=[[3333, 2**64]]), id="a count beyond 64 bits"),
        pytest.param(document(counts=[[3333, 1.5]]), id="a broken count"),
        pytest.param(document(counts=[3333]), id="a count without an index"),
        pytest.param(document(sum_us=[0.0] * 4), id="four sums"),
        pytest.param(document(sum_us=["1"] * 5), id="sums as text"),
        pytest.param(document(failures={"boredom": 1}), id="an unknown reason"),
        pytest.param(document(failures=[]), id="failures as a list"),
        pytest.param({**document(), "runs": [{"info": {"run": RUN}}]}, id="a run without its parameters"),
    ],
)
def test_a_file_that_is_no_journal_is_refused_by_name_with_what_to_do(
    file: Path, content: bytes | dict[str, Any]
) -> None:
    file.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    with pytest.raises(ConfigurationError) as error:
        restarted(file)
    text = str(error.value)
    assert text.startswith(f"{file}: the exporter's state file cannot be used (")
    assert text.endswith("or name another with --ingest.state-file")


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="IsADirectoryError"):
        restarted(tmp_path)


def test_a_failure_to_write_is_logged_once_and_costs_no_scrape(
    tmp_path: Path, runs: LiveRuns, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "gone"
    journal = Journal(folder / "state.json")
    with caplog.at_level(logging.ERROR):
        journal.save(runs)
        journal.save(runs)
    assert [record.getMessage() for record in caplog.records] == [
        f"{folder / 'state.json'}: cannot write the state file (No such file or directory); "
        "a restart in mid-run would count twice"
    ]
    folder.mkdir()
    journal.save(runs)
    assert restarted(folder / "state.json").models[LOCAL_MODEL].requests()[1] == 2
