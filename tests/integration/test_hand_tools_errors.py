"""run_wrk.sh where something is wrong: one line that says what, and wrk's exit code."""

import os
import shutil
from pathlib import Path

import pytest

from tests.support.hand_tools import Recorder, typed
from tests.support.waiting import need


def test_the_exit_code_is_wrks(tmp_path: Path) -> None:
    need("wrk")
    refused = typed("scripts/benchmarks/run_wrk.sh -t1 -c1 -d1s", WRK_TARGET="http://127.0.0.1:1")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "127.0.0.1:1" in refused.stderr
    fake = tmp_path / "wrk"
    fake.write_text("#!/bin/sh\nexit 7\n", encoding="utf-8")
    fake.chmod(0o755)
    assert typed("scripts/benchmarks/run_wrk.sh", PATH=f"{tmp_path}:{os.environ['PATH']}").returncode == 7


def test_without_wrk_one_line_says_so(tmp_path: Path) -> None:
    for program in ("bash", "env", "dirname"):
        found = shutil.which(program)
        assert found
        (tmp_path / program).symlink_to(found)
    done = typed(f"{tmp_path}/bash scripts/benchmarks/run_wrk.sh -d1s", PATH=str(tmp_path))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("run_wrk.sh: wrk ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "value", "where"),
    [
        ("WRK_SCRIPT", "/nowhere.lua", "/nowhere.lua"),
        ("WRK_API_KEY_FILE", "/nowhere", "/nowhere"),
        ("WRK_HEADERS", "A: b\nsecret", "line 2"),
        ("SOAK_EXPORTER", "nonsense", "nonsense"),
    ],
)
def test_a_variable_that_is_wrong_is_named(name: str, value: str, where: str) -> None:
    need("wrk")
    done = typed("scripts/benchmarks/run_wrk.sh -t1 -c1 -d1s", **{name: value})
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"run_wrk.sh: {name}: {where} ")
    assert done.stderr.count("\n") == 1
    assert "secret" not in done.stderr


def test_a_script_with_a_mistake_ends_the_run_instead_of_sending_something_else(
    recorder: Recorder, tmp_path: Path
) -> None:
    script = tmp_path / "bad.lua"
    script.write_text("wrk.method = = 1\n", encoding="utf-8")
    done = typed("scripts/benchmarks/run_wrk.sh -d1s", WRK_TARGET=recorder.url, WRK_SCRIPT=str(script))
    assert done.returncode == 2
    assert done.stderr.startswith("run_wrk.sh: WRK_SCRIPT: ")
    assert done.stderr.endswith("bad.lua:1: unexpected symbol near '='\n")
    assert done.stderr.count("\n") == 1
    assert recorder.asked == []
