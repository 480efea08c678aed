"""The commands of seeds/benchmarks.md, typed as they stand there, with real wrk and hey."""

import csv
import re
from pathlib import Path

from exporter.stack.native import NativeStack
from tests.support.hand_tools import CHAT, COLUMNS, requests_of, typed
from tests.support.soak_command import fault, truth
from tests.support.waiting import need


def test_the_wrk_command_of_the_seed_runs_as_it_stands_there(router: NativeStack) -> None:
    url = router.ports.url("router")
    done = typed(
        f"WRK_TARGET={url} WRK_ENDPOINT={CHAT} WRK_MODEL=gpt-oss:20b "
        "scripts/benchmarks/run_wrk.sh -t10 -c50 -d2s --latency"
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"Running 2s test @ {url}{CHAT}\n  10 threads and 50 connections\n")
    assert "Non-2xx" not in done.stdout
    count = requests_of(done.stdout)
    assert count > 100
    assert 0 <= truth(router)["inference_responses"]["200"] - count <= 50


def test_the_hey_command_of_the_seed_gives_a_row(router: NativeStack) -> None:
    need("hey")
    done = typed(
        'hey -n 200 -c 20 -m POST -H "Content-Type: application/json" '
        """-d '{"model":"openai:gpt-4o","messages":[{"role":"user","content":"ping"}]}' """
        f"{router.ports.url('router')}{CHAT} | scripts/benchmarks/hey_parse.py --label openai"
    )
    assert (done.returncode, done.stderr) == (0, "")
    [row] = csv.DictReader(done.stdout.splitlines())
    assert (row["label"], row["requests"], row["non2xx"], row["socket_errors"]) == ("openai", "200", "0", "0")
    assert 0 < float(row["p50_ms"]) <= float(row["p95_ms"]) <= float(row["p99_ms"])


def test_heys_csv_and_its_summary_give_the_same_columns(router: NativeStack) -> None:
    need("hey")
    fault(router, "error", ratio=1.0, status=429)
    done = typed(
        "hey -n 40 -c 4 -m POST -T application/json -o csv "
        """-d '{"model":"gpt-oss:20b","messages":[{"role":"user","content":"ping"}]}' """
        f"{router.ports.url('router')}{CHAT} | scripts/benchmarks/hey_parse.py --label limited"
    )
    [row] = csv.DictReader(done.stdout.splitlines())
    assert ",".join(row) == COLUMNS
    assert (row["requests"], row["non2xx"], row["socket_errors"], row["p50_ms"]) == ("40", "40", "", "")


def test_wrk_into_wrk_parse_into_a_file_is_a_results_file(router: NativeStack, tmp_path: Path) -> None:
    file = tmp_path / "20251125-local.csv"
    done = typed(
        f"WRK_TARGET={router.ports.url('router')} scripts/benchmarks/run_wrk.sh -t2 -c10 -d2s --latency "
        f"| tee {tmp_path}/text | scripts/benchmarks/wrk_parse.py --label local > {file}"
    )
    assert (done.returncode, done.stderr) == (0, "")
    header, line = file.read_text("utf-8").splitlines()
    assert header == COLUMNS
    row = dict(zip(header.split(","), line.split(","), strict=True))
    text = (tmp_path / "text").read_text("utf-8")
    assert (row["label"], int(row["requests"])) == ("local", requests_of(text))
    assert (row["non2xx"], row["socket_errors"]) == ("0", "0")
    percentiles = [float(row[name]) for name in ("p50_ms", "p75_ms", "p90_ms", "p95_ms", "p99_ms")]
    assert percentiles == sorted(percentiles)
    assert re.search(r"^     95% +\d+\.\d\d[um]?s$", text, re.MULTILINE)
    assert re.search(r"^   99\.9% +\d+\.\d\d[um]?s$", text, re.MULTILINE)


def test_plain_wrk_into_wrk_parse_has_no_p95(router: NativeStack) -> None:
    done = typed(
        f"wrk -t2 -c4 -d1s --latency -s scripts/benchmarks/chat.lua {router.ports.url('router')}{CHAT} "
        "| scripts/benchmarks/wrk_parse.py --label plain"
    )
    [row] = csv.DictReader(done.stdout.splitlines())
    assert (row["p95_ms"], row["non2xx"]) == ("", "0")
    assert float(row["p99_ms"]) > 0
