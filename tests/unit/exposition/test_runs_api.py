"""exporter.exposition.runs_api: runs are registered and read, and bad announcements are refused."""

import json
from typing import Any

import pytest
import requests

from exporter.collectors.isolation import IsolatedCollectors
from exporter.exposition.application import Exposition
from exporter.live.ingest import Ingest
from exporter.live.message import Phase
from exporter.live.runs import MAX_MODELS, MAX_RUNS, LiveRuns
from tests.support.clocks import FakeClock
from tests.support.live_messages import RUN, answered, register
from tests.support.served_app import ServedApp
from tests.support.served_exporter import Served, Stub, announcement, serve_app, serve_exporter
from tests.support.watching import watch_of

server = pytest.fixture(scope="module")(serve_app)
served = pytest.fixture(serve_exporter)
PAIR = {"route": "local", "model": "m"}
REPEATED_KEY = b'{"connections": 1, ' + json.dumps(announcement()).encode()[1:]
TOO_MANY = [{"route": "local", "model": f"m{i}"} for i in range(17)]


def test_a_run_is_announced_and_its_status_asked_for(served: Served) -> None:
    answer = served.put(announcement("warmup"))
    assert (answer.status_code, answer.json()) == (
        200,
        {"run": RUN, "phase": "warmup", "ingest_port": 9878, "version": 5},
    )
    served.runs.apply(answered({"2xx": [100] * 3}))
    status = served.get(f"/api/runs/{RUN}").json()
    assert status["phase"] == "warmup"
    assert status["requests"]["2xx"] == 3
    assert served.put(announcement("finished")).json()["phase"] == "finished"
    assert served.get(f"/api/runs/{RUN}").json()["requests"]["2xx"] == 3


def test_the_token_is_in_no_answer_and_no_file(served: Served) -> None:
    secret = "5ec2e7" * 5 + "00"
    answers = [served.put(announcement(token=secret)), served.put(announcement(connections=9, token=secret))]
    answers += [served.get(path) for path in (f"/api/runs/{RUN}", "/metrics", "/")]
    assert [answer.status_code for answer in answers] == [200, 409, 200, 200, 200]
    assert not any(secret in answer.text for answer in answers)
    assert secret not in served.state_file.read_text(encoding="utf-8")


def test_a_run_announced_again_with_another_token_is_a_conflict_and_stays_as_it_is(served: Served) -> None:
    served.put(announcement("warmup"))
    answer = served.put(announcement("finished", token="f" * 32))
    assert answer.status_code == 409
    assert answer.json()["version"] == 5
    assert answer.json()["error"].startswith(f"run {RUN}: ")
    assert "token" in answer.json()["error"]
    assert served.get(f"/api/runs/{RUN}").json()["phase"] == "warmup"
    served.runs.apply(answered({"2xx": [100]}))


@pytest.mark.parametrize("version", [None, 4, 6, "5"])
def test_a_command_of_another_version_is_refused_in_one_line(served: Served, version: Any) -> None:
    body = announcement(version=version)
    if version is None:
        del body["version"]
    answer = served.put(body)
    assert answer.status_code == 409
    assert "version of the live message (5)" in answer.json()["error"]
    assert "\n" not in answer.json()["error"]
    assert served.runs.runs == {}


def test_the_status_of_an_unknown_run_is_not_found(served: Served) -> None:
    answer = served.get("/api/runs/" + "f" * 16)
    assert (answer.status_code, answer.json()) == (404, {"error": "no such run"})


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        pytest.param(b"{", 400, "not an announcement: JSONDecodeError", id="cut off"),
        pytest.param(b"\xff", 400, "not an announcement: UnicodeDecodeError", id="no text"),
        pytest.param(b"[]", 400, "not an announcement: AttributeError", id="a list"),
        pytest.param(b"7", 400, "not an announcement: AttributeError", id="a number"),
        pytest.param(b"[" * 15_000, 400, "not an announcement: ", id="nested without end"),
        pytest.param({"version": 5}, 400, "run: ", id="no phase"),
        pytest.param(announcement("lunch"), 400, "phase: ", id="unknown phase"),
        pytest.param(announcement(colour="red"), 400, "colour: ", id="unknown key"),
        pytest.param({"version": 5, "phase": "load", "token": "f" * 32}, 400, "run: ", id="no parameters"),
        pytest.param(announcement(run="A" * 16), 400, "run: ", id="run in capitals"),
        pytest.param(announcement(run="short"), 400, "run: ", id="short run"),
        pytest.param(announcement(route="mars"), 400, "pairs.0.route: ", id="unknown route"),
        pytest.param(announcement(pairs=[]), 409, "engine, pairs, connections: ", id="no pair"),
        pytest.param(announcement(pairs=[PAIR, PAIR]), 400, "pairs: ", id="a pair twice"),
        pytest.param(announcement(pairs=TOO_MANY), 400, "pairs: ", id="seventeen pairs"),
        pytest.param(announcement(pairs=[{**PAIR, "x": 1}]), 400, "pairs.0.x: ", id="unknown key of a pair"),
        pytest.param(announcement(token="f" * 31), 400, "token: ", id="short token"),
        pytest.param(announcement(token="F" * 32), 400, "token: ", id="token in capitals"),
        pytest.param(announcement(token=7), 400, "token: ", id="a number as token"),
        pytest.param(announcement(engine="w r k"), 400, "engine: ", id="space in a name"),
        pytest.param(announcement(model=""), 400, "pairs.0.model: ", id="empty model"),
        pytest.param(announcement(model="m" * 129), 400, "pairs.0.model: ", id="long model"),
        pytest.param(announcement(model="a\nb"), 400, "pairs.0.model: ", id="line break in a model"),
        pytest.param(announcement(model="\ud800"), 400, "Invalid JSON: ", id="half a character"),
        pytest.param(announcement(label=7), 400, "label: ", id="a number as label"),
        pytest.param(announcement(connections=0), 409, "engine, pairs, connections: ", id="no connection"),
        pytest.param(announcement(engine=""), 409, "engine, pairs, connections: ", id="no engine"),
        pytest.param(announcement(connections=-1), 400, "connections: ", id="less than none"),
        pytest.param(announcement(model="a\x9b31m"), 400, "pairs.0.model: ", id="C1 in a model"),
        pytest.param(announcement(label="a\u202eb"), 400, "label: ", id="text that turns around"),
        pytest.param(announcement(label="a\u2028b"), 400, "label: ", id="a line separator"),
        pytest.param(announcement(target="http://r\u200b/"), 400, "target: ", id="what cannot be seen"),
        pytest.param(announcement(connections=True), 400, "connections: ", id="true is not 1"),
        pytest.param(announcement(connections="4"), 400, "connections: ", id="a text is no number"),
        pytest.param(announcement(connections=4.0), 400, "connections: ", id="a fraction"),
        pytest.param(announcement(stall_after_seconds="30"), 400, "stall_after", id="seconds as text"),
        pytest.param(announcement(start_timestamp_seconds=1e12), 400, "start_", id="the year 33658"),
        pytest.param(announcement(start_timestamp_seconds=1_764_090_000.0), 409, "start_", id="tomorrow"),
        pytest.param(announcement(planned_duration_seconds=1e12), 400, "planned_", id="31,710 years"),
        pytest.param(REPEATED_KEY, 400, "not an announcement: ValueError", id="a key twice"),
        pytest.param(announcement(connections=1_001), 400, "connections: ", id="too many connections"),
        pytest.param(announcement(start_timestamp_seconds=float("nan")), 400, "start_", id="NaN"),
        pytest.param(announcement(planned_duration_seconds=float("inf")), 400, "planned_", id="infinite"),
        pytest.param(announcement(stall_after_seconds=-1), 400, "stall_after_seconds: ", id="negative"),
        pytest.param(announcement(run="f" * 16), 409, "the run in the path is not", id="another run"),
    ],
)
def test_a_bad_announcement_is_refused_with_its_reason_and_leaves_nothing(
    served: Served, body: Any, status: int, error: str
) -> None:
    answer = served.put(body)
    assert answer.status_code == status
    assert answer.json()["error"].startswith(error)
    assert served.runs.runs == {}
    assert served.runs.models == {}


def test_a_run_announced_again_with_other_parameters_is_a_conflict(served: Served) -> None:
    assert served.put(announcement()).status_code == 200
    answer = served.put(announcement(connections=5))
    assert answer.status_code == 409
    assert answer.json()["version"] == 5
    assert answer.json()["error"].startswith(f"run {RUN}: ")
    assert "token" not in answer.json()["error"]


def test_one_model_more_than_the_most_takes_the_place_of_the_one_that_ended_first(served: Served) -> None:
    for i in range(MAX_MODELS):
        register(served.runs, Phase.FINISHED, run=f"{i:016}", model=f"m{i}")
    assert served.put(announcement(model="the newest")).status_code == 200
    text = served.get("/metrics").text
    assert 'model="the newest"' in text
    assert 'model="m0"' not in text
    assert 'model="m1"' in text


def test_one_run_more_than_the_most_is_a_conflict(served: Served) -> None:
    for i in range(MAX_RUNS):
        register(served.runs, run=f"{i:016}")
    assert served.put(announcement()).status_code == 409


def test_other_methods_on_a_run_are_not_allowed(served: Served) -> None:
    assert requests.delete(f"{served.url}/api/runs/{RUN}", timeout=10).status_code == 405


def test_an_exporter_without_ingest_takes_no_runs_and_shows_none(clock: FakeClock) -> None:
    own = Exposition(
        LiveRuns(clock), None, IsolatedCollectors([Stub()], 1.0, clock), clock, watch_of(ingest_port=None)
    )
    with ServedApp(own.app) as server:
        answer = requests.put(f"{server.url}/api/runs/{RUN}", json=announcement(), timeout=10)
        assert answer.status_code == 409
        assert "takes no runs" in answer.json()["error"]
        text = requests.get(server.url + "/metrics", timeout=10).text
        assert "stub_value 7.0" in text
        assert "benchmark_run" not in text
        assert "exporter_ingest" not in text
        assert "It takes no runs" in requests.get(server.url, timeout=10).text


def test_the_exporter_of_a_run_takes_the_runs_of_its_owner_alone(clock: FakeClock) -> None:
    runs = LiveRuns(clock)
    collectors = IsolatedCollectors([Stub()], 1.0, clock)
    own = Exposition(runs, Ingest(runs.apply), collectors, clock, watch_of(owner="digest"), owner="secret")
    with ServedApp(own.app) as server:
        url = f"{server.url}/api/runs/{RUN}"
        for headers in ({}, {"X-Soak-Owner": "guess"}, {"X-Soak-Owner": "digest"}):
            answer = requests.put(url, json=announcement(), headers=headers, timeout=10)
            assert answer.status_code == 409
            assert "for that run alone" in answer.json()["error"]
            assert answer.json()["version"] == 5
        assert runs.runs == {}
        headers = {"X-Soak-Owner": "secret"}
        assert requests.put(url, json=announcement(), headers=headers, timeout=10).status_code == 200


def test_the_seconds_of_a_run_are_asked_for(served: Served, clock: FakeClock) -> None:
    served.put(announcement())
    for sequence in (1, 2, 3):
        served.runs.apply(answered({"2xx": [100] * sequence}, sequence=sequence))
        clock.advance(1.0)
        served.runs.tick()
    begin = 1_764_000_000
    answer = served.get(f"/api/runs/{RUN}/seconds?after={begin}").json()
    assert [(each["second"], each["successes"]) for each in answer["seconds"]] == [
        (begin + 1, 1),
        (begin + 2, 1),
    ]
    assert (answer["total"]["second"], answer["total"]["successes"], answer["now"]) == (
        begin + 2,
        3,
        begin + 3.0,
    )


@pytest.mark.parametrize(
    "query", ["", "?after=", "?after=-1", "?after=1.5", "?after=99999999999", "?after=1&after=2", "?before=3"]
)
def test_another_question_for_seconds_is_refused(served: Served, query: str) -> None:
    served.put(announcement())
    answer = served.get(f"/api/runs/{RUN}/seconds{query}")
    assert (answer.status_code, answer.json()["error"].partition(":")[0]) == (400, "after")


def test_a_run_that_is_not_known_has_no_seconds(served: Served) -> None:
    assert served.get("/api/runs/ffffffffffffffff/seconds?after=0").status_code == 404
