"""exporter.cli.stack_text: a stack in lines and as JSON."""

from dataclasses import replace
from pathlib import Path

import pytest

from exporter.cli.stack_text import head_line, next_commands, shown_size, stack_document, stack_lines
from exporter.stack.stack_health import ServiceHealth, StackHealth, Watched
from exporter.stack.up_state import ProcessRecord, StackRecord

FOLDER = Path("/state/localhost-8080")
RECORD = StackRecord(
    name="localhost-8080",
    target="http://localhost:8080",
    since=1795971233.0,
    boot="",
    keeper=ProcessRecord(pid=4662, start_ticks=1),
    detached=True,
    is_up=True,
    retention_size="4GB",
    absent={"alertmanager": "not installed (apt install prometheus-alertmanager)"},
)
EXPORTER = ServiceHealth("exporter", "http://127.0.0.1:9877", "", "http://127.0.0.1:9877/live", 10, 1)
PROMETHEUS = ServiceHealth("prometheus", "http://127.0.0.1:9090", "", "http://127.0.0.1:9090/alerts", 11, 3)
GRAFANA = ServiceHealth("grafana", "http://127.0.0.1:3000", "", "http://127.0.0.1:3000/", 12, 1)
WATCHED = Watched(True, {"online": 2, "error": 1}, {"router": True, "node-1": False}, 1)
HEALTH = StackHealth(RECORD, (PROMETHEUS, GRAFANA, EXPORTER), WATCHED, 3 << 20)


def test_the_live_page_comes_first_and_what_is_not_there_says_why() -> None:
    assert list(stack_lines(HEALTH, FOLDER)) == [
        "live page     http://127.0.0.1:9877/live",
        "Grafana       http://127.0.0.1:3000/  (admin's password: /state/localhost-8080/grafana-admin)",
        "Prometheus    http://127.0.0.1:9090/alerts  (started 3 times)",
        "Alertmanager  not installed (apt install prometheus-alertmanager)",
        "watched       the router answers; nodes 2 online, 1 error; processes router, node-1 (not found); "
        "1 GPU",
        "data          /state/localhost-8080 (3 MB, Prometheus up to 4GB)",
    ]


def test_a_service_that_is_not_well_names_its_log() -> None:
    ill = replace(PROMETHEUS, problem="does not answer (connection refused)", link=None)
    lines = list(stack_lines(replace(HEALTH, services=(EXPORTER, ill)), FOLDER))
    assert lines[1] == (
        "Prometheus    does not answer (connection refused)  (/state/localhost-8080/prometheus.log)"
    )
    assert not replace(HEALTH, services=(EXPORTER, ill)).is_well


@pytest.mark.parametrize(
    ("watched", "line"),
    [
        (None, "the exporter does not say"),
        (Watched(None, {}, {}, 0), "not asked yet; no process on this machine; no GPUs"),
        (
            Watched(False, {}, {"router": False}, 2),
            "the router does not answer; processes router (not found); 2 GPUs",
        ),
    ],
)
def test_what_is_not_known_is_not_said_to_be_there(watched: Watched | None, line: str) -> None:
    [said] = [
        each for each in stack_lines(replace(HEALTH, watched=watched), FOLDER) if each.startswith("watched")
    ]
    assert said == f"watched       {line}"


@pytest.mark.parametrize(("up", "said"), [(2, "2 of 3 agents up"), (None, "– of 3 agents up")])
def test_agents_are_said_where_there_are_any(up: int | None, said: str) -> None:
    health = replace(HEALTH, record=RECORD.model_copy(update={"agents": 3}), agents_up=up)
    [line] = [each for each in stack_lines(health, FOLDER) if each.startswith("watched")]
    assert line.endswith(f"; 1 GPU; {said}")


def test_a_demo_has_no_data_that_stay() -> None:
    demo = replace(HEALTH, record=RECORD.model_copy(update={"is_demo": True}))
    assert not any(line.startswith("data") for line in stack_lines(demo, FOLDER))


@pytest.mark.parametrize(
    ("changes", "state"),
    [({}, "well"), ({"is_up": False}, "being brought up"), ({"detached": False}, "well")],
)
def test_the_head_says_whether_it_is_well_and_who_holds_it(changes: dict[str, bool], state: str) -> None:
    line = head_line(replace(HEALTH, record=RECORD.model_copy(update=changes)))
    assert line.startswith(f"localhost-8080: {state}; watches http://localhost:8080 since ")
    how = "detached" if changes.get("detached", True) else "in the foreground"
    assert line.endswith(f", {how}, process 4662")


@pytest.mark.parametrize(
    ("target", "option"),
    [
        ("http://localhost:8080", ""),
        ("http://127.0.0.1:8080", ""),
        ("http://localhost:8081", " --target http://localhost:8081"),
        ("http://localhost:8080/llm", " --target http://localhost:8080/llm"),
        ("https://router.example", " --target https://router.example"),
    ],
)
def test_the_next_command_can_be_typed_as_it_is(target: str, option: str) -> None:
    run, watch = next_commands(replace(HEALTH, record=RECORD.model_copy(update={"target": target})))
    assert run.startswith(f"soak run{option} --duration 10m ")
    assert watch.startswith(f"soak watch{option} -- COMMAND ")


def test_the_document_has_the_same_for_scripts() -> None:
    document = stack_document(HEALTH, FOLDER)
    assert document["services"]["prometheus"] == {
        "url": "http://127.0.0.1:9090",
        "link": "http://127.0.0.1:9090/alerts",
        "well": True,
        "problem": None,
        "pid": 11,
        "starts": 3,
    }
    assert (document["running"], document["well"], document["data_bytes"]) == (True, True, 3 << 20)
    assert (document["nodes"], document["gpus"]) == ({"online": 2, "error": 1}, 1)
    assert stack_document(replace(HEALTH, watched=None), FOLDER)["router_up"] is None


def test_sizes_are_for_people() -> None:
    assert [shown_size(size) for size in (0, 1 << 20, 1500 << 20)] == ["under 1 MB", "1 MB", "1,500 MB"]
