"""Results CSVs of anybody: any bytes give rows that are in them, and problems with their lines."""

import math
import re
import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from exporter.clock import SystemClock
from exporter.collectors.benchmark.results import MAX_ROWS, ResultsCollector
from exporter.exposition.text_format import TextFormat
from exporter.live.results_csv import COLUMNS, read_rows, rows_text
from tests.support.mutations import NUMBERS, TEXTS, mutated_bytes, mutated_lines

HEAD = ",".join(COLUMNS)
FILES = (
    f"{HEAD}\nlocal,893.4,20.3,25.1,31.0,43.1,58.5,3,0,26802,30.0\n'=1+1,1,1,1,1,1,1,0,0,1,1\n",
    'label,rps,extra\n"two\nlines",1.5,"a,b"\nlabel,rps,extra\nx,,\n\n',
    "\ufefflabel,requests\r\na,12\r\nb,1e3\r\n",
)
CELLS = NUMBERS | TEXTS | st.sampled_from(["1e308", "1e-320", "9" * 400, " 7 ", "12.0", "1.5", '"', '"a'])
RECORDS = st.sampled_from([11, 11, 11, 1, 12]).flatmap(
    lambda size: st.lists(CELLS, min_size=size, max_size=size)
)
ROWS = st.lists(RECORDS.map(",".join), max_size=8).map(lambda rows: "\n".join([HEAD, *rows]))
CONTENTS = (
    st.binary(max_size=200)
    | mutated_bytes(st.sampled_from(FILES).map(str.encode))
    | (mutated_lines(FILES) | ROWS).map(lambda text: text.encode("utf-8", "surrogatepass"))
)


@given(CONTENTS)
def test_any_bytes_give_rows_that_are_in_them_and_problems_with_their_lines(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "20251125-x.csv"
        file.write_bytes(content)
        rows, problems = read_rows(file)
        assert all(
            0 <= problem.line <= content.count(b"\n") + content.count(b"\r") + 1 for problem in problems
        )
        text = content.decode("utf-8", "replace")
        numbers = {
            float(number) for number in re.findall(r"[0-9.]+(?:[eE][+-]?[0-9]+)?", text) if _is_number(number)
        }
        for row in rows:
            assert row.label
            for value in (getattr(row, name) for name in COLUMNS[1:]):
                assert value is None or (math.isfinite(value) and value in numbers)
            if row.failure_ratio is not None:
                assert row.failure_ratio >= 0
        # What is written of them is read again with the same rows.
        again = Path(folder) / "again.csv"
        again.write_text(rows_text(rows), encoding="utf-8", newline="")
        kept, refused = read_rows(again)
        assert len(kept) + len(refused) == len(rows)
        families = [*ResultsCollector(Path(folder), SystemClock()).collect()]
        assert TextFormat().plain(families)
        by_name = {family.name: family.samples for family in families}
        assert len(by_name["benchmark_result_timestamp_seconds"]) <= MAX_ROWS
        assert all(math.isfinite(sample.value) for samples in by_name.values() for sample in samples)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
