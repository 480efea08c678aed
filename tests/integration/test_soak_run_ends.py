"""How a `soak run` ends: whatever becomes of its terminal, what was measured is written and judged."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from exporter.stack.native import NativeStack
from tests.support.checkout import HAND_TOOLS
from tests.support.soak_command import Soak, children, running, total, without_matplotlib
from tests.support.waiting import need

CHATTY = """
request = function() return wrk.format("GET", "/v1/models") end
response = function(status) io.stderr:write("saw " .. status .. " \\27[31m\\n") end
"""
REPORT = """
local filler = ("x"):rep(90000)
response = function()
  print("seen a body", filler)
  print("  Thread Stats   Avg\\n  7 requests in 1s, 9B read\\nTransfer/sec: 1MB")
end
done = function()
  io.stderr:write("on stderr\\n")
  print("\\27[32mmy report\\27[0m: 7 of 7\\nRequests/sec: 12.5")
end
"""
STOP = """
local answered = 0
response = function()
  answered = answered + 1
  if answered == 50 then wrk.thread:stop() end
end
"""
NUMBERED = """
local count = 0
setup = function(thread) count = count + 1; thread:set("number", count) end
"""


@pytest.fixture(autouse=True)
def _wrk() -> None:
    need("wrk")


@pytest.fixture
def live(shared: NativeStack) -> NativeStack:
    """One for all tests of this file."""
    return shared


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


def test_what_done_prints_after_a_ctrl_c_is_shown_and_kept_too(
    live: NativeStack, soak: Soak, results: Path, tmp_path: Path
) -> None:
    script = tmp_path / "last.lua"
    script.write_text(
        'done = function() io.stderr:write("the last word\\n"); print("a report") end', encoding="utf-8"
    )
    run = soak("--duration", "60s", "--connections", "2", "--script", str(script))
    running(live, 50)
    run.process.send_signal(signal.SIGINT)
    ended = run.end()
    assert ended.code == 3
    assert ended.errors.count("the last word") == 1
    assert "printed:\n  a report\n" in ended.errors
    [kept] = results.glob("*/engine-output.txt")
    assert kept.read_bytes().endswith(b"a report\n\n[standard error]\nthe last word\n")


def test_what_a_script_printed_before_wrk_was_killed_is_kept(
    live: NativeStack, soak: Soak, results: Path, tmp_path: Path
) -> None:
    script = tmp_path / "loud.lua"
    script.write_text('response = function() print(("y"):rep(5000)) end', encoding="utf-8")
    run = soak("--duration", "60s", "--connections", "2", "--script", str(script))
    running(live, 50)
    [wrk] = children(run, "wrk")
    wrk.kill()
    ended = run.end()
    assert ended.code == 3
    assert ended.document["evidence"]["ended_early"] == "wrk: was ended by SIGKILL"
    [kept] = results.glob("*/engine-output.txt")
    assert b"y" * 5000 + b"\n" in kept.read_bytes()


def test_what_a_script_prints_is_kept_and_what_done_prints_is_shown_and_neither_is_in_the_json(
    soak: Soak, results: Path, tmp_path: Path
) -> None:
    script = tmp_path / "report.lua"
    script.write_text(REPORT, encoding="utf-8")
    ended = soak("--duration", "3s", "--connections", "2", "--script", str(script)).end()
    assert ended.code == 0, ended.errors
    said = ended.errors.split("the script's done() printed:\n")
    assert len(said) == 2
    assert said[1].splitlines()[:2] == ["  my report: 7 of 7", "  Requests/sec: 12.5"]
    assert "seen a body" not in ended.output + ended.errors
    assert "\x1b" not in ended.errors
    [kept] = results.glob("*/engine-output.txt")
    printed = kept.read_bytes()
    assert len(printed) <= 10_000_000
    assert b"seen a body" in printed[:300]
    assert b"bytes are left out here" in printed
    assert b"  Thread Stats " in printed
    assert printed.endswith(
        b"\x1b[32mmy report\x1b[0m: 7 of 7\nRequests/sec: 12.5\n\n[standard error]\non stderr\n"
    )


def test_connections_that_a_script_ends_are_missing_and_their_seconds_are_measured(
    soak: Soak, tmp_path: Path
) -> None:
    script = tmp_path / "stop.lua"
    script.write_text(STOP, encoding="utf-8")
    ended = soak("--duration", "6s", "--connections", "4", "--script", str(script)).end()
    assert ended.code == 3
    evidence = ended.document["evidence"]
    assert len(evidence["engine"]["stopped_after_seconds"]) == 4
    assert evidence["measured_seconds"] < 5 < evidence["engine"]["duration_seconds"]
    [text] = [
        each["text"] for each in ended.document["verdict"]["findings"] if each["check"] == "completeness"
    ]
    assert text.endswith("s of 6 s, then no connection was left")


def test_one_connection_that_ends_while_others_go_on_is_missing_too(soak: Soak, tmp_path: Path) -> None:
    script = tmp_path / "stop.lua"
    script.write_text(f"{NUMBERED}{STOP.replace('== 50', '== 50 and number == 2')}", encoding="utf-8")
    ended = soak("--duration", "6s", "--connections", "4", "--script", str(script)).end()
    assert ended.code == 3
    evidence = ended.document["evidence"]
    assert len(evidence["engine"]["stopped_after_seconds"]) == 1
    assert evidence["measured_seconds"] == evidence["engine"]["duration_seconds"] > 5.5
    [text] = [
        each["text"] for each in ended.document["verdict"]["findings"] if each["check"] == "completeness"
    ]
    assert text.startswith("1 of 4 connections ended early: after ")


def test_a_done_that_fails_takes_nothing_from_a_load_that_is_whole(soak: Soak, tmp_path: Path) -> None:
    script = tmp_path / "bad.lua"
    script.write_text("done = function() local nothing; nothing.x = 1 end", encoding="utf-8")
    ended = soak("--duration", "3s", "--connections", "2", "--script", str(script)).end()
    assert ended.code == 0, ended.errors
    assert "attempt to index" in ended.errors


def test_the_model_in_a_script_is_the_label_and_the_run_says_so(
    live: NativeStack, soak: Soak, tmp_path: Path
) -> None:
    script = str(HAND_TOOLS / "chat_openai.lua")
    ended = soak("--duration", "2s", "--connections", "2", "--script", script).end()
    assert (ended.document["run"]["route"], ended.document["run"]["model"]) == ("openai", "openai:gpt-4o")
    assert ended.document["inputs"]["model_source"] == "script"
    assert "モデル openai:gpt-4o (--scriptから)" in ended.record
    assert total(live, "benchmark_requests_total", route="openai", model="openai:gpt-4o") > 0
    other = soak("--duration", "2s", "--connections", "2", "--script", script, "--model", "google:mine").end()
    assert (other.document["run"]["route"], other.document["run"]["model"]) == ("google", "google:mine")
    assert other.document["inputs"]["model_source"] == "option"


def test_a_closed_terminal_is_a_ctrl_c(live: NativeStack, results: Path) -> None:
    ours, theirs = os.openpty()
    # setsid --ctty: the terminal is that of the session which the run leads.
    process = subprocess.Popen(
        ["setsid", "--ctty", "--wait", *command(live, results, "--duration", "60s")],
        env=without_matplotlib(),
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
        command(live, results, "--duration", "2s"),
        env=without_matplotlib(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    assert process.wait(timeout=60) == 0
    assert process.stderr.read() == ""
    process.stderr.close()
    assert verdict(results) == "pass"
