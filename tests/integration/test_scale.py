"""`soak scale`: rising connections, one comparison."""

import csv
import subprocess
import sys
from pathlib import Path

from exporter.stack.native import NativeStack
from tests.support.soak_command import total
from tests.support.waiting import need


def test_the_steps_are_compared_in_one_table_and_one_plot(live: NativeStack, results: Path) -> None:
    need("wrk")
    command = [sys.executable, "-m", "exporter.cli", "scale", "--steps", "2,4", "--duration", "2s"]
    command += ["--target", live.ports.url("router"), "--exporter", live.ports.url("exporter")]
    ended = subprocess.run(
        [*command, "--drain", "1s", "--results", str(results)], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr + ended.stdout
    [comparison] = results.glob("*-local-scale.csv")
    rows = list(csv.DictReader(comparison.read_text("utf-8").splitlines()))
    assert [row["label"] for row in rows] == ["local-scale-c2", "local-scale-c4"]
    assert sum(int(row["requests"]) for row in rows) == total(live, "benchmark_requests_total")
    # Twice the connections of a closed loop are twice the throughput as long as nothing saturates.
    assert float(rows[1]["rps"]) > 1.5 * float(rows[0]["rps"])
    table = comparison.with_suffix(".md").read_text("utf-8")
    assert ["2", rows[0]["rps"]] in [
        [cell.strip() for cell in line.split("|")[1:3]] for line in table.splitlines()
    ]
    assert "- 頭打ち: 4 接続まではなし\n" in table
    assert (results / comparison.stem / "plot.png").read_bytes().startswith(b"\x89PNG")
    assert len(list(results.glob("*-c2.csv"))) == len(list(results.glob("*-c4.csv"))) == 1
