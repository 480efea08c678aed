"""`soak watch` around a stranger's load tool: the router is judged, and the tool's word is heard."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from exporter.stack.native import NativeStack
from tests.conftest import ready
from tests.support import strangers_load
from tests.support.schemas import check_document
from tests.support.soak_command import fault, metrics, without_matplotlib
from tests.support.waiting import wait_for

SLEEP = (sys.executable, "-c", "import time; print('begun', flush=True); time.sleep(99)")


@pytest.fixture
def live(shared: NativeStack) -> NativeStack:
    """One for all tests of this file."""
    return shared


@dataclass(frozen=True)
class Ended:
    """A `soak watch` that has ended."""

    code: int
    errors: str
    document: dict[str, Any]
    folder: Path

    def finding(self, check: str) -> tuple[str, str]:
        """Outcome and sentence of a check."""
        [found] = [each for each in self.document["verdict"]["findings"] if each["check"] == check]
        return found["outcome"], found["text"]


class Watching:
    """A `soak watch --json` under way."""

    def __init__(self, live: NativeStack, results: Path, *words: str) -> None:
        self._results = results
        asked = [sys.executable, "-m", "exporter.cli", "watch", "--json", "--results", str(results)]
        asked += ["--target", live.ports.url("router"), "--exporter", live.ports.url("exporter")]
        self.process = subprocess.Popen(
            [*asked, *words],
            env=without_matplotlib(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def end(self) -> Ended:
        """Wait for it, and read what it leaves."""
        output, errors = self.process.communicate(timeout=120)
        document = json.loads(output) if output else {}
        if document:
            check_document(document)
        folders = [each.parent for each in self._results.glob("*/run.json")]
        return Ended(self.process.returncode, errors, document, folders[0] if folders else self._results)


Watch = Callable[..., Watching]


@pytest.fixture
def watch(live: NativeStack, results: Path) -> Iterator[Watch]:
    """Starts `soak watch`es with these words; whatever still runs afterwards is ended."""
    begun: list[Watching] = []

    def start(*words: str) -> Watching:
        begun.append(Watching(live, results, *words))
        return begun[-1]

    yield start
    for each in begun:
        if each.process.poll() is None:
            each.process.send_signal(signal.SIGINT)
            each.process.communicate(timeout=60)


def load(live: NativeStack, seconds: float, *exit_code: str) -> tuple[str, ...]:
    """A stranger's load against the router."""
    return (sys.executable, strangers_load.__file__, live.ports.url("router"), "2", str(seconds), *exit_code)


def is_watched(live: NativeStack) -> bool:
    """Whether the exporter shows a watch that is under way."""
    found = {name: dict(labels) for name, labels in metrics(live) if name.startswith("benchmark_run_")}
    return found.get("benchmark_run_info", {}).get("scenario") == "watch"


OWN = """
- {check: 'max(router_active_requests) < 1000', name: few}
- {check: 'rate(router_requests_total{outcome="success"}) > 1/s', name: asked}
"""


def test_a_strangers_load_on_a_router_that_is_well_passes(
    live: NativeStack, watch: Watch, results: Path, tmp_path: Path
) -> None:
    own = tmp_path / "own.yml"
    own.write_text(OWN)
    secret = ("env", "ROUTER_KEY=hunter2hunter2")
    ended = watch("--drain", "8s", "--objectives", str(own), "--", *secret, *load(live, 6)).end()
    assert (ended.code, ended.document["verdict"]["outcome"]) == (0, "pass"), ended.errors
    printed = (ended.folder / "command-output.txt").read_text()
    counted = int(printed.split("checks: ")[1].split()[0])
    assert counted > 20
    assert ended.finding("disconnects") == ("pass", f"the router counted {counted:,} requests and no failure")
    assert ended.finding("completeness")[0] == "pass"
    assert ended.finding("latency")[0] == "not_judged"
    known = ended.document["evidence"]
    assert known["traffic"] == {"requests": counted, "failures": 0}
    assert known["command_end"] == {"exit_code": 0, "by": "itself"}
    assert f"│ checks: {counted} passed, 0 failed" in ended.errors, "shown as it came"
    assert [each["phase"] for each in known["phases"]] == ["warmup", "load", "drain"]
    names = {each.name for each in ended.folder.iterdir()}
    assert names == {"run.json", "report.html", "series.om.gz", "command-output.txt"}
    assert not list(ended.folder.parent.glob("*.csv"))
    loaded = [labels for name, labels in metrics(live) if name == "benchmark_requests_total"]
    assert loaded == [], "no series of a load that nobody here counts"
    assert (ended.finding("objective-few")[0], ended.finding("objective-asked")[0]) == ("pass", "pass")
    assert "ROUTER_KEY=${SECRET_ROUTER_KEY}" in ended.document["command"]
    for file in results.rglob("*"):
        assert file.is_dir() or b"hunter2" not in file.read_bytes(), file


def test_a_strangers_load_on_a_router_that_fails_fails_whatever_the_tool_says(
    live: NativeStack, watch: Watch
) -> None:
    fault(live, "error", status=502, ratio=0.2)
    ended = watch("--drain", "7s", "--", *load(live, 4)).end()
    assert (ended.code, ended.document["verdict"]["outcome"]) == (1, "fail"), ended.errors
    outcome, text = ended.finding("disconnects")
    assert outcome == "fail"
    assert " failures of " in text
    assert ended.finding("completeness") == ("inconclusive", "the load command failed (exit code 99)")


def test_a_command_that_fails_makes_a_pass_inconclusive(live: NativeStack, watch: Watch) -> None:
    ended = watch("--drain", "7s", "--", *load(live, 3, "3")).end()
    assert (ended.code, ended.document["verdict"]["outcome"]) == (3, "inconclusive"), ended.errors
    assert ended.finding("completeness")[1] == "the load command failed (exit code 3)"


def test_a_watch_in_which_nobody_asked_anything_is_no_pass(watch: Watch) -> None:
    ended = watch("--duration", "8s").end()
    assert (ended.code, ended.document["verdict"]["outcome"]) == (3, "inconclusive"), ended.errors
    assert "the router counted no request: nothing was asked of it" in ended.finding("completeness")[1]
    assert not (ended.folder / "command-output.txt").exists()
    assert ended.document["evidence"]["command_end"] is None


def test_at_the_duration_the_command_is_ended_with_what_it_started_and_has_not_failed(watch: Watch) -> None:
    ended = watch("--duration", "3s", "--drain", "1s", "--", "sh", "-c", "sleep 98.7 & sleep 99").end()
    assert "the load command was ended: its --duration is over" in ended.errors
    assert ended.document["evidence"]["command_end"] == {"exit_code": 143, "by": "duration"}
    assert ended.document["evidence"]["ended_early"] is None
    assert "failed" not in ended.finding("completeness")[1]
    left = [each.info["cmdline"] for each in psutil.process_iter(["cmdline"])]
    assert ["sleep", "98.7"] not in left


def test_an_end_that_the_user_asks_for_ends_the_command_and_keeps_what_was_seen(
    live: NativeStack, watch: Watch
) -> None:
    watching = watch("--", *SLEEP)
    wait_for("the watch", lambda: is_watched(live) and psutil.Process(watching.process.pid).children())
    watching.process.send_signal(signal.SIGTERM)
    ended = watching.end()
    assert ended.code == 3, ended.errors
    assert "the watch ended after" in ended.finding("completeness")[1]
    assert ended.document["evidence"]["ended_early"] == "stopped by the user"
    assert ended.document["evidence"]["command_end"]["by"] == "user"


def test_a_watch_without_an_end_is_not_early_when_it_is_ended(live: NativeStack, watch: Watch) -> None:
    watching = watch()
    wait_for("the watch", lambda: is_watched(live))
    watching.process.send_signal(signal.SIGINT)
    ended = watching.end()
    assert ended.document["evidence"]["ended_early"] is None
    assert ended.document["run"]["planned_duration_seconds"] is None
    assert "the watch ended" not in ended.finding("completeness")[1]


def test_a_router_that_is_restarted_meanwhile_fails(live: NativeStack, watch: Watch) -> None:
    watching = watch("--drain", "1s", "--", *load(live, 8))
    wait_for("the watch", lambda: is_watched(live))
    fault(live, "restart")
    ended = watching.end()
    assert ended.code == 1, ended.errors
    assert ended.finding("router")[0] == "fail"


def test_a_command_that_cannot_be_started_is_one_line_and_leaves_nothing(
    watch: Watch, results: Path, tmp_path: Path
) -> None:
    text = tmp_path / "no-program"
    text.write_text("x")
    for word in ("no-such-program-here", str(text)):
        ended = watch("--", word, "--api-key", "hunter2hunter2").end()
        assert ended.code == 2
        [line] = ended.errors.splitlines()
        assert "cannot be started" in line
        assert "hunter2" not in line
    assert not results.exists()


def test_an_exporter_that_goes_away_midway_leaves_an_inconclusive_watch(
    stack: NativeStack, results: Path
) -> None:
    ready(stack)
    watching = Watching(stack, results, "--drain", "1s", "--", *load(stack, 11))
    wait_for("the watch", lambda: is_watched(stack))
    stack.stop("exporter")
    ended = watching.end()
    assert ended.code == 3, ended.errors
    assert "scrapes failed" in ended.finding("completeness")[1]
    assert "checks: " in (ended.folder / "command-output.txt").read_text(), "the load went on"
