"""What `soak run` finds while it goes on, as the exporter shows it: with the real wrk."""

import re
from pathlib import Path

import pytest
import requests

from exporter.stack.native import NativeStack
from tests.support.soak_command import Soak, SoakRun, end_faults, fault, metrics, running, total
from tests.support.waiting import need, wait_for


@pytest.fixture(autouse=True)
def _wrk() -> None:
    need("wrk")


def is_so(live: NativeStack, check: str, outcome: str) -> bool:
    """Whether /metrics has that outcome of that check."""
    try:
        return total(live, "benchmark_run_check", check=check, outcome=outcome) == 1
    except KeyError:
        return False


def findings(live: NativeStack, run: str) -> dict[str, str]:
    """The outcome of each check, as the exporter's API has it."""
    document = requests.get(live.ports.url("exporter") + f"/api/runs/{run}/findings", timeout=10).json()
    return {each["check"]: each["outcome"] for each in document["findings"]}


def run_id(live: NativeStack) -> str:
    """Of the run that is under way."""
    return next(dict(labels)["run"] for name, labels in metrics(live) if name == "benchmark_run_info")


def test_a_failure_is_published_while_the_run_goes_on_and_stays_after_it(
    live: NativeStack, soak: Soak
) -> None:
    run = soak("--duration", "60s", "--connections", "2")
    running(live)
    wait_for("a first verdict", lambda: is_so(live, "answers", "pass"))
    assert is_so(live, "completeness", "not_judged")
    assert not is_so(live, "answers", "fail")
    fault(live, "error", status=500, ratio=0.5)
    wait_for("the failure", lambda: is_so(live, "answers", "fail"), 60)
    run_name = run_id(live)
    assert findings(live, run_name)["answers"] == "fail"
    assert total(live, "benchmark_run_objective", check="answers") == 0.01
    end_faults(live)
    run.process.send_signal(2)
    ended = run.end()
    assert ended.code == 1
    # The verdict is the last that is published.
    assert total(live, "benchmark_run_active") == 0
    written = {each["check"]: each["outcome"] for each in ended.document["verdict"]["findings"]}
    assert findings(live, run_name) == written
    assert written["completeness"] == "inconclusive"
    assert is_so(live, "completeness", "inconclusive")
    # The next run begins without them.
    second = soak("--duration", "4s", "--connections", "2")
    wait_for("the next run", lambda: total(live, "benchmark_run_active") == 1)
    assert not is_so(live, "completeness", "inconclusive")
    assert second.end().code == 0
    assert is_so(live, "answers", "pass")


@pytest.mark.parametrize("watched", [True, False])
def test_a_run_that_watches_no_process_of_the_router_says_so_before_the_load(
    stack: NativeStack, tmp_path: Path, watched: bool
) -> None:
    stack.start_simulator()
    config = tmp_path / "exporter.yaml"
    port = stack.ports.router if watched else stack.ports.grafana  # nothing listens there
    config.write_text(
        f"router: {{url: {stack.ports.url('router')}}}\n"
        f"processes: [{{name: router, role: router, match: {{port: {port}}}}}]\n",
        encoding="utf-8",
    )
    stack.start_exporter("--config", str(config))
    ended = SoakRun(stack, tmp_path / "results", "--duration", "2s", "--connections", "2").end()
    lines = ended.errors.splitlines()
    said = [
        number for number, line in enumerate(lines) if line.startswith("no process of the router is watched")
    ]
    # The first of the lines of progress, each with the time of day.
    first = next(number for number, line in enumerate(lines) if re.match(r"\d\d:\d\d:\d\d ", line))
    assert len(said) == (0 if watched else 1)
    assert all(number < first for number in said)
    assert sum("is watched by" in line for line in lines) == 1
