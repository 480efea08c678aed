"""Runs of somebody else, in every command that reads them: an exit code of the contract, and nothing else."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from exporter.cli.main import soak
from exporter.errors import ConfigurationError
from exporter.live.results_csv import COLUMNS, ResultRow, rows_text
from exporter.results.run_json import run_json
from tests.support.run_results import run_result

GOOD = ResultRow("x", 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0, 0, 60, 60.0)
HEADER = ",".join(COLUMNS) + "\n"
COMMANDS = (
    "report 20251102-b",
    "report 20251102-b -o picture.svg",
    "compare --anyway 20251101-a 20251102-b",
    "compare --anyway 20251102-b 20251101-a",
    "compare --anyway --noise 20251101-a 20251102-b 20251102-b.csv",
    "backfill --results . --output data",
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two runs, and a promtool that takes everything; the working directory."""
    promtool = tmp_path / "bin" / "promtool"
    promtool.parent.mkdir()
    promtool.write_text("#!/bin/sh\n")
    promtool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{promtool.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path)
    for name in ("20251101-a", "20251102-b"):
        Path(name).mkdir()
        Path(f"{name}.csv").write_text(rows_text([GOOD]))
        Path(name, "run.json").write_text(run_json(run_result()))
    return tmp_path


def ended(command: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    """Exit code, output and errors; what is no error of this project ends the test."""
    code = 0
    try:
        soak.main(command.split(), standalone_mode=False)
    except SystemExit as end:
        code = int(end.code or 0)
    except ConfigurationError as error:
        shown = capsys.readouterr()
        return 2, shown.out, f"{shown.err}soak: {error}\n"
    shown = capsys.readouterr()
    return code, shown.out, shown.err


def nested(depth: int) -> Any:
    found: Any = []
    for _ in range(depth):
        found = [found]
    return found


def changed(**values: Any) -> str:
    """A good run.json with these places changed, `run__model` is its run's model."""
    document = json.loads(run_json(run_result()))
    for way, value in values.items():
        *parts, last = way.split("__")
        part = document
        for name in parts:
            part = part[name]
        part[last] = value
    return json.dumps(document)


FINDING = {"check": "memory", "outcome": "pass", "text": "x", "unit": "bytes_per_hour"}
RECORDS: dict[str, str | bytes] = {
    "nothing": "",
    "not UTF-8": b"\xff\xfe",
    "zeros": bytes(1000),
    "null": "null",
    "a list": "[]",
    "a number": "1e999",
    "open lists": "[" * 500_000,
    "deep": changed(run__model=nested(500), inputs__stream=nested(500)),
    "too long": changed(run__model="x" * (1 << 20)),
    "a number of half a million digits": changed(run__connections="N").replace('"N"', "9" * 500_000),
    "a number of 4,000 digits": changed(run__connections="N").replace('"N"', "9" * 4_000),
    "no number": changed(run__connections=float("nan"), run__start_timestamp_seconds=float("inf")),
    "half a surrogate": changed(run__model="\ud800", run__engine="\udfff"),
    "numbers for texts": changed(run__model=1, run__route=2.5, run__run=[], inputs__body_sha256={}),
    "texts for parts": changed(run="x", inputs="y"),
    "no verdict": changed(verdict=None),
    "a verdict of text": changed(verdict="pass"),
    "findings of text": changed(verdict__findings="abc"),
    "findings by name": changed(verdict__findings={"a": 1}),
    "deep findings": changed(verdict__findings=[{**FINDING, "text": nested(500)}]),
    "a growth beyond numbers": changed(verdict__findings=[{**FINDING, "figure": float("inf")}]),
    "a growth at its end": changed(verdict__findings=[{**FINDING, "figure": 1.7e308}]),
    "many findings": changed(verdict__findings=[{**FINDING, "text": str(i)} for i in range(10_000)]),
    "a long finding": changed(verdict__findings=[{**FINDING, "text": "x" * 1_000_000}]),
}


SHOWN = {
    "a number of 4,000 digits", "half a surrogate", "a growth at its end", "many findings", "a long finding",
}  # fmt: skip
"""whose verdict `soak report` can show; it refuses the others"""
GROWTHS = {"a growth at its end", "many findings", "a long finding"}
"""that say something else of the memory than the other run"""


@pytest.mark.parametrize("name", RECORDS)
def test_no_run_json_ends_a_command_but_by_its_contract(
    folder: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    record = RECORDS[name]
    data = record if isinstance(record, bytes) else record.encode("utf-8", "surrogatepass")
    (folder / "20251102-b" / "run.json").write_bytes(data)
    for command in COMMANDS:
        code, output, errors = ended(command, capsys)
        if command.startswith("report"):
            assert code == (0 if name in SHOWN else 2), command
        else:
            # The rows are equal, whatever a run.json says.
            assert code == 0 or (name in GROWTHS and (code, command[:7]) == (3, "compare")), command
        assert len(output) + len(errors) < 20_000, command
        assert len(errors.splitlines()) <= 5, command
        if code == 2:
            assert errors.splitlines()[-1].startswith("soak: "), command


def row(**values: str) -> str:
    """A line of a results file."""
    given = dict(zip(COLUMNS, rows_text([GOOD]).splitlines()[1].split(","), strict=True)) | values
    return ",".join(given.values()) + "\n"


FILES = {
    "beyond": row(**dict.fromkeys(COLUMNS[1:], "1.7e308")),
    "largest": row(**dict.fromkeys(COLUMNS[1:], str(2**53))),
    "least": row(**dict.fromkeys(("rps", "p50_ms", "p99_ms", "duration_s"), "5e-324")),
    "both": row(rps="1e15", p99_ms="5e-324", p95_ms="1e15"),
    "zeros": row(**dict.fromkeys(COLUMNS[1:], "0")),
    "unknown": row(**dict.fromkeys(COLUMNS[1:], "")),
    "no number": row(rps="nan", p50_ms="-1", requests="1e999"),
    "a part of a request": row(requests="1.5"),
    "digits": row(rps="9" * 5000),
    "acting": row(label="\x1b[2J\u202e\u200b\x9b"),
    "markup": row(label="$\\frac{1}{2}$ %s%n {0} | `x`"),
    "marks": row(label="e" + "\u0301" * 5000),
    "cells": "x" + ",1" * 8000 + "\n",
    "rows": row() * 5000,
}


NO_ROW = {"beyond", "no number", "a part of a request", "digits", "cells"}


@pytest.mark.parametrize("name", FILES)
def test_no_results_file_ends_a_command_but_by_its_contract(
    folder: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    (folder / "20251102-b.csv").write_text(HEADER + FILES[name], encoding="utf-8")
    for command in COMMANDS:
        code, output, errors = ended(command, capsys)
        if command.startswith("compare"):
            assert (code == 2) == (name in {*NO_ROW, "rows"}), command
        else:
            assert code == (2 if name in NO_ROW else 0), command
        assert "\x1b" not in output + errors.replace(repr("\x1b"), ""), command
        assert len(errors.splitlines()) <= 5, command


def test_of_many_findings_a_hundred_are_shown(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "20251102-b" / "run.json").write_text(str(RECORDS["many findings"]))
    code, output, _ = ended("report 20251102-b", capsys)
    assert code == 0
    assert output.count("  memory: ") == 100
    assert "\n  and 9,900 more\n" in output


def test_a_column_that_is_there_twice_is_no_column(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "20251102-b.csv").write_text("label,rps,rps\nx,1,2\n")
    code, _, errors = ended("compare --anyway 20251101-a 20251102-b", capsys)
    assert code == 2
    assert "20251102-b.csv:1: column `rps` twice" in errors


def test_a_run_json_that_is_a_fifo_is_not_waited_for(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "20251102-b" / "run.json").unlink()
    os.mkfifo(folder / "20251102-b" / "run.json")
    for command in COMMANDS:
        code, _, errors = ended(command, capsys)
        assert code in (0, 2, 3), (command, errors)
