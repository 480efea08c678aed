"""How a `soak run` ends: whatever becomes of its terminal, what was measured is written and judged."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from exporter.stack.native import NativeStack
from tests.support.soak_command import Soak, running
from tests.support.waiting import need

CHATTY = """
request = function() return wrk.format("GET", "/v1/models") end
response = function(status) io.stderr:write("saw " .. status .. " \\27[31m\\n") end
"""


@pytest.fixture(autouse=True)
def _wrk() -> None:
    need("wrk")


def command(live: NativeStack, results: Path, *options: str) -> list[str]:
    """A `soak run` against the stack, without --json."""
    asked = [sys.executable, "-m", "exporter.cli", "run", "--results", str(results), "--drain", "1s"]
    asked += ["--target", live.ports.url("router"), "--exporter", live.ports.url("exporter")]
    return [*asked, "--connections", "2", *options]


def verdict(results: Path) -> str:
    """Of the one run.json."""
    [file] = results.glob("*/run.json")
    outcome: str = json.loads(file.read_text(encoding="utf-8"))["verdict"]["outcome"]
    return outcome


def test_what_a_script_prints_on_standard_error_is_shown_and_ends_nothing(soak: Soak, tmp_path: Path) -> None:
    script = tmp_path / "chatty.lua"
    script.write_text(CHATTY, encoding="utf-8")
    ended = soak("--duration", "3s", "--connections", "2", "--script", str(script)).end()
    assert ended.code == 0, ended.errors
    assert ended.document["evidence"]["ended_early"] is None
    assert ended.errors.count("saw 200") == 20
    assert "more lines came on standard error" in ended.errors
    assert "\x1b" not in ended.errors


def test_what_done_prints_after_a_ctrl_c_is_shown_too(live: NativeStack, soak: Soak, tmp_path: Path) -> None:
    script = tmp_path / "last.lua"
    script.write_text('done = function() io.stderr:write("the last word\\n") end', encoding="utf-8")
    run = soak("--duration", "60s", "--connections", "2", "--script", str(script))
    running(live, 50)
    run.process.send_signal(signal.SIGINT)
    ended = run.end()
    assert ended.code == 3
    assert ended.errors.count("the last word") == 1


def test_a_closed_terminal_is_a_ctrl_c(live: NativeStack, results: Path) -> None:
    ours, theirs = os.openpty()
    # setsid --ctty: the terminal is that of the session which the run leads.
    process = subprocess.Popen(
        ["setsid", "--ctty", "--wait", *command(live, results, "--duration", "60s")],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    running(live, 50)
    os.close(ours)
    assert process.wait(timeout=60) == 3
    assert verdict(results) == "inconclusive"


def test_a_closed_pipe_changes_neither_exit_code_nor_files(live: NativeStack, results: Path) -> None:
    process = subprocess.Popen(
        command(live, results, "--duration", "2s"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    assert process.wait(timeout=60) == 0
    assert process.stderr.read() == ""
    process.stderr.close()
    assert verdict(results) == "pass"
