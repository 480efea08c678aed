"""A real wrk that is short of CPU: the run says so, and nothing that it says of latency counts."""

import os
import shutil
from pathlib import Path

from tests.support.soak_command import Soak
from tests.support.waiting import need

BUSY = """
local spins = 0
request = function()
  for _ = 1, 3000000 do spins = spins + 1 end
  return wrk.format("POST", nil, {["Content-Type"] = "application/json"},
    '{"model":"m","messages":[{"role":"user","content":"ping"}]}')
end
"""
"""a script that keeps each thread on a CPU for some milliseconds a request"""


def on_one_cpu(program: str, folder: Path) -> str:
    """A PATH on which a program has one CPU, and that one less than whatever else runs there."""
    cpu = min(os.sched_getaffinity(0))
    file = folder / program
    file.write_text(f'#!/bin/sh\nexec nice -n 10 taskset --cpu-list {cpu} {shutil.which(program)} "$@"\n')
    file.chmod(0o755)
    return f"{folder}:{os.environ['PATH']}"


def test_a_run_at_its_generators_limit_is_inconclusive_and_says_why(soak: Soak, tmp_path: Path) -> None:
    need("wrk", "taskset")
    script = tmp_path / "busy.lua"
    script.write_text(BUSY, encoding="utf-8")
    own = ("--p99", "60s", "--script", str(script))
    path = on_one_cpu("wrk", tmp_path)
    ended = soak("--duration", "18s", "--connections", "8", *own, PATH=path).end()
    findings = {each["check"]: each for each in ended.document["verdict"]["findings"]}
    assert findings["answers"]["outcome"] == "pass"
    assert findings["generator"]["outcome"] == "inconclusive"
    assert findings["generator"]["figure"] > 0.05
    assert findings["generator"]["spans"]
    assert (
        "the load generator was the limit: its threads waited for a CPU in " in findings["generator"]["text"]
    )
    assert findings["objective-p99"]["outcome"] == "inconclusive"
    assert "; the load generator was the limit: " in findings["objective-p99"]["text"]
    assert ended.code == 3
    assert ended.document["evidence"]["generator"]["seconds"] > 10
