"""Names of others in /metrics: what is written parses back to exactly the values that were put in."""

import html.parser
import json
import math
import subprocess
from collections.abc import Iterable
from typing import Any
from unittest.mock import patch

from hypothesis import assume, given
from hypothesis import strategies as st
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from exporter.clock import SystemClock
from exporter.collectors.benchmark.load import LoadCollector
from exporter.collectors.benchmark.results import named_rows
from exporter.collectors.collector import LiveLoad
from exporter.collectors.priority import RightOfWay
from exporter.collectors.router.probe import Answer, HttpProbe
from exporter.collectors.router.router import RouterCollector
from exporter.exposition.landing import landing_page
from exporter.exposition.last_hour import LastHour
from exporter.exposition.live_state import LiveState
from exporter.exposition.text_format import TextFormat
from exporter.live.ingest import Ingest
from exporter.live.message import Pair, Route
from exporter.live.results_csv import ResultRow
from exporter.live.runs import LiveRuns
from exporter.plain_text import one_line
from tests.support.clocks import FakeClock
from tests.support.live_messages import RUN, answered, register
from tests.support.mutations import ACTING, TEXTS, WRITABLE
from tests.support.raw_router import reader_of
from tests.support.waiting import need
from tests.support.watching import watch_of

NUMBERS = st.floats() | st.integers(-(2**70), 2**70).map(float)
PROMETHEUS_ESCAPES = {"\\": "\\", "n": "\n", '"': '"'}


def strictly_parsed(text: str) -> list[tuple[str, dict[str, str], str]]:
    """Samples by the rules of Prometheus's text format, letter by letter; ValueError for anything else.

    Source: prometheus.io, "Exposition formats": lines end in a line feed alone; in values of labels that, the
    quotation mark and the backslash are escaped.
    """
    found = []
    lines = text.split("\n")
    if lines.pop() != "":
        raise ValueError("the last line has no end")
    for line in lines:
        if line.startswith("#"):
            continue
        name_end = min(at for at in (line.find("{"), line.find(" ")) if at >= 0)
        name, at, labels = line[:name_end], name_end, dict[str, str]()
        if line[at] == "{":
            at += 1
            while line[at] != "}":
                equals = line.index("=", at)
                label = line[at:equals]
                if line[equals + 1] != '"' or not label.isidentifier() or label in labels:
                    raise ValueError(line)
                at, value = equals + 2, ""
                while line[at] != '"':
                    value += PROMETHEUS_ESCAPES[line[at + 1]] if line[at] == "\\" else line[at]
                    at += 2 if line[at] == "\\" else 1
                labels[label] = value
                at += 1
                if line[at] == ",":
                    at += 1
            at += 1
        if line[at] != " " or not name.isidentifier():
            raise ValueError(line)
        number = line[at + 1 :]
        if " " in number:
            raise ValueError(line)
        found.append((name, labels, number))
    return found


def same(one: float, other: float) -> bool:
    return one == other or (math.isnan(one) and math.isnan(other))


def comes_back(families: Iterable[Metric]) -> str:
    """All three readings of what is written are the samples that were put in; the plain text."""
    kept = list(families)
    samples = [(sample.name, sample.labels, sample.value) for family in kept for sample in family.samples]
    text = TextFormat().plain(kept).decode()
    read = [
        [(name, labels, float(number)) for name, labels, number in strictly_parsed(text)],
        [(s.name, s.labels, s.value) for family in parse_text(text) for s in family.samples],
        [
            (s.name, s.labels, s.value)
            for family in parse_openmetrics(TextFormat().openmetrics(kept).decode())
            for s in family.samples
        ],
    ]
    for found in read:
        assert [each[:2] for each in found] == [each[:2] for each in samples]
        assert all(same(a[2], b[2]) for a, b in zip(found, samples, strict=True))
    return text


@given(
    st.lists(st.tuples(WRITABLE, WRITABLE, NUMBERS), max_size=5, unique_by=lambda each: each[:2]), WRITABLE
)
def test_labels_and_numbers_of_any_kind_come_back(series: list[tuple[str, str, float]], words: str) -> None:
    gauge = GaugeMetricFamily("level", words, labels=["zeta", "alpha"])
    counter = CounterMetricFamily("requests_total", words, labels=["status"])
    for zeta, alpha, number in series:
        gauge.add_metric([zeta, alpha], number)
    for zeta in {zeta for zeta, _, _ in series}:
        counter.add_metric([zeta], 1.0)
    comes_back([gauge, counter, InfoMetricFamily("build", words, value={"version": words})])


PAIRS = st.lists(st.builds(Pair, st.sampled_from(Route), WRITABLE), min_size=1, max_size=4, unique=True)


@given(PAIRS, WRITABLE, WRITABLE)
def test_models_labels_and_targets_of_any_kind_come_back(pairs: list[Pair], label: str, target: str) -> None:
    runs = LiveRuns(FakeClock())
    register(runs, pairs=tuple(pairs), label=label, target=target)
    runs.apply(answered({"2xx": [100]}))
    load = LiveLoad(runs, Ingest(runs.apply))
    comes_back(LoadCollector(load, FakeClock()).collect())
    page = Texts()
    clock = FakeClock()
    state = LiveState(runs, LastHour(runs, clock), watch_of(), clock).of(RUN, 0)
    page.feed(landing_page(watch_of(), state, ("RouterDown",)))
    shown = dict(zip(page.found["th"], page.found["td"], strict=True))
    models = ", ".join(each.model for each in pairs)
    assert (shown["label"], shown["target"], shown["model"]) == (label, target, models)


OUR_ELEMENTS = [
    "html",
    "head",
    "meta",
    "title",
    "link",
    "body",
    "h1",
    "h2",
    "p",
    "ul",
    "li",
    "a",
    "code",
    "table",
    "tr",
    "th",
    "td",
]


class Texts(html.parser.HTMLParser):
    """The texts of a page by their elements; no element that a text brought."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, list[str]] = {"th": [], "td": []}
        self._in: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in OUR_ELEMENTS
        assert all(
            name in ("lang", "charset", "name", "content", "href", "rel", "class") for name, _ in attrs
        )
        if tag in self.found:
            self.found[tag].append("")
            self._in = tag

    def handle_endtag(self, tag: str) -> None:
        self._in = None

    def handle_data(self, data: str) -> None:
        if self._in is not None:
            self.found[self._in][-1] += data


@given(st.lists(TEXTS, max_size=8), st.lists(TEXTS, max_size=3))
def test_node_names_of_any_kind_come_back_or_are_made_fit(names: list[str], statuses: list[str]) -> None:
    nodes = [{"machine_name": name, "status": "online", "active_requests": 1} for name in names]
    nodes += [{"name": "fixed", "status": status} for status in statuses]
    body = json.dumps({"nodes": nodes}).encode()
    with patch.object(HttpProbe, "get", lambda *_: Answer(200, body)):
        reader = reader_of("http://127.0.0.1")
        reading = reader.read()
    families = [*RouterCollector(reader, SystemClock(), RightOfWay()).families_of(reading, 0.0)]
    text = comes_back(families)
    up = {labels["node"] for name, labels, _ in strictly_parsed(text) if name == "router_node_up"}
    fit = {name.strip() for name in names if name.isprintable() and name.strip()}
    assert fit <= up
    assert all(name.isprintable() and 0 < len(name) <= 64 for name in up)


@given(st.lists(st.tuples(TEXTS, TEXTS), max_size=8))
def test_labels_and_file_names_of_past_results_come_back_each_its_own(
    given_rows: list[tuple[str, str]],
) -> None:
    rows = named_rows([(ResultRow(label), file_name, 1.0) for label, file_name in given_rows])
    assert len({(row.label, row.source) for row in rows}) == len(rows) == len(given_rows)
    gauge = GaugeMetricFamily("benchmark_result_requests", "x", labels=["label", "source"])
    for row in rows:
        gauge.add_metric([row.label, row.source], 1.0)
        assert row.label == one_line(row.label)
    comes_back([gauge])


@given(st.lists(WRITABLE, min_size=1, max_size=30, unique=True))
def test_promtool_takes_it(names: list[str]) -> None:
    need("promtool")
    assume(any(letter in name for letter in ACTING for name in names))
    runs = LiveRuns(FakeClock())
    register(runs, pairs=tuple(Pair(Route.LOCAL, name) for name in names[:16]), label=names[0])
    text = TextFormat().plain(LoadCollector(LiveLoad(runs, Ingest(runs.apply)), FakeClock()).collect())
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=text, capture_output=True, timeout=60, check=False
    )
    # 3 is its opinion on names; 1 that it cannot be parsed.
    assert done.returncode in (0, 3), done.stderr


def test_the_strict_reading_refuses_what_prometheus_does() -> None:
    for wrong in ('a{b="c} 1\n', 'a{b="\\x"} 1\n', "a 1", "a{b=c} 1\n", 'a{b="c",b="d"} 1\n', "a 1 2\n"):
        try:
            found: Any = strictly_parsed(wrong)
        except (ValueError, LookupError):
            continue
        raise AssertionError((wrong, found))
