"""What wrk and hey print, changed in any way: never a traceback, and no number that the text does not say."""

import csv
import io
import math
import re
from collections.abc import Iterable

import pytest
from hey_text import parse_hey
from hypothesis import given
from hypothesis import strategies as st
from pasted import Parsed, decoded, lines_of
from wrk_text import parse_wrk

from exporter.live.results_csv import COLUMNS, ResultRow, rows_text
from tests.support.checkout import FIXTURES
from tests.support.mutations import LETTERS, mutated_bytes, mutated_lines

WRK = tuple(file.read_text("utf-8") for file in sorted((FIXTURES / "wrk").glob("*.txt")))
HEY = tuple(file.read_text("utf-8") for file in sorted((FIXTURES / "hey").glob("*")) if file.is_file())
OTHERS = (
    "Running 1s test @ x|Summary:|response-time,a|Count: 1|test @ a|\x1b[0|\x1b]0;|  Total: 1 secs|9| |\t|1."
    "|% in |Latency |99.9% |2 threads and |\u2028|0.5,"
)
PIECES = st.sampled_from(
    [*(line for text in WRK + HEY for line in text.splitlines(keepends=True)), "\n", *OTHERS.split("|")]
)
# A line, or what a regular expression may go through again and again.
LONG = st.builds(lambda head, piece, times, tail: head + piece * (times // len(piece)) + tail, PIECES, PIECES,
                 st.integers(0, 50_000), PIECES | LETTERS)  # fmt: skip
WRK_TEXTS = mutated_lines(WRK) | st.lists(PIECES, max_size=20).map("".join) | LONG
HEY_TEXTS = mutated_lines(HEY) | st.lists(PIECES, max_size=20).map("".join) | LONG
UNIT_MS = (1e-3, 1.0, 1e3, 6e4, 3.6e6)


def numbers_of(text: str) -> list[float]:
    """Every number that the text says, with a decimal point or comma."""
    plain = "\n".join(lines_of(text))
    return [float(number.replace(",", ".")) for number in re.findall(r"[0-9]+(?:[.,][0-9]+)?", plain)]


def is_one_of(value: float, numbers: Iterable[float]) -> bool:
    return any(math.isclose(value, number, rel_tol=1e-9, abs_tol=1e-12) for number in numbers)


def is_whole(row: ResultRow) -> None:
    """Every figure can be: finite, not below zero, written and read as CSV."""
    values = [getattr(row, name) for name in COLUMNS[1:]]
    assert all(value is None or (math.isfinite(value) and value >= 0) for value in values)
    [_, record] = csv.reader(io.StringIO(rows_text([row])))
    assert len(record) == len(COLUMNS)


def is_honest(parsed: Parsed, text: str) -> None:
    for said in [*parsed.failures, *parsed.notes]:
        assert said
        assert len(said) < 1000 + len(text)
    for row in parsed.rows:
        is_whole(row)


@given(WRK_TEXTS)
def test_every_figure_of_a_wrk_row_is_in_the_text(text: str) -> None:
    parsed = parse_wrk(text)
    is_honest(parsed, text)
    numbers = numbers_of(text) if parsed.rows else []
    signed = {number % 2**32 for number in numbers} | {-number % 2**32 for number in numbers}
    times = [number * unit for number in numbers for unit in UNIT_MS]
    for row in parsed.rows:
        for name in ("p50_ms", "p75_ms", "p90_ms", "p95_ms", "p99_ms"):
            value = getattr(row, name)
            assert value is None or is_one_of(value, times)
        assert row.rps is None or is_one_of(row.rps, numbers)
        assert row.duration_s is None or is_one_of(1000 * row.duration_s, times)
        assert is_one_of(row.requests or 0, [*numbers, 0])
        assert is_one_of(row.non2xx or 0, [*numbers, *signed, 0])
        if row.socket_errors:
            lines = re.findall(r"connect (-?\d+), read (-?\d+), write (-?\d+), timeout (-?\d+)", text)
            sums = [sum(int(n) % 2**32 if n[0] == "-" else int(n) for n in line) for line in lines]
            assert is_one_of(row.socket_errors, [*sums, *numbers])


@given(HEY_TEXTS)
def test_every_figure_of_a_hey_row_is_in_the_text_or_counted_from_it(text: str) -> None:
    parsed = parse_hey(text)
    is_honest(parsed, text)
    numbers = numbers_of(text) if parsed.rows else []
    times = [number * 1000 for number in numbers]
    lines = len(text.splitlines())
    for row in parsed.rows:
        for name in ("p50_ms", "p75_ms", "p90_ms", "p95_ms", "p99_ms"):
            value = getattr(row, name)
            assert value is None or is_one_of(value, times)
        if row.requests is not None and row.non2xx is not None:
            assert row.non2xx <= row.requests
            # Counts of a summary, or the lines of a CSV.
            assert row.requests <= max(sum(numbers), lines)
        if row.rps is not None and row.duration_s and row.requests is not None:
            computed = math.isclose(row.rps, row.requests / row.duration_s, rel_tol=1e-9)
            assert computed or is_one_of(row.rps, numbers)


@pytest.mark.parametrize("parse", [parse_wrk, parse_hey])
@given(text=st.text(LETTERS, max_size=300) | mutated_lines(WRK + HEY) | LONG)
def test_a_text_before_and_behind_a_whole_run_changes_none_of_its_figures_or_refuses_it(
    parse: object, text: str
) -> None:
    own = WRK if parse is parse_wrk else HEY
    read = parse_wrk if parse is parse_wrk else parse_hey
    run = next(each for each in own if len(read(each).rows) == 1 and not read(each).failures)
    [alone] = read(run).rows
    parsed = read(f"{text}\n{run}")
    is_honest(parsed, text + run)
    assert alone in parsed.rows or parsed.failures


@given(
    st.binary(max_size=300)
    | mutated_bytes(st.sampled_from(WRK + HEY).map(lambda text: text.encode("utf-16")))
)
def test_any_bytes_are_a_text(data: bytes) -> None:
    text = decoded(data)
    is_honest(parse_wrk(text), text)
    is_honest(parse_hey(text), text)
