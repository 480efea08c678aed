"""/api/runs/ID/findings: what a run has found so far, published with its token and read by anybody."""

import json
from dataclasses import asdict
from typing import Any

import pytest

from exporter.live.findings import MAX_FINDINGS, MAX_SPANS, MAX_TEXT, Outcome, PublishedFinding, RunFindings
from exporter.live.message import Phase
from exporter.live.state_file import StateFile
from exporter.live.wire import VERSION
from exporter.verdict.objectives import CHECKS
from tests.support.clocks import FakeClock
from tests.support.live_messages import RUN, register, token_of
from tests.support.served_app import ServedApp
from tests.support.served_exporter import Served, serve_app, serve_exporter

server = pytest.fixture(scope="module")(serve_app)
served = pytest.fixture(serve_exporter)
OTHER = "f" * 16
ANSWERS = PublishedFinding("answers", Outcome.FAIL, "5.27 % were not 2xx", 0.0527, 0.01, "ratio")
MEMORY = PublishedFinding("memory", Outcome.NOT_JUDGED, "too short")


def body(*findings: PublishedFinding, run: str = RUN, **changes: Any) -> dict[str, Any]:
    found = RunFindings(run, 1_764_000_030.0, True, Outcome.FAIL, findings or (ANSWERS, MEMORY))
    return {**asdict(found), "version": VERSION, "token": token_of(run).hex(), **changes}


def finding(**changes: Any) -> dict[str, Any]:
    return {**asdict(ANSWERS), **changes}


@pytest.fixture
def announced(served: Served) -> Served:
    register(served.runs)
    return served


def shown(served: Served) -> dict[str, float]:
    """What /metrics has of the findings; of the outcomes those that are so."""
    return {
        name: value
        for name, value in served.metrics().items()
        if name.startswith(("benchmark_run_check", "benchmark_run_objective")) and value
    }


FAILING = {
    "benchmark_run_check check=answers outcome=fail": 1.0,
    "benchmark_run_check check=memory outcome=not_judged": 1.0,
    "benchmark_run_objective check=answers": 0.01,
}


def test_findings_are_published_with_the_token_and_read_without(announced: Served) -> None:
    answer = announced.put(body(), f"{RUN}/findings")
    assert (answer.status_code, answer.json()) == (200, {"run": RUN, "version": VERSION})
    read = announced.get(f"/api/runs/{RUN}/findings")
    assert read.headers["content-type"] == "application/json"
    expected = body()
    del expected["version"], expected["token"]
    assert read.json() == json.loads(json.dumps(expected))


def test_each_check_has_one_outcome_of_all_and_its_bound(announced: Served) -> None:
    announced.put(body(), f"{RUN}/findings")
    found = announced.metrics()
    outcomes = {name: value for name, value in found.items() if "check=answers outcome=" in name}
    assert len(outcomes) == len(Outcome)
    assert [name for name, value in outcomes.items() if value] == [
        "benchmark_run_check check=answers outcome=fail"
    ]
    assert shown(announced) == FAILING


def test_newer_findings_take_the_place_of_those_before(announced: Served) -> None:
    announced.put(body(), f"{RUN}/findings")
    announced.put(body(MEMORY), f"{RUN}/findings")
    assert shown(announced) == {"benchmark_run_check check=memory outcome=not_judged": 1.0}


def test_they_stay_after_the_end_until_the_next_run_begins(announced: Served) -> None:
    announced.put(body(), f"{RUN}/findings")
    register(announced.runs, Phase.FINISHED)
    assert shown(announced) == FAILING
    register(announced.runs, run=OTHER)
    assert shown(announced) == {}
    # That one ends without a word: what was before is not its own.
    register(announced.runs, Phase.FINISHED, run=OTHER)
    assert shown(announced) == {}
    assert announced.get(f"/api/runs/{RUN}/findings").json()["outcome"] == "fail"


def test_a_verdict_may_come_after_the_end(announced: Served) -> None:
    register(announced.runs, Phase.FINISHED)
    assert announced.put(body(so_far=False), f"{RUN}/findings").status_code == 200
    assert shown(announced) == FAILING


def test_they_stay_over_a_restart(announced: Served, clock: FakeClock) -> None:
    announced.put(body(), f"{RUN}/findings")
    assert shown(announced) == FAILING  # a scrape writes the state file
    for phase in (Phase.LOAD, Phase.FINISHED):
        again = type(announced)(clock, announced.state_file, announced.url)
        StateFile(again.state_file).load(again.runs)
        found = again.runs.shown_findings()
        assert found is not None
        assert (found.run, found.findings) == (RUN, (ANSWERS, MEMORY))
        register(announced.runs, phase)
        shown(announced)


def test_of_several_runs_the_one_that_was_announced_last_is_shown(announced: Served) -> None:
    announced.put(body(), f"{RUN}/findings")
    register(announced.runs, run=OTHER)
    announced.put(body(MEMORY, run=OTHER), f"{OTHER}/findings")
    announced.put(body(), f"{RUN}/findings")
    assert shown(announced) == {"benchmark_run_check check=memory outcome=not_judged": 1.0}
    register(announced.runs, Phase.FINISHED, run=OTHER)
    assert shown(announced) == FAILING


def test_an_objective_of_the_users_own_is_a_check_by_its_name(announced: Served) -> None:
    own = PublishedFinding("objective-p99_of-chat", Outcome.PASS, "p99 < 500ms: 61 ms", 0.061, 0.5, "seconds")
    assert announced.put(body(own), f"{RUN}/findings").status_code == 200
    assert shown(announced) == {
        "benchmark_run_check check=objective-p99_of-chat outcome=pass": 1.0,
        "benchmark_run_objective check=objective-p99_of-chat": 0.5,
    }


@pytest.mark.parametrize("check", CHECKS)
def test_every_check_of_a_run_may_be_published(announced: Served, check: str) -> None:
    assert announced.put(body(findings=[finding(check=check)]), f"{RUN}/findings").status_code == 200


@pytest.mark.parametrize(
    ("sent", "status", "error"),
    [
        pytest.param(b"[", 400, "not findings: JSONDecodeError", id="cut off"),
        pytest.param(b"[]", 400, "not findings: AttributeError", id="a list"),
        pytest.param(b'{"run": 1, ' + json.dumps(body()).encode()[1:], 400, "not findings", id="a key twice"),
        pytest.param(body(version=2), 409, "version of the live message", id="another version"),
        pytest.param(body(token="0" * 32), 409, f"run {RUN}: not known here, or", id="another token"),
        pytest.param(body(run=OTHER), 409, "the run in the path is not", id="another run"),
        pytest.param(body(x=1), 400, "x: ", id="unknown key"),
        pytest.param(body(outcome="good"), 400, "outcome: ", id="unknown outcome"),
        pytest.param(body(at=-1.0), 400, "at: ", id="before 1970"),
        pytest.param(body(so_far="yes"), 400, "so_far: ", id="a text is no truth"),
        pytest.param(
            body(findings=[finding(check="looks")]), 409, "there is no check 'looks'", id="no check"
        ),
        pytest.param(body(findings=[finding(check="a\nb")]), 400, "findings.0.check: ", id="a line break"),
        pytest.param(
            body(findings=[finding(check="objective-" + "x" * 41)]), 400, "findings.0", id="long name"
        ),
        pytest.param(body(findings=[finding(check="objective-É")]), 400, "findings.0", id="another letter"),
        pytest.param(body(findings=[finding(outcome="")]), 400, "findings.0.outcome: ", id="no outcome"),
        pytest.param(body(findings=[finding(), finding()]), 400, "findings: ", id="a check twice"),
        pytest.param(body(findings=[finding(text="x" * (MAX_TEXT + 1))]), 400, "findings.0.text", id="long"),
        pytest.param(
            body(findings=[finding(text="\x1b[31m")]), 400, "findings.0.text", id="acts on terminals"
        ),
        pytest.param(body(findings=[finding(text="a\u202eb")]), 400, "findings.0.text", id="turns around"),
        pytest.param(
            body(findings=[finding(unit="<b>")]), 400, "findings.0.unit", id="a unit that is markup"
        ),
        pytest.param(body(findings=[finding(bound=float("nan"))]), 400, "findings.0.bound", id="NaN"),
        pytest.param(
            body(findings=[finding(figure="1")]), 400, "findings.0.figure", id="a text for a number"
        ),
        pytest.param(
            body(findings=[finding(spans=[{"since": 1, "until": 2}] * (MAX_SPANS + 1))]),
            400,
            "findings.0.spans",
            id="many times",
        ),
        pytest.param(
            body(findings=[finding(check=f"objective-{i}") for i in range(MAX_FINDINGS + 1)]),
            400,
            "findings: ",
            id="many checks",
        ),
    ],
)
def test_what_is_wrong_is_refused_in_one_line_and_changes_nothing(
    announced: Served, sent: Any, status: int, error: str
) -> None:
    announced.put(body(), f"{RUN}/findings")
    answer = announced.put(sent, f"{RUN}/findings")
    assert answer.status_code == status
    assert error in answer.json()["error"]
    assert "\n" not in answer.json()["error"]
    assert shown(announced) == FAILING


def test_findings_of_a_run_that_is_not_known_are_refused_and_not_found(served: Served) -> None:
    assert served.put(body(), f"{RUN}/findings").status_code == 409
    answer = served.get(f"/api/runs/{RUN}/findings")
    assert (answer.status_code, answer.json()) == (404, {"error": "no findings of such a run"})


def test_a_web_page_may_publish_nothing(announced: Served) -> None:
    answer = announced.put(body(), f"{RUN}/findings", Origin="http://evil.example")
    assert answer.status_code == 403
    assert shown(announced) == {}


def test_the_findings_of_sixteen_runs_are_kept(server: ServedApp, announced: Served) -> None:
    ids = [f"{i:016d}" for i in range(20)]
    for run in ids:
        register(announced.runs, run=run)
        announced.put(body(MEMORY, run=run), f"{run}/findings")
        register(announced.runs, Phase.FINISHED, run=run)
    assert list(announced.runs.findings) == ids[4:]
