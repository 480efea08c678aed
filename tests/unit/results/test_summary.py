"""results.summary and summarize_csv.py: every row of every file, and nothing in a label is markup."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.live.results_csv import ResultRow, rows_text
from exporter.results.summary import escaped, markdown_table, read_files, summary_table
from tests.support.checkout import HAND_TOOLS

SCRIPT = HAND_TOOLS / "summarize_csv.py"
LOCAL = ResultRow("local", 123.456, 1.0, 2.0, 3.0, 40.5678, 61.2349, 6, 7, 3000, 30.0)
NO_P95 = ResultRow("openai", 9.0, 1.0, 2.0, 3.0, None, 99.0, 0, 0, 270, 30.0)
TABLE = """\
| label  |    rps | p95_ms | p99_ms | non2xx | socket_errors | requests | duration_s | source             |
| ------ | -----: | -----: | -----: | -----: | ------------: | -------: | ---------: | ------------------ |
| local  | 123.46 | 40.568 | 61.235 |      6 |             7 |     3000 |      30.00 | 20251125-local.csv |
| openai |   9.00 |        | 99.000 |      0 |             0 |      270 |      30.00 | 20251125-local.csv |
"""


def summarize(
    *arguments: str | Path, folder: Path, isolated: bool = True
) -> subprocess.CompletedProcess[str]:
    """The script as a user runs it, on a Python without any package (-S: no site-packages)."""
    return subprocess.run(
        [sys.executable, *(["-S", "-I"] if isolated else []), str(SCRIPT), *map(str, arguments)],
        cwd=folder,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )


def write(folder: Path, name: str, *rows: ResultRow) -> Path:
    file = folder / name
    file.write_text(rows_text(rows), encoding="utf-8")
    return file


def cells(line: str) -> list[str]:
    """The cells of a table's line as a Markdown renderer splits it: an escaped pipe does not."""
    return [cell.strip() for cell in re.findall(r"\|((?:\\.|[^|\\])*)(?=\|)", line)]


def test_the_table_has_the_columns_of_the_seed_and_a_line_a_row() -> None:
    source = "20251125-local.csv"
    assert summary_table([(LOCAL, source), (NO_P95, source)]) == TABLE


def test_unknown_cells_are_empty_and_zeros_are_not() -> None:
    table = summary_table([(ResultRow("nothing"), "a.csv"), (ResultRow("zero", 0.0, non2xx=0), "b.csv")])
    assert [cells(line) for line in table.splitlines()[2:]] == [
        ["nothing", "", "", "", "", "", "", "", "a.csv"],
        ["zero", "0.00", "", "", "0", "", "", "", "b.csv"],
    ]


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("a|b", r"a\|b"),
        ("a\\|b", r"a\\\|b"),
        ("two\nlines\r\n", "two lines  "),
        ("<script>", r"\<script>"),
        ("[x](javascript:1)", r"\[x\](javascript:1)"),
        ("`a` *b* &amp;", r"\`a\` \*b\* \&amp;"),
        ("\x1b[2J", "\ufffd\\[2J"),
        ("gpt-oss:20b_q4", "gpt-oss:20b_q4"),
    ],
)
def test_text_of_others_stays_text(text: str, cell: str) -> None:
    assert escaped(text) == cell


@given(st.lists(st.text(min_size=1, max_size=40), min_size=1, max_size=5))
def test_no_label_adds_a_line_or_a_cell(labels: list[str]) -> None:
    table = summary_table([(ResultRow(label, 1.0), label) for label in labels])
    lines = table.split("\n")
    assert lines.pop() == ""
    assert len(lines) == 2 + len(labels)
    assert {len(cells(line)) for line in lines} == {9}
    table.encode()


def test_japanese_lines_up_and_one_long_label_does_not_widen_the_rest() -> None:
    table = markdown_table(("label", "n"), [("ラン", "1"), ("run1", "22"), ("x" * 60, "3")], ("label",))
    assert table == (
        "| label |   n |\n| ----- | --: |\n| ラン  |   1 |\n| run1  |  22 |\n| " + "x" * 60 + " |   3 |\n"
    )


def test_files_and_globs_are_read_in_order_and_none_twice(tmp_path: Path) -> None:
    write(tmp_path, "b.csv", ResultRow("b1"), ResultRow("b2"))
    write(tmp_path, "a.csv", ResultRow("a"))
    write(tmp_path, "odd[1].csv", ResultRow("odd"))
    rows, problems = read_files([str(tmp_path / "odd[1].csv"), f"{tmp_path}/[ab].csv", f"{tmp_path}/b.csv"])
    assert [(row.label, source) for row, source in rows] == [
        ("odd", "odd[1].csv"),
        ("a", "a.csv"),
        ("b1", "b.csv"),
        ("b2", "b.csv"),
    ]
    assert problems == []


def test_files_of_one_name_are_distinguished_by_their_path(tmp_path: Path) -> None:
    for day in ("monday", "tuesday"):
        (tmp_path / day).mkdir()
        write(tmp_path / day, "local.csv", ResultRow(day))
    rows, _ = read_files([f"{tmp_path}/*/local.csv"])
    assert [source for _, source in rows] == [f"{tmp_path}/monday/local.csv", f"{tmp_path}/tuesday/local.csv"]


def test_the_script_prints_the_table_with_nothing_installed(tmp_path: Path) -> None:
    write(tmp_path, "20251125-local.csv", LOCAL, NO_P95)
    done = summarize("*.csv", folder=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, TABLE, "")


def test_the_script_names_broken_rows_by_file_and_line_and_prints_the_rest(tmp_path: Path) -> None:
    file = write(tmp_path, "20251125-local.csv", LOCAL, NO_P95)
    header, first, second = file.read_text(encoding="utf-8").splitlines(keepends=True)
    file.write_text(header + first + "broken,fast,,,,,,,,,\n" + second + "short\n", encoding="utf-8")
    done = summarize("20251125-local.csv", "absent.csv", folder=tmp_path)
    assert (done.returncode, done.stdout) == (1, TABLE)
    number, fields, absent = done.stderr.splitlines()
    assert number.startswith("20251125-local.csv:3: rps: 'fast' ")
    assert fields.startswith("20251125-local.csv:5: 1 ")
    assert absent.startswith("absent.csv: ")


def test_the_script_says_when_there_is_nothing_to_summarize(tmp_path: Path) -> None:
    done = summarize("results/*.csv", folder=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    unmatched, nothing = done.stderr.splitlines()
    assert unmatched.startswith("results/*.csv: ")
    assert nothing.startswith("summarize_csv.py: ")
    assert "--help" in nothing


def test_a_file_without_rows_is_nothing_to_summarize(tmp_path: Path) -> None:
    write(tmp_path, "empty.csv")
    done = summarize("empty.csv", folder=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")


def test_the_script_without_arguments_is_bad_usage(tmp_path: Path) -> None:
    done = summarize(folder=tmp_path)
    assert done.returncode == 2
    assert "FILE" in done.stderr


def test_the_help_has_columns_examples_and_exit_codes(tmp_path: Path) -> None:
    done = summarize("--help", folder=tmp_path)
    assert done.returncode == 0
    for text in (
        "label / rps / p95_ms / p99_ms / non2xx / socket_errors / requests / duration_s / source",
        "scripts/benchmarks/summarize_csv.py benchmarks/results/*.csv",
        "exit code:",
    ):
        assert text in done.stdout


def test_the_script_is_quiet_when_its_reader_closes_the_pipe(tmp_path: Path) -> None:
    write(tmp_path, "long.csv", *[LOCAL] * 5000)
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [sys.executable, str(SCRIPT), "long.csv"],
            cwd=tmp_path,
            stdout=writing,
            stderr=subprocess.PIPE,
            check=False,
        )
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")


def test_file_names_that_are_not_utf8_are_printed(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.csv")
    write(tmp_path, name, LOCAL)
    done = summarize("*.csv", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "| caf\ufffd.csv |" in done.stdout
