"""exporter.live.results_csv: no input crashes it, nothing is lost silently, what is written is read again."""

import csv
import math
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.live.results_csv import COLUMNS, Problem, ResultRow, field_text, read_rows, rows_text
from exporter.plain_text import one_line

HEADER = "label,rps,p50_ms,p75_ms,p90_ms,p95_ms,p99_ms,non2xx,socket_errors,requests,duration_s\n"
LOCAL = "local,100.00,1.000,2.000,3.000,4.000,5.000,6,7,3000,30.00\n"
LOCAL_ROW = ResultRow("local", 100.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6, 7, 3000, 30.0)


def read(tmp_path: Path, content: str | bytes) -> tuple[list[ResultRow], list[str]]:
    """Rows, and problems as they are shown, without the folder."""
    file = tmp_path / "results.csv"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    rows, problems = read_rows(file)
    return rows, [str(problem).replace(f"{tmp_path}/", "") for problem in problems]


def test_the_columns_are_those_of_the_seed() -> None:
    assert ",".join(COLUMNS) + "\n" == HEADER == rows_text([])


def test_every_row_is_read_and_not_the_first_alone(tmp_path: Path) -> None:
    rows, problems = read(tmp_path, HEADER + LOCAL + LOCAL.replace("local", "openai") + "google,,,,,,,,,,\n")
    assert rows == [LOCAL_ROW, ResultRow("openai", *(LOCAL_ROW.__dict__[c] for c in COLUMNS[1:])),
                    ResultRow("google")]  # fmt: skip
    assert problems == []


def test_an_empty_field_is_unknown_and_zero_is_zero(tmp_path: Path) -> None:
    [row], _ = read(tmp_path, HEADER + "a,0,,,,,0.0,0,,,\n")
    assert (row.rps, row.p95_ms, row.p99_ms, row.non2xx, row.socket_errors) == (0.0, None, 0.0, 0, None)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("a,1,2\n", "3 fields under 11 columns"),
        (",1,,,,,,,,,\n", "label is empty"),
        ("a,fast,,,,,,,,,\n", "rps: 'fast' is not a number"),
        ("a,1_0,,,,,,,,,\n", "rps: '1_0' is not a number"),
        ("a,\u0661\u0662,,,,,,,,,\n", "rps: '\u0661\u0662' is not a number"),
        ("a,,,,,,-1,,,,\n", "p99_ms: '-1' is not a number of 0 or more"),
        ("a,nan,,,,,,,,,\n", "rps: 'nan' is not a number of 0 or more"),
        ("a,1e999,,,,,,,,,\n", "rps: '1e999' is not a number of 0 or more"),
        ("a,,,,,,,0.5,,,\n", "non2xx: '0.5' is not a whole number"),
        ('a,"1"2,,,,,,,,,\n', "not CSV (',' expected after '\"')"),
        ('"never closed,1,,,,,,,,,\n', "not CSV (',' expected after '\"')"),
        ("a" * 16_384 + ",,,,,,,,,,\n", "not CSV (a line of more than 16,384 characters)"),
    ],
)
def test_a_broken_row_is_named_by_its_line_and_costs_no_other(tmp_path: Path, line: str, why: str) -> None:
    quoted = LOCAL.replace("local", '"local"')
    rows, problems = read(tmp_path, HEADER + LOCAL + line + quoted + LOCAL)
    assert rows == [LOCAL_ROW] * 3
    assert problems == [f"results.csv:3: {why}"]


def test_a_quote_that_is_never_closed_costs_its_own_line(tmp_path: Path) -> None:
    rows, problems = read(tmp_path, HEADER + '"open,1,,,,,,,,,\n' + LOCAL * 50)
    assert rows == [LOCAL_ROW] * 50
    assert problems == ["results.csv:2: not CSV (a quote that is not closed in 20 lines)"]


def test_the_line_of_a_record_over_several_lines_is_its_first(tmp_path: Path) -> None:
    rows, problems = read(tmp_path, HEADER + '"two\nlines",1,,,,,,,,,\n' + '"a\nb",x,,,,,,,,,\n' + "c\n")
    assert [row.label for row in rows] == ["two\nlines"]
    assert problems == [
        "results.csv:4: rps: 'x' is not a number",
        "results.csv:6: 1 fields under 11 columns",
    ]


def test_files_that_were_put_together_are_read_on_over_the_second_header(tmp_path: Path) -> None:
    assert read(tmp_path, (HEADER + LOCAL) * 3) == ([LOCAL_ROW] * 3, [])


def test_blank_lines_a_byte_order_mark_and_windows_line_ends_do_no_harm(tmp_path: Path) -> None:
    content = ("\ufeff\n" + HEADER + "\n  \n" + LOCAL + "\n").replace("\n", "\r\n")
    assert read(tmp_path, content) == ([LOCAL_ROW], [])


def test_other_columns_are_ignored_and_those_that_lack_are_unknown(tmp_path: Path) -> None:
    content = "host, label ,p99_ms\nserver, local , 5.5 \n"
    assert read(tmp_path, content) == ([ResultRow("local", p99_ms=5.5)], [])


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "results.csv: empty"),
        (b"\n \n", "results.csv: empty"),
        (b"time,value\n1,2\n", "results.csv:1: no column `label`: not a results file"),
        (b'"label\nx,1\n', "results.csv:1: not CSV (unexpected end of data)"),
        (b"label\n\xff\n", "results.csv:2: not CSV (a line that is not UTF-8 text)"),
        ("label\na\n".encode("utf-16"), "results.csv:1: not CSV (a line that is not UTF-8 text)"),
    ],
)  # fmt: skip
def test_what_is_no_results_file_is_reported_once(tmp_path: Path, content: bytes, problem: str) -> None:
    assert read(tmp_path, content) == ([], [problem])


def test_a_file_that_is_not_there_or_is_a_folder_is_named(tmp_path: Path) -> None:
    missing = tmp_path / "none.csv"
    assert read_rows(missing) == (
        [],
        [Problem(missing, 0, "cannot be read (No such file or directory)")],
    )
    assert read_rows(tmp_path) == ([], [Problem(tmp_path, 0, "cannot be read (Is a directory)")])


def test_a_problem_is_one_line_whatever_the_name_of_its_file() -> None:
    assert str(Problem(Path("a\nb\x1b[31m.csv"), 7, "broken")) == "a b\ufffd[31m.csv:7: broken"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("plain ラン 🎉", "plain ラン 🎉"),
        ("a\r\n\tb", "a   b"),
        ("\x00\x1b\x7f\x9b", "\ufffd" * 4),
        ("\u2028\u2029\x85", "   "),
        ("\u202eabc\u2066", "\ufffdabc\ufffd"),
        ("\udcff", "\ufffd"),
    ],
)
def test_one_line_leaves_nothing_that_breaks_a_line_or_a_terminal(text: str, line: str) -> None:
    assert one_line(text) == line


@pytest.mark.parametrize(
    ("non2xx", "socket_errors", "requests", "ratio"),
    [
        (0, 0, 100, 0.0),
        (10, 0, 100, 0.1),
        (0, 100, 100, 0.5),
        (100, 100, 100, 1.0),
        (0, 5, 0, 1.0),
        (0, 0, 0, None),
        (None, 0, 100, None),
        (0, None, 100, None),
        (0, 0, None, None),
    ],
)
def test_the_failure_ratio_is_of_all_that_were_sent(
    non2xx: int | None, socket_errors: int | None, requests: int | None, ratio: float | None
) -> None:
    row = ResultRow("a", non2xx=non2xx, socket_errors=socket_errors, requests=requests)
    assert row.failure_ratio == ratio


@given(st.binary(max_size=600))
def test_no_bytes_crash_it(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "any.csv"
        file.write_bytes(content)
        rows, problems = read_rows(file)
    assert rows or problems or content.strip().count(b"\n") == 0
    assert all(problem.file == file and problem.text for problem in problems)


@given(st.text(alphabet='a1,."\n\r -eE\x00', max_size=300))
def test_no_body_under_a_header_crashes_it(body: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "any.csv"
        file.write_text(HEADER + body, encoding="utf-8", newline="")
        rows, problems = read_rows(file)
    for row in rows:
        assert row.label.strip()
        assert all(value is None or (value >= 0 and math.isfinite(value)) for value in numbers(row))
    lines = [problem.line for problem in problems]
    assert lines == sorted(set(lines))


def numbers(row: ResultRow) -> list[float | None]:
    return [getattr(row, name) for name in COLUMNS[1:]]


LABELS = st.text(min_size=1, max_size=15).filter(
    lambda label: one_line(label).strip() == one_line(label) != ""
)
FLOATS = st.none() | st.floats(min_value=0, max_value=1e9)
COUNTS = st.none() | st.integers(min_value=0, max_value=2**53)
ROWS = st.builds(
    ResultRow, LABELS, *[FLOATS] * 6, non2xx=COUNTS, socket_errors=COUNTS, requests=COUNTS, duration_s=FLOATS
)


@given(st.lists(ROWS, max_size=8))
def test_what_was_written_is_read_again_within_rounding(rows: list[ResultRow]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "results.csv"
        file.write_text(rows_text(rows), encoding="utf-8", newline="")
        found, problems = read_rows(file)
    assert problems == []
    assert [row.label for row in found] == [one_line(row.label) for row in rows]
    for before, after in zip(rows, found, strict=True):
        for name, value, again in zip(COLUMNS[1:], numbers(before), numbers(after), strict=True):
            if value is None or isinstance(value, int):
                assert again == value
            else:
                half = 0.005 if name in ("rps", "duration_s") else 0.0005
                assert again == pytest.approx(value, abs=half * 1.001)


def test_the_text_is_what_any_csv_reader_reads() -> None:
    row = ResultRow('a,"b" c', rps=1.005, p95_ms=None, p99_ms=61.2349, requests=12)
    [header, record] = list(csv.reader(rows_text([row]).splitlines(keepends=True)))
    assert header == list(COLUMNS)
    assert record == ['a,"b" c', "1.00", "", "", "", "", "61.235", "", "", "12", ""]
    assert [field_text(name, getattr(row, name)) for name in COLUMNS] == record
