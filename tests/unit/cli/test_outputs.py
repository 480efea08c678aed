"""Standard output and standard error that go away, or that lack characters: no command fails on them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from exporter.live.results_csv import ResultRow, rows_text

ROW = ResultRow("ジ–night", 100.0, 10.0, 12.0, 15.0, 20.0, 30.0, 0, 0, 6000, 60.0)
LOCALES = {
    "C": {"LC_ALL": "C", "PYTHONIOENCODING": "ascii"},
    "one that is not installed": {"LC_ALL": "C.ISO", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
}
COMMANDS = {
    "report": (["report", "a.csv"], 0, 3, 0),
    "compare": (["compare", "a.csv", "b.csv"], 2, 0, 1),
    "refusal": (["run", "--label", "ラベル"], 2, 0, 1),
}
"""arguments, exit code, and how many lines on standard output and standard error"""


@pytest.fixture(autouse=True)
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.csv").write_text(rows_text([ROW]), encoding="utf-8")
    Path("b.csv").write_text(rows_text([ROW, ROW]), encoding="utf-8")


def soak(
    arguments: list[str], environment: dict[str, str] | None = None, stdout: int = subprocess.PIPE
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "exporter.cli", *arguments],
        env={**os.environ, **(environment or {})},
        stdout=stdout,
        stderr=subprocess.PIPE,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("command", COMMANDS)
def test_a_locale_that_lacks_characters_changes_no_exit_code_and_gives_no_traceback(
    locale: str, command: str
) -> None:
    arguments, code, lines, complaints = COMMANDS[command]
    found = soak(arguments, LOCALES[locale])
    assert (found.returncode, found.stderr.count(b"\n")) == (code, complaints), found.stderr
    assert found.stdout.count(b"\n") == lines


@pytest.mark.parametrize("command", COMMANDS)
def test_a_reader_that_goes_away_changes_no_exit_code(command: str) -> None:
    arguments, code, _, complaints = COMMANDS[command]
    reader, writer = os.pipe()
    os.close(reader)
    found = soak(arguments, stdout=writer)
    os.close(writer)
    assert (found.returncode, found.stderr.count(b"\n")) == (code, complaints), found.stderr


def test_json_is_utf_8_in_every_locale() -> None:
    program = (
        "from exporter.cli.terminal import make_outputs_last, print_json;"
        'make_outputs_last(); print_json(\'{"a": "\\u30b8\\udcff"}\')'
    )
    printed = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, **LOCALES["one that is not installed"]},
        capture_output=True,
        check=True,
    ).stdout
    assert json.loads(printed.decode()) == {"a": "ジ\udcff"}


@pytest.mark.parametrize("closed", ["1>&- 2>&-", "1>/dev/full"])
def test_an_output_that_was_never_open_changes_no_exit_code(closed: str) -> None:
    command = ["sh", "-c", f'exec "$0" -m exporter.cli report a.csv {closed}', sys.executable]
    assert subprocess.run(command, capture_output=True, check=False, timeout=60).returncode == 0
