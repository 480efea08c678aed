"""What the hand tools cost: CPU seconds of one call on 10,000 rows, start-up included."""

import os
import random
import subprocess
import sys
from pathlib import Path

from table import Row

from exporter.live.results_csv import ResultRow, rows_text
from exporter.settings.shipped import ROOT as CHECKOUT

ROWS = 10_000
MAX_SECONDS = 1.0
TOOLS = Path(__file__).resolve().parents[1] / "benchmarks"
WRK_RUN = CHECKOUT / "tests" / "fixtures" / "wrk" / "minute.txt"


def parser_rows(folder: Path) -> list[Row]:
    """wrk_parse.py on so many runs of wrk in one input, summarize_csv.py on so many rows in one file."""
    draw = random.Random(1)
    results = folder / "results.csv"
    results.write_text(
        rows_text(
            ResultRow(f"run-{i}", draw.uniform(1, 9e4), p95_ms=draw.uniform(1, 99)) for i in range(ROWS)
        ),
        encoding="utf-8",
    )
    runs = WRK_RUN.read_text("utf-8") * ROWS
    return [
        _row("wrk_parse.py on 10,000 runs", ["wrk_parse.py", "--label", "bench"], runs),
        _row("summarize_csv.py on 10,000 rows", ["summarize_csv.py", str(results)], ""),
    ]


def _row(what: str, arguments: list[str], text: str) -> Row:
    before = os.times()
    command = [sys.executable, str(TOOLS / arguments[0]), *arguments[1:]]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=True)
    after = os.times()
    seconds = after.children_user + after.children_system - before.children_user - before.children_system
    lines = done.stdout.count("\n")
    measured = f"{seconds:.2f} s of CPU, {lines:,} lines"
    return Row(what, measured, f"< {MAX_SECONDS:.0f} s", lines > ROWS and seconds < MAX_SECONDS)
