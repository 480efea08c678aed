"""Every query of every dashboard against a real Prometheus, its variables put in as Grafana does."""

import json
import math
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from dashboard_json import panels_of
from substitution import Chosen, everything, substitute

from exporter.errors import QueryError
from exporter.timeseries import Series
from tests.stack.dashboard_scene import LOCAL_MODEL, Scene
from tests.support.checkout import CHECKOUT
from tests.support.dashboards import variable_queries_of
from tests.support.waiting import need, wait_for

DASHBOARDS = {
    path.stem: json.loads(path.read_text(encoding="utf-8"))
    for path in sorted((CHECKOUT / "grafana" / "dashboards").glob("*.json"))
}
ANSWER_SECONDS = 120
LINES_AT_MOST = 20
LINES_BELOW_AT_MOST = 6
"""with more the legend stands beside the graph"""

NOT_OF_THIS_MACHINE = {
    ("Pressure", "a kernel with PSI"),
    ("Disks busy", "a disk that is the machine's own, not a container's"),
    ("Free space", "a file system on such a disk"),
    ("Network", "an interface other than loopback"),
}
NOT_OF_THIS_ROUTER = {
    ("Router tokens", "a router of the current generation"),
    ("Router requests under way B", "a router of the current generation"),
}
NOT_IN_TWO_MINUTES = {
    ("How far D", "a run that is over and none under way"),
    ("annotation Run ended", "a run that is over and none under way"),
    ("Run B", "a time without a run"),
    ("Memory errors (ECC) C", "GPUs without an error"),
    ("Storage", "a block, which Prometheus writes after two hours"),
}
OF_THE_RUN_SHOWN = {
    *("Requests, now and in this run A", "Requests, now and in this run B", "Latency now A", "Latency now B"),
}
NOT_LATER = {("What can leak, the worst on top G", "something too young to be judged")}
MAY_BE_EMPTY = {what for what, _ in NOT_OF_THIS_MACHINE | NOT_OF_THIS_ROUTER | NOT_IN_TWO_MINUTES | NOT_LATER}
"""where only this machine's exporter is chosen; with all, the recorded agent has them"""


class Question(NamedTuple):
    """A query of a dashboard, and whether its course is asked for or its newest value."""

    where: str
    expr: str
    legend: str
    instant: bool


def questions(dashboard: dict[str, Any]) -> Iterator[Question]:
    """Of its panels and its annotations."""
    for panel in panels_of(dashboard):
        for target in panel["targets"]:
            where = f"{panel['title']} {target['refId']}"
            yield Question(where, target["expr"], target["legendFormat"], target["instant"])
    for note in dashboard["annotations"]["list"]:
        yield Question(f"annotation {note['name']}", note["expr"], note["titleFormat"], False)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory, nvml_library: Path) -> Iterator[Scene]:
    """Load, faults, GPUs and leaks under way."""
    need("wrk", "prometheus", "prometheus-alertmanager")
    with Scene(tmp_path_factory.mktemp("dashboards"), nvml_library) as started:
        yield started


def lines_of(scene: Scene, question: Question, values: dict[str, Chosen]) -> list[str]:
    """The legends of the series with a finite value that it gives."""
    expr = substitute(question.expr, values)
    if question.instant:
        found = scene.prometheus.query(expr)
    else:
        found = scene.prometheus.query_range(expr, scene.began, time.time(), 5)
    return [legend(question.legend, series) for series in found if any(map(math.isfinite, series.values))]


def legend(form: str, series: Series) -> str:
    """As Grafana writes it: a label that the series has not is nothing."""
    return re.sub(r"\{\{(\w+)\}\}", lambda label: series.label(label[1]) or "", form)


Lines = dict[tuple[str, str], list[str]]
"""legends by uid and question"""


def wait_for_answers(scene: Scene, values: dict[str, dict[str, Chosen]], may_be_empty: set[str]) -> Lines:
    """What each query gives, once all but these give something; fails naming those that do not."""
    asked = {(uid, each.where): each for uid, page in DASHBOARDS.items() for each in questions(page)}
    found: Lines = {}
    errors: dict[tuple[str, str], str] = {}

    def silent() -> list[tuple[str, str]]:
        excused = {key for key in asked if key[1] in may_be_empty or key[1][:-2] in may_be_empty}
        return [key for key in asked if not found.get(key) and key not in excused]

    def ask() -> bool:
        for key in [key for key in asked if not found.get(key)]:
            try:
                found[key] = lines_of(scene, asked[key], values[key[0]])
            except QueryError as error:
                errors[key] = str(error)
        return not silent()

    deadline = time.monotonic() + ANSWER_SECONDS
    while not ask() and time.monotonic() < deadline:
        time.sleep(0.5)
    without = [f"{uid}, {where}: {errors.get((uid, where), 'no data')}" for uid, where in silent()]
    assert not without, "\n".join(without)
    return found


def test_every_query_has_data_with_everything_chosen_and_every_graph_can_be_read(scene: Scene) -> None:
    everything_chosen = {uid: everything(page["templating"]["list"]) for uid, page in DASHBOARDS.items()}
    found = wait_for_answers(scene, everything_chosen, {what for what, _ in NOT_IN_TWO_MINUTES})
    for uid, page in DASHBOARDS.items():
        for panel in panels_of(page):
            by_date = any(step["id"] == "merge" for step in panel.get("transformations", []))
            if panel["type"] not in ("timeseries", "state-timeline") or by_date:
                continue
            lines = [
                line
                for target in panel["targets"]
                for line in found.get((uid, f"{panel['title']} {target['refId']}"), [])
            ]
            assert len(lines) <= LINES_AT_MOST, f"{panel['title']}: {len(lines)} lines"
            # A state timeline has the names at its bands.
            placement = (
                "right" if panel["type"] == "state-timeline" else panel["options"]["legend"]["placement"]
            )
            assert placement == "right" or len(lines) <= LINES_BELOW_AT_MOST, (
                f"{panel['title']}: {len(lines)} lines"
            )
            assert len(set(lines)) == len(lines), f"{panel['title']}: legends that are alike: {lines}"


def test_every_query_has_data_with_one_value_chosen_in_each_variable(scene: Scene) -> None:
    # The one of the two that is shown now: the other may have been, before this one was registered.
    query = f'benchmark_run_info{{instance="{scene.instance}"}}'
    # A scrape may have been late; the next is not.
    [shown] = wait_for("the run", lambda: scene.prometheus.query(query))
    run = shown.label("run")
    assert run is not None
    openai = {"route": ["openai"], "model": [model_of(scene, "openai")]}
    local = {"route": ["local"], "model": [LOCAL_MODEL]}
    values: dict[str, Chosen] = {
        "job": ["exporter"],
        "instance": [scene.instance],
        "process": ["router"],
        "node": ["node-1"],
        # This machine's exporter has a target without the label `node`.
        "host": ".*",
        "gpu": ["0"],
        "run": [run],
        "label": ["local", "local-scale-c5"],
    }
    chosen = {uid: {**values, **(openai if uid == "router-and-nodes" else local)} for uid in DASHBOARDS}
    # The first screen is about the run shown, so it says nothing of the model of another.
    others = set() if shown.label("model") == LOCAL_MODEL else OF_THE_RUN_SHOWN
    wait_for_answers(scene, chosen, MAY_BE_EMPTY | others)


def model_of(scene: Scene, route: str) -> str:
    """The model that the load on a route names."""
    [model] = scene.labels("model", f'benchmark_in_flight_requests{{route="{route}"}}')
    return model


def test_every_variable_has_something_to_choose(scene: Scene) -> None:
    options = {}
    for page in DASHBOARDS.values():
        for name, query in variable_queries_of(page):
            asked = substitute(query, everything(page["templating"]["list"]))
            selector, label = asked.removeprefix("label_values(").removesuffix(")").rsplit(", ", 1)
            options[name] = sorted(scene.labels(label, selector))
    assert options["job"] == ["exporter"]
    assert scene.instance in options["instance"] and len(options["instance"]) == 3
    assert options["route"] == ["local", "openai"]
    assert options["process"] == ["router"]
    assert options["node"] == ["box-1", "box-2", "box-3", "node-1", "node-2"]
    assert options["gpu"] == ["0", "1"]
    assert options["host"] == ["gpu-1"]
    assert options["label"] == ["local", "local-baseline", "local-scale-c20", "local-scale-c5"]
    assert len(options["model"]) == 2 and options["run"]


def test_a_run_is_failing_as_soon_as_one_of_its_checks_is(scene: Scene) -> None:
    panel = next(p for p in panels_of(DASHBOARDS["soak"]) if p["title"] == "Verdict so far")
    expr = substitute(panel["targets"][0]["expr"], everything(DASHBOARDS["soak"]["templating"]["list"]))

    def verdicts() -> list[float]:
        return [value for series in scene.prometheus.query(expr) for value in series.values]

    wait_for("a run that is failing", lambda: verdicts() == [3.0])
    failing = scene.prometheus.query('benchmark_run_check{outcome="fail"} == 1')
    assert {"answers", "disconnects"} <= {series.label("check") for series in failing}
