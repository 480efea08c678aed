"""What a run records of an exporter: any text is a scrape or a failed one, and what is kept can be loaded."""

import math
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import requests
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics

from exporter.results.openmetrics import openmetrics_text
from exporter.run.http_answer import Answer
from exporter.run.recorder import Recorder
from exporter.run.spool import SpooledStore
from tests.support.checkout import GOLDEN
from tests.support.clocks import FakeClock
from tests.support.mutations import TEXTS, WRITABLE, mutated_bytes, mutated_lines
from tests.support.waiting import need

EXPOSITION = (GOLDEN / "exposition.txt").read_text("utf-8")
FEW = "".join(EXPOSITION.splitlines(keepends=True)[:40])
BUILT = """\
# HELP a Some "text" \\\\ and \\n
# TYPE a counter
a_total{x="1",y="b\\"c\\\\"} 1e3 1764000000000
# TYPE h histogram
h_bucket{le="0.5"} 1
h_bucket{le="+Inf"} 2
h_sum 3
h_count 2
{"quoted name",x="1"} 4
{"a","odd label"="x"} NaN
b{job="j",instance="i",exported_job="k"} +Inf
"""
LABELLED = st.builds(
    lambda name, label, value, number: f"{name}{{{label}={value}}} {number}\n",
    st.sampled_from(["a", "b:c", '"a b"', '"a\nb"', "", "a{"]) | TEXTS,
    st.sampled_from(["job", "instance", "exported_job", "__name__", "le", '"odd label"', "1"]) | TEXTS,
    st.sampled_from(['"x"', '""', '"\\\\"', "x", '"']) | WRITABLE.map(lambda text: f'"{text}"'),
    st.sampled_from(["1", "-0", "NaN", "+Inf", "1e400", "1 2", "1 2 3", "0x1", "1_0", ""]),
)
BODIES = (
    st.binary(max_size=200)
    | mutated_lines([FEW, BUILT]).map(lambda text: text.encode("utf-8", "surrogatepass"))
    | mutated_bytes(st.sampled_from([FEW, BUILT]).map(str.encode))
    | st.lists(LABELLED, max_size=6).map(lambda lines: "".join(lines).encode("utf-8", "surrogatepass"))
)


class Given:
    """Answers that a test gives, in the place of HTTP."""

    def __init__(self, *bodies: bytes) -> None:
        self._bodies = list(bodies)

    def ask(self, *_: Any) -> Answer:
        return Answer(200, self._bodies.pop(0))


def recorded(*bodies: bytes) -> tuple[Recorder, SpooledStore]:
    """A recorder that has scraped these bodies, five seconds apart."""
    clock, store = FakeClock(), SpooledStore([])
    recorder = Recorder("http://127.0.0.1:9", 5.0, clock, requests.Session(), store)
    recorder._http = Given(*bodies)  # type: ignore[assignment]
    for _ in bodies:
        recorder.scrape()
        clock.advance(5)
    return recorder, store


@given(BODIES, BODIES)
def test_any_text_is_a_scrape_or_a_failed_one_and_what_is_kept_is_openmetrics(
    first: bytes, then: bytes
) -> None:
    recorder, store = recorded(first, then, first)
    assert recorder.scrapes + recorder.failed_scrapes == 3
    text = "".join(openmetrics_text(store, job="exporter", instance="127.0.0.1:9877"))
    read = {
        (sample.name, *sorted(sample.labels.items()), str(sample.timestamp)): sample.value
        for family in parse_openmetrics(text)
        for sample in family.samples
    }
    kept = [
        (value, time) for series in store for value, time in zip(series.values, series.times, strict=True)
    ]
    assert len(read) == len(kept)
    assert sorted(map(repr, read.values())) == sorted(repr(value) for value, _ in kept)


@given(st.lists(LABELLED, max_size=6), mutated_lines([FEW, BUILT]))
def test_promtool_loads_what_is_kept(lines: list[str], text: str) -> None:
    need("promtool")
    bodies = [each.encode("utf-8", "surrogatepass") for each in ("".join(lines), text, FEW)]
    _, store = recorded(*bodies, *bodies)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "series.om"
        file.write_text("".join(openmetrics_text(store, job="exporter", instance="i")), encoding="utf-8")
        done = subprocess.run(
            ["promtool", "tsdb", "create-blocks-from", "openmetrics", str(file), f"{folder}/data"],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 0, done.stderr


@given(st.lists(st.tuples(WRITABLE, st.floats()), max_size=5, unique_by=lambda each: each[0]))
def test_what_an_exporter_says_is_what_is_kept(series: list[tuple[str, float]]) -> None:
    escaped = [
        (text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"'), number)
        for text, number in series
    ]
    body = "".join(f'level{{name="{text}"}} {number!r}\n' for text, number in escaped)
    recorder, store = recorded(body.encode())
    assert recorder.failed_scrapes == 0
    kept = {found.label("name"): found.values[0] for found in store.select("level")}
    assert kept.keys() == {text for text, _ in series}
    for text, number in series:
        assert kept[text] == number or (math.isnan(kept[text]) and math.isnan(number))
