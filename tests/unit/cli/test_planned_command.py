"""exporter.cli.run_plan: the command that a plan keeps asks the same of the same router."""

import shlex

import pytest

from exporter.cli import demo, run
from exporter.cli.main import soak
from exporter.run.plan import RunPlan


class CheckedError(Exception):
    """The plan is made."""


def planned(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> RunPlan:
    """The plan of a command, before it is checked."""
    plans: list[RunPlan] = []

    def check(plan: RunPlan) -> RunPlan:
        plans.append(plan)
        raise CheckedError

    for commands in (run, demo):
        monkeypatch.setattr(commands, "check_plan", check)
    with pytest.raises(CheckedError):
        soak.main(list(arguments), standalone_mode=False)
    return plans[0]


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WRK_TARGET", "WRK_MODEL", "WRK_ENDPOINT", "ROUTER_PORT", "DURATION", "KEEP"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    "arguments",
    [
        ["run"],
        ["run", "--target", "http://h/llm/v1"],
        ["run", "--target", "http://h/v1", "--endpoint", "/chat/completions"],
        ["run", "--scenario", "openai", "--max-requests", "100", "--connections", "3"],
        ["scale", "--steps", "1,2", "--max-requests", "9", "--label", "x"],
        ["run", "--rate", "30/min", "--max-in-flight", "5", "--abort-ratio", "0.5", "--seed", "7"],
        ["run", "--engine", "stream", "--max-output-tokens", "9", "--goodput", "ttft < 1 s and total < 9 s"],
        ["demo", "--model", "a b", "--router-port", "18080"],
    ],
    ids=" ".join,
)
def test_the_command_typed_again_makes_the_same_plan(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    first = planned(monkeypatch, *arguments)
    soak_command = shlex.split(first.soak_command)
    assert soak_command[:2] == ["soak", arguments[0]]
    again = planned(monkeypatch, *soak_command[1:])
    assert again.soak_command == first.soak_command
    assert (again.workload.url, again.workload.body, again.workload.headers) == (
        first.workload.url,
        first.workload.body,
        first.workload.headers,
    )
    assert again.shape == first.shape
    assert (again.engine.name, again.max_output_tokens) == (first.engine.name, first.max_output_tokens)
    assert (again.connections, again.duration_seconds, again.max_requests, again.label) == (
        first.connections,
        first.duration_seconds,
        first.max_requests,
        first.label,
    )


def test_what_the_environment_says_is_in_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROUTER_PORT", "9090")
    monkeypatch.setenv("WRK_MODEL", "llama3")
    assert planned(monkeypatch, "run", "--engine", "wrk", "--duration", "45m").soak_command == (
        "soak run --target http://localhost:9090 --duration 45m --engine wrk --model llama3 "
        "--endpoint /v1/chat/completions --connections 20"
    )
