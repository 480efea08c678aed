"""Ctrl-C and SIGTERM at the hand tools: the figures so far, and nothing left behind."""

import contextlib
import csv
import os
import re
import signal
from pathlib import Path

import psutil
import pytest

from exporter.stack.native import NativeStack
from tests.support.hand_tools import requests_of, start
from tests.support.soak_command import truth
from tests.support.waiting import wait_for


@pytest.mark.parametrize(
    ("number", "whom"),
    [(signal.SIGINT, "terminal"), (signal.SIGINT, "script"), (signal.SIGTERM, "script")],
)
def test_an_interrupted_run_still_has_its_figures_and_leaves_nothing(
    router: NativeStack, tmp_path: Path, number: signal.Signals, whom: str
) -> None:
    run = start(
        router,
        "exec scripts/benchmarks/run_wrk.sh -t2 -c4 -d60s --latency",
        SOAK_EXPORTER="",
        TMPDIR=str(tmp_path),
    )
    wait_for("the load", lambda: truth(router)["requests"] > 200)
    assert list(tmp_path.iterdir())
    if whom == "script":
        run.send_signal(number)
    else:
        os.killpg(run.pid, number)
    output, errors = run.communicate(timeout=30)
    assert (run.returncode, errors) == (0, "")
    assert requests_of(output) >= 100
    assert "\n   99.9% " in output
    assert list(tmp_path.iterdir()) == []


def ignores_ctrl_c(parent: int, script: str) -> bool:
    """Whether the parent's child that runs the script is so far as to ignore SIGINT."""
    for child in psutil.Process(parent).children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            if any(part.endswith(script) for part in child.cmdline()):
                status = Path(f"/proc/{child.pid}/status").read_text(encoding="utf-8")
                [mask] = re.findall(r"^SigIgn:\s*(\S+)", status, re.MULTILINE)
                return bool(int(mask, 16) & 1 << signal.SIGINT - 1)
    return False


def test_ctrl_c_at_a_pipeline_still_gives_a_row(router: NativeStack) -> None:
    run = start(
        router,
        "trap : INT; cd scripts/benchmarks; ./run_wrk.sh -t2 -c4 -d60s | ./wrk_parse.py --label cut",
        SOAK_EXPORTER="",
    )
    wait_for("the load", lambda: truth(router)["requests"] > 200)
    wait_for("the parser to leave Ctrl-C to wrk", lambda: ignores_ctrl_c(run.pid, "wrk_parse.py"))
    os.killpg(run.pid, signal.SIGINT)
    output, errors = run.communicate(timeout=30)
    [row] = csv.DictReader(output.splitlines())
    assert errors == ""
    assert int(row["requests"]) >= 100
    assert float(row["p95_ms"]) > 0
