"""exporter.results.html_report: its figures are those of the files, and no text of others acts on it."""

import base64
import hashlib
import json
import math
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.live.results_csv import read_rows
from exporter.live.seconds import Seconds
from exporter.results.folder import claim
from exporter.results.html_report import html_report, write_report
from exporter.results.run_document import parse_document
from exporter.results.run_files import write_results
from exporter.results.run_json import run_json
from exporter.results.run_record import RUNTIME, SHOWN, RunRecord, picked, read_record, record_of
from exporter.results.run_result import RunResult
from exporter.timeseries import SeriesStore
from exporter.verdict.evidence import AlertSpan
from exporter.verdict.finding import Finding, Outcome, Said
from exporter.verdict.judgement import Judgement
from tests.support.checkout import FIXTURES
from tests.support.eventful_hour import eventful_hour
from tests.support.live_messages import run_info
from tests.support.run_results import evidence, run_inputs, run_result

HOSTILE = """</style></svg><script>alert(1)</script><img src=x onerror="a()">'"&\u202e\x1b[31m\u2028{{7*7}}"""


class Page(HTMLParser):
    """A page's elements with their attributes, its text, and its cells by row."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.rows: list[list[str]] = []
        self.text = ""
        self._in_style = self._in_cell = False
        self.style = ""
        self.figures: dict[str, str] = dict(re.findall(r"<dt>([^<]*)</dt><dd>([^<]*)</dd>", text))
        """what stands at the top, and facts"""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        self._in_style = tag == "style"
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self._in_cell = True
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        self._in_style = False
        self._in_cell = self._in_cell and tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        if self._in_style:
            self.style += data
            return
        self.text += data
        if self._in_cell:
            self.rows[-1][-1] += data

    def row(self, first: str) -> list[str]:
        """The one row that begins so."""
        (found,) = (row for row in self.rows if row and row[0] == first)
        return found


def page(record: RunRecord) -> Page:
    return Page(html_report(record))


def written(result: RunResult, folder: Path) -> Path:
    """The folder of the run, with its files."""
    published = write_results(result, claim(folder, "20251124-nightly"), folder)
    assert (published.problem, published.notes) == ("", ())
    return published.files["run"].parent


def of(result: RunResult) -> RunRecord:
    return record_of(result, "20251124-nightly", ())


@pytest.mark.usefixtures("in_tokyo")
def test_its_figures_are_those_of_run_json_the_record_and_the_csv(tmp_path: Path) -> None:
    folder = written(eventful_hour(), tmp_path)
    found = page(read_record(folder))
    figures = found.figures
    [row], problems = read_rows(Path(f"{folder}.csv"))
    assert not problems
    assert row.non2xx and row.socket_errors
    expected = {
        "successes a second (rps)": f"{row.rps:.2f}",
        "p50": f"{row.p50_ms:.3f} ms",
        "p75": f"{row.p75_ms:.3f} ms",
        "p90": f"{row.p90_ms:.3f} ms",
        "p95": f"{row.p95_ms:.3f} ms",
        "p99": f"{row.p99_ms:.3f} ms",
        "responses": str(row.requests),
        "not 2xx": str(row.non2xx),
        "without a response": str(row.socket_errors),
        "load": f"{row.duration_s:.2f} s",
    }
    assert {name: figures[name] for name in expected} == expected
    known = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    requests, failures = known["evidence"]["requests"], known["evidence"]["failures"]
    assert sum(requests.values()) == row.requests
    assert f"{known['evidence']['success_requests_per_second']:.2f}" == f"{row.rps:.2f}"
    for status, count in known["evidence"]["statuses"].items():
        if status != "200":
            assert found.row(f"HTTP {status}")[1] == f"{count:,}"
    for reason, count in failures.items():
        if count:
            assert found.row(reason)[1] == f"{count:,}"
    record = Path(f"{folder}.md").read_text(encoding="utf-8")
    assert f"RPS: {figures['successes a second (rps)']}\n" in record
    assert f"p95: {row.p95_ms:.2f} ms / p99: {row.p99_ms:.2f} ms\n" in record
    assert f"失敗: {row.non2xx + row.socket_errors} " in record
    for each in known["verdict"]["findings"]:
        assert each["text"] in found.text
    assert known["verdict"]["outcome"] == "fail"
    sentence = (
        "fail: answers, disconnects, memory; warning: latency; gpu_memory not judged: no GPU is watched"
    )
    assert sentence in found.text


def test_from_its_files_the_same_page_is_made_again(tmp_path: Path) -> None:
    folder = written(eventful_hour(600), tmp_path)
    before = (folder / "report.html").read_text(encoding="utf-8")
    others = {path: path.read_bytes() for path in tmp_path.rglob("*.*") if path.name != "report.html"}
    (folder / "report.html").write_text("gone")
    assert write_report(read_record(folder), folder) == folder / "report.html"
    assert (folder / "report.html").read_text(encoding="utf-8") == before
    assert {path: path.read_bytes() for path in others} == others
    assert sorted(each.name for each in folder.iterdir()) == [
        "engine-output.txt", "plot.png", "report.html", "run.json", "seconds.jsonl.gz", "series.om.gz",
    ]  # fmt: skip


def test_findings_stand_with_figure_bound_and_times_what_failed_first() -> None:
    found = page(of(eventful_hour()))
    head = found.rows.index(["outcome", "check", "why", "figure", "bound", "when"])
    rows = found.rows[head + 1 : head + 7]
    assert [row[:2] for row in rows] == [
        ["fail", "answers"],
        ["fail", "disconnects"],
        ["fail", "memory"],
        ["warning", "latency"],
        ["pass", "completeness"],
        ["not judged", "gpu_memory"],
    ]
    assert rows[0][3:] == ["5.3 %", "1 %", "21:15–21:45"]
    assert rows[1][3:] == ["15 s", "10 s", "55:00–55:15"]
    assert rows[2][3:] == ["42.1 MiB/h", "4 MiB/h", ""]
    assert rows[3][3:] == ["183 ms", "91.5 ms", "40:00–50:00"]


def test_failures_windows_processes_and_collections_stand_in_tables() -> None:
    found = page(of(eventful_hour()))
    assert found.row("HTTP 502")[1:] == ["180", "21:15", "21:44"]
    assert found.row("read")[1:] == ["5", "11:40", "58:24"]
    window = found.row("20:00 – 25:00")
    assert (window[1], window[5], window[7]) == ("40.0", "12,000", "300 of 300")
    assert found.row("40:00 – 45:00")[4].endswith(" ms")
    slow, calm = (
        float(found.row(each)[4].removesuffix(" ms")) for each in ("40:00 – 45:00", "35:00 – 40:00")
    )
    assert slow == pytest.approx(3 * calm, rel=0.15)
    router = found.row("router")
    assert router[1] == "router"
    assert float(router[5].removesuffix(" MiB")) == pytest.approx(42.1, rel=0.05)
    # 40 requests a second: 144 thousand an hour.
    assert float(router[6].removesuffix(" KiB")) == pytest.approx(42.1 * 1024 / 143.6, rel=0.05)
    assert found.row("go_gc_duration_seconds_count")[1] == "366 collections"
    assert found.row("go_gc_duration_seconds_sum")[1:] == ["7.320 s paused", "0.200% of the time"]
    assert found.row("go_memstats_heap_inuse_bytes")[2] == "at most 33.8 MiB"
    assert found.row("node-2")[1] == "98.5%"
    assert found.row("0: Stub 24GB")[2] == "at most 9,000 of 24,576 MiB"


def test_an_hour_of_twenty_series_is_at_most_400_kb() -> None:
    record = of(eventful_hour())
    assert sum(1 for _ in record.series) >= 20
    assert len(html_report(record).encode()) < 400_000


def test_the_page_asks_for_nothing_and_runs_nothing() -> None:
    found = page(of(eventful_hour(60)))
    tags = {tag for tag, _ in found.elements}
    assert not tags & {
        "script",
        "img",
        "iframe",
        "link",
        "object",
        "embed",
        "base",
        "form",
        "foreignobject",
        "use",
    }
    for tag, attributes in found.elements:
        assert not [
            name for name in attributes if name.startswith("on") or name in ("style", "src", "xlink:href")
        ]
        assert tag == "a" or "href" not in attributes
    (policy,) = (
        a["content"] for tag, a in found.elements if a.get("http-equiv") == "Content-Security-Policy"
    )
    digest = base64.b64encode(hashlib.sha256(found.style.encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    assert "url(" not in found.style and "@import" not in found.style


def hostile_run() -> RunResult:
    """Text of others wherever there can be some."""
    known = eventful_hour(30).evidence
    store = SeriesStore()
    for series in known.series:
        for time, value in zip(series.times, series.values, strict=True):
            labels = {
                name: f"{text}{HOSTILE}" if name not in ("role", "mode") else text
                for name, text in series.labels
            }
            store.add(series.name, labels, time, value)
            store.add(series.name, dict(series.labels), time, value)
    known = replace(
        known,
        series=store,
        statuses={"200": 1, f"5{HOSTILE}": 3},
        others={"0123456789abcdef": HOSTILE},
        alerts=(AlertSpan(1_764_000_001.0, 1_764_000_002.0, HOSTILE, HOSTILE, True, {HOSTILE: HOSTILE}),),
    )
    finding = Finding("answers", Outcome.FAIL, Said(HOSTILE, HOSTILE), 1.0, 2.0, HOSTILE)
    result = run_result(known, info=run_info(model=HOSTILE), soak_command=HOSTILE, command=("wrk", HOSTILE))
    return replace(
        result,
        judgement=Judgement(Outcome.FAIL, (finding,)),
        versions={HOSTILE: HOSTILE},
        inputs=run_inputs(result, model=HOSTILE, script=HOSTILE, headers=(HOSTILE,)),
    )


def test_text_of_others_is_shown_as_text_wherever_it_stands() -> None:
    text = html_report(record_of(hostile_run(), HOSTILE, ("../" + HOSTILE + ".csv",)))
    plain = Page(html_report(record_of(eventful_hour(30), "a", ("../a.csv",))))
    found = Page(text)
    known = {(tag, name) for tag, attributes in plain.elements for name in attributes}
    assert {(tag, name) for tag, attributes in found.elements for name in attributes} <= known
    assert {tag for tag, _ in found.elements} <= {tag for tag, _ in plain.elements}
    assert found.style == plain.style
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u202e]", text)
    assert "<script>alert(1)</script>" in found.text
    assert "{{7*7}}" in found.text
    (link,) = (attributes["href"] for tag, attributes in found.elements if tag == "a")
    assert re.fullmatch(r"\.\./[A-Za-z0-9%._~/-]+", link)


def test_what_is_not_known_is_a_dash_and_never_zero() -> None:
    nothing: dict[str, Any] = dict.fromkeys(("0.5", "0.75", "0.9", "0.95", "0.99", "0.999"))
    known = evidence(measured_seconds=0.0, series=SeriesStore())
    figures = page(of(run_result(known, quantiles=nothing))).figures
    assert figures["successes a second (rps)"] == "–"
    assert figures["p99"] == "–"
    assert figures["responses"] == "1000"


def test_a_run_that_is_incomplete_says_so_above_all() -> None:
    record = of(run_result())
    killed = replace(parse_document(run_json(run_result())), incomplete="the command was killed at 00:31")
    found = Page(html_report(replace(record, document=killed)))
    assert "Incomplete: the command was killed at 00:31." in found.text
    assert "Incomplete" not in Page(html_report(record)).text


def test_the_folder_of_an_earlier_release_becomes_a_page() -> None:
    folder = FIXTURES / "earlier" / "20261129-earlier"
    found = page(read_record(folder))
    assert found.figures["successes a second (rps)"] == "177.31"
    assert found.figures["p99"] == "56.447 ms"
    assert "This run has no record by the second: windows are not known." in found.text
    assert [a["href"] for tag, a in found.elements if tag == "a"] == [
        "../20261129-earlier.csv", "../20261129-earlier.md", "run.json", "series.om.gz",
    ]  # fmt: skip


NUMBERS = st.floats(width=64) | st.sampled_from([0.0, 5e-324, 1.7e308, -1.0, math.inf, math.nan])
TIMES = st.floats(1e9, 4.1e9)


@st.composite
def strange_series(draw: st.DrawFn) -> SeriesStore:
    """Series of every name that is shown, with any times and values."""
    store = SeriesStore()
    for name in sorted(SHOWN | RUNTIME):
        labels = {"process": "router", "role": "router", "mode": "idle", "node": "a", "gpu": "0"}
        labels |= {"quantile": "0.99", "status_class": "2xx", "state": "established"}
        if name in RUNTIME:
            labels["job"] = "router"
        for time in sorted(set(draw(st.lists(TIMES, min_size=1, max_size=4)))):
            store.add(name, labels, time, draw(NUMBERS))
    return store


SPANS = st.tuples(st.floats(0, 4.1e9), st.floats(0, 4.1e9))


@settings(max_examples=40)
@given(
    series=strange_series(),
    spans=st.lists(SPANS, max_size=4),
    figure=st.floats(allow_nan=False, allow_infinity=False),
    measured=st.floats(0, 3e7),
    start=st.floats(0, 4.1e9),
    latency=st.none() | st.floats(0, 3e7),
)
def test_whatever_a_record_says_it_becomes_a_page_and_a_picture(
    series: SeriesStore,
    spans: list[tuple[float, float]],
    figure: float,
    measured: float,
    start: float,
    latency: float | None,
) -> None:
    document = json.loads(run_json(eventful_hour(30)))
    document["run"]["start_timestamp_seconds"] = start
    known = document["evidence"]
    known |= {"measured_seconds": measured, "latency_seconds_2xx": {"0.99": latency}}
    known["phases"] = [{"since": since, "until": until, "phase": "load"} for since, until in spans]
    known["success_gaps"] = [{"since": since, "until": until} for since, until in spans]
    for each in document["verdict"]["findings"]:
        each |= {"figure": figure, "bound": -figure, "spans": known["success_gaps"]}
    record = RunRecord("a", parse_document(json.dumps(document)), picked(series), Seconds(), ())
    text = html_report(record)
    Page(text)
    assert not re.search(r"[ML ,](-?inf|nan)", "".join(re.findall(r' d="([^"]*)"', text)))
    assert len(text) < 400_000
