"""`soak run` with the real wrk and an exporter that is killed, away or not there at all."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from exporter.stack.native import NativeStack
from tests.support.soak_command import Soak, children, metrics, running, total, without_matplotlib
from tests.support.waiting import need, wait_for


@pytest.fixture(autouse=True)
def _wrk() -> None:
    need("wrk")


def test_a_killed_and_restarted_exporter_loses_and_doubles_nothing(live: NativeStack, soak: Soak) -> None:
    run = soak("--duration", "8s", "--connections", "10")
    running(live, 1000)
    before = metrics(live)
    live.kill("exporter")
    live.start_exporter()
    after = metrics(live)
    counters = [key for key in before if key[0].startswith("benchmark_request") and key[0].endswith("_total")]
    assert counters
    for key in counters:
        assert after[key] >= before[key], key
    ended = run.end()
    count = ended.document["evidence"]["engine"]["requests"]
    assert total(live, "benchmark_requests_total") == count
    assert ended.document["evidence"]["counts_by_source"]["exporter"] == {"responses": count, "failures": 0}


def test_an_exporter_that_is_away_at_the_end_is_waited_for(live: NativeStack, soak: Soak) -> None:
    run = soak("--duration", "4s", "--connections", "5")
    running(live, 500)
    live.kill("exporter")
    wait_for("wrk has ended", lambda: not children(run, "wrk"))
    live.start_exporter()
    ended = run.end()
    assert total(live, "benchmark_requests_total") == ended.document["evidence"]["engine"]["requests"]


def test_a_run_without_an_exporter_starts_its_own_and_stops_it(
    live: NativeStack, results: Path, tmp_path: Path
) -> None:
    live.kill("exporter")
    if requests_answer("http://127.0.0.1:9877/-/healthy"):
        pytest.skip("an exporter of this machine's own listens on 9877")
    command = [
        "python",
        "-m",
        "exporter.cli",
        "run",
        "--target",
        live.ports.url("router"),
        "--duration",
        "2s",
    ]
    ended = subprocess.run(
        [*command, "--drain", "1s", "--connections", "2", "--results", str(tmp_path), "--json"],
        capture_output=True,
        text=True,
        check=False,
        env=without_matplotlib(PATH=f"{Path(sys.executable).parent}:{os.environ['PATH']}"),
    )
    assert ended.returncode == 0, ended.stderr
    assert "exporter for this run: http://127.0.0.1:" in ended.stderr
    assert json.loads(ended.stdout)["verdict"]["outcome"] == "pass"
    own = ended.stderr.split("exporter for this run: ")[1].split("/metrics")[0]
    assert f"\nlive page: {own}/live\n" in ended.stderr
    assert not requests_answer(own + "/-/healthy")


def requests_answer(url: str) -> bool:
    """Whether anything answers there."""
    try:
        requests.get(url, timeout=2)
    except requests.RequestException:
        return False
    return True
