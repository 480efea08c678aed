"""wrk_parse.py and hey_parse.py as programs: alone with Python, and where there is little to parse."""

import csv
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.hand_tools import COLUMNS, FIXTURES, TOOLS, typed


@pytest.mark.parametrize("tool", ["wrk_parse.py", "hey_parse.py"])
def test_the_parsers_need_nothing_but_python(tool: str) -> None:
    text = (FIXTURES / tool.partition("_")[0] / "several-runs.txt").read_bytes()
    python = "/usr/bin/python3" if Path("/usr/bin/python3").exists() else shutil.which("python3")
    assert python
    done = subprocess.run(
        [python, "-I", "-S", "-W", "error", str(TOOLS / tool), "--label", "bare"],
        input=text,
        env={},
        cwd="/",
        capture_output=True,
        check=False,
        timeout=30,
    )
    assert [row["label"] for row in csv.DictReader(done.stdout.decode().splitlines())] == ["bare", "bare-2"]


@pytest.mark.parametrize("tool", ["wrk_parse.py", "hey_parse.py"])
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        ("\nunable to connect to h:1 refused\n", "unable to connect to h:1 refused"),
        ("\x1b[31mred\x07\n", "begins: red\ufffd"),
        ("Summary:\n  Success rate:\t100.00%\n", "this is oha's output"),
    ],
)
def test_nothing_to_parse_is_an_error_without_a_header(tool: str, text: str, said: str) -> None:
    done = subprocess.run(
        [str(TOOLS / tool), "--label", "x"], input=text, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("tool", "texts", "rows", "said"),
    [
        ("wrk_parse.py", ["wrk/several-runs.txt"], 2, "unable to connect to localhost:1 Connection refused"),
        ("hey_parse.py", ["hey/summary.txt", "hey/csv.csv"], 1, "line 247 is not understood: '0.00"),
    ],
)
def test_what_is_missing_from_the_rows_is_reported(tool: str, texts: list[str], rows: int, said: str) -> None:
    text = "".join((FIXTURES / file).read_text("utf-8") for file in texts)
    text = text if tool == "wrk_parse.py" else text[:-9]
    done = subprocess.run(
        [str(TOOLS / tool), "--label", "x"], input=text, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert len(done.stdout.splitlines()) == 1 + rows
    assert said in done.stderr


@pytest.mark.parametrize("tool", ["wrk_parse.py", "hey_parse.py"])
def test_a_label_is_wanted_and_help_teaches(tool: str) -> None:
    missing = subprocess.run([str(TOOLS / tool)], input="", capture_output=True, text=True, check=False)
    assert (missing.returncode, missing.stdout) == (2, "")
    assert "--label" in missing.stderr
    taught = subprocess.run([str(TOOLS / tool), "--help"], capture_output=True, text=True, check=False)
    assert taught.returncode == 0
    assert COLUMNS in taught.stdout
    assert f"| scripts/benchmarks/{tool} --label" in taught.stdout


@pytest.mark.parametrize(
    "command",
    [
        "wrk_parse.py --label x < tests/fixtures/wrk/latency.txt",
        "summarize_csv.py tests/fixtures/earlier/20261129-earlier.csv",
    ],
)
def test_a_full_disk_is_one_line(command: str) -> None:
    done = typed(f"scripts/benchmarks/{command} > /dev/full")
    tool = command.partition(" ")[0]
    assert (done.returncode, done.stderr) == (2, f"{tool}: cannot write (No space left on device)\n")


@pytest.mark.parametrize("tool", ["wrk_parse.py", "hey_parse.py"])
def test_the_help_is_shown_in_a_locale_without_utf_8(tool: str) -> None:
    done = typed(f"scripts/benchmarks/{tool} --help", PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "")
    assert "p50_ms?p99_ms" in done.stdout
