"""What the hand tools cost: CPU seconds of one call on 10,000 rows, start-up included."""

import os
import random
import subprocess
import sys
from pathlib import Path

from table import Row

from exporter.live.results_csv import ResultRow, rows_text

ROWS = 10_000
MAX_SECONDS = 1.0
TOOLS = Path(__file__).resolve().parents[1] / "benchmarks"
WRK_RUN = """Running 1m test @ http://localhost:8080/v1/chat/completions
  10 threads and 50 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency    21.44ms   9.10ms 180.12ms   80.01%
    Req/Sec   233.10     31.20   310.00     71.00%
  Latency Distribution
     50%   {p50:.2f}ms
     75%   26.80ms
     90%   35.70ms
     99%   61.20ms
  {requests} requests in 1.00m, 71.90MB read
Requests/sec:   2329.10
Transfer/sec:      1.20MB
"""


def parser_rows(folder: Path) -> list[Row]:
    """wrk_parse.py on so many runs of wrk in one input, summarize_csv.py on so many rows in one file."""
    draw = random.Random(1)
    runs = "".join(
        WRK_RUN.format(p50=draw.uniform(1, 99), requests=draw.randrange(10**6)) for _ in range(ROWS)
    )
    results = folder / "results.csv"
    results.write_text(
        rows_text(
            ResultRow(f"run-{i}", draw.uniform(1, 9e4), p95_ms=draw.uniform(1, 99)) for i in range(ROWS)
        ),
        encoding="utf-8",
    )
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
