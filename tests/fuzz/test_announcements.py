"""Announcements through the real server: structured and changed JSON, headers, paths; never a 5xx."""

import http.client
import json
import logging
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families as parse_text

from exporter.collectors import build_collectors
from exporter.collectors.collector import LiveLoad, Shared
from exporter.collectors.isolation import IsolatedCollectors
from exporter.exposition.application import Exposition
from exporter.http_server.connection import MAX_BODY_BYTES
from exporter.live.findings import OBJECTIVE, Outcome
from exporter.live.ingest import Ingest
from exporter.live.message import MAX_CONNECTIONS, MAX_PAIRS, STREAM_ENGINE, Phase, Route
from exporter.live.runs import LiveRuns
from exporter.live.wire import VERSION
from exporter.verdict.objectives import CHECKS
from tests.support.clocks import FakeClock
from tests.support.live_messages import RUN, token_of
from tests.support.mutations import NUMBERS, SCALARS, TEXTS, mutated_json, repeated
from tests.support.served_app import ServedApp
from tests.support.served_exporter import WATCHES_NOTHING, announcement
from tests.support.watching import watch_of

LABELS = st.text(st.characters(exclude_categories=["Cc", "Cf", "Zl", "Zp", "Cs"]), min_size=1, max_size=128)
NAMES = st.from_regex(r"[a-z0-9_-]{1,32}", fullmatch=True)
VALID = st.fixed_dictionaries(
    {
        "run": st.just(RUN),
        "scenario": NAMES,
        "engine": NAMES | st.just(STREAM_ENGINE),
        "pairs": st.lists(
            st.fixed_dictionaries({"route": st.sampled_from([*Route]), "model": LABELS}),
            min_size=1,
            max_size=MAX_PAIRS,
            unique_by=lambda pair: (pair["route"], pair["model"]),
        ),
        "target": LABELS,
        "connections": st.integers(1, MAX_CONNECTIONS),
        "label": LABELS,
        "start_timestamp_seconds": st.floats(0, 1_764_000_000),
        "planned_duration_seconds": st.floats(0, 366 * 86400) | st.integers(0, 366 * 86400),
        "stall_after_seconds": st.floats(0, 366 * 86400),
        "goodput": st.none() | LABELS,
        "version": st.just(VERSION),
        "phase": st.sampled_from(["warmup", "load", "drain"]),
        "token": st.just(token_of().hex()),
    }
)
HEADER_NAMES = [
    "Host",
    "Origin",
    "Sec-Fetch-Site",
    "Content-Type",
    "Expect",
    "Authorization",
    "Accept",
    "Cookie",
    "X-Forwarded-Host",
    "Content-Encoding",
    "Connection",
    "Trailer",
    "X-Soak-Owner",
]
HEADER_VALUES = [
    "localhost",
    "127.0.0.1:80",
    "[::1]",
    "evil.example",
    "localhost:99999",
    "localhost@evil",
    "*",
    "http://localhost",
    "null",
    "same-origin",
    "cross-site",
    "application/json;charset=utf-8",
    "a,b",
    "text/plain",
    "100-continue",
    "close",
    "Basic",
    "gzip",
    "localhost.",
    "LOCALHOST",
    "127.1",
]
HEADERS = st.lists(
    st.tuples(
        st.sampled_from(HEADER_NAMES),
        st.sampled_from(["", *HEADER_VALUES])
        | st.text(st.characters(max_codepoint=255, exclude_characters="\r\n\0"), max_size=30),
    ),
    max_size=5,
)
NO_OBJECTS = (
    st.binary(max_size=200)
    | TEXTS.map(lambda text: text.encode("utf-8", "surrogatepass"))
    | SCALARS.map(lambda value: json.dumps(value).encode())
    | repeated(b"[", b'{"a":', b'"', b"9", b"-")
)


FIGURES = st.none() | st.floats(allow_nan=False, allow_infinity=False)
TIMES = st.floats(0, 4_000_000_000)
FINDINGS = st.fixed_dictionaries(
    {
        "run": st.just(RUN),
        "at": TIMES,
        "so_far": st.booleans(),
        "outcome": st.sampled_from([*Outcome]),
        "findings": st.lists(
            st.fixed_dictionaries(
                {
                    "check": st.sampled_from([*CHECKS, f"{OBJECTIVE}mine"]),
                    "outcome": st.sampled_from([*Outcome]),
                    "text": LABELS,
                    "figure": FIGURES,
                    "bound": FIGURES,
                    "unit": st.sampled_from(["", "seconds"]),
                    "spans": st.lists(st.fixed_dictionaries({"since": TIMES, "until": TIMES}), max_size=3),
                }
            ),
            max_size=4,
            unique_by=lambda finding: finding["check"],
        ),
        "version": st.just(VERSION),
        "token": st.just(token_of().hex()),
    }
)


class Client:
    """A fresh exporter behind a server that goes on, and one request after the other to it."""

    def __init__(self, server: ServedApp) -> None:
        self._server = server
        self.host = urlsplit(server.url).netloc
        self.begin()

    def begin(self) -> None:
        clock = FakeClock()
        self.runs = LiveRuns(clock)
        ingest = Ingest(self.runs.apply)
        own = build_collectors(WATCHES_NOTHING, Shared(clock, load=LiveLoad(self.runs, ingest)))
        collectors = IsolatedCollectors(own, 10.0, clock)
        self._server.app = Exposition(self.runs, ingest, collectors, clock, watch_of()).app

    def ask(
        self, method: str, path: str, body: bytes = b"", headers: list[tuple[str, str]] | None = None
    ) -> tuple[int, bytes]:
        """Status and body of the answer; there has to be one."""
        connection = http.client.HTTPConnection(self.host, timeout=20)
        try:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            given_headers = headers or [("Host", "localhost"), ("Content-Type", "application/json")]
            for name, value in given_headers:
                connection.putheader(name, value.encode("latin-1"))
            connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def put(
        self, body: bytes, headers: list[tuple[str, str]] | None = None, run: str = RUN
    ) -> tuple[int, Any]:
        status, answer = self.ask("PUT", f"/api/runs/{quote(run, errors='surrogatepass')}", body, headers)
        return status, json.loads(answer)

    def samples(self) -> list[Any]:
        """What /metrics has; it has to be whole."""
        status, text = self.ask("GET", "/metrics")
        assert status == 200
        return [sample for family in parse_text(text.decode()) for sample in family.samples]

    def goes_on(self) -> None:
        """Every page is answered, and a good announcement is taken."""
        for path, expected in (
            ("/", 200),
            ("/metrics", 200),
            ("/api/watch", 200),
            (f"/api/runs/{'e' * 16}", 404),
        ):
            assert self.ask("GET", path)[0] == expected
        self.begin()
        assert self.put(json.dumps(announcement()).encode())[0] == 200


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with ServedApp() as server:
        yield Client(server)


@pytest.fixture(autouse=True)
def program_errors(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """An error of the program itself fails the test, though the client is told nothing of it."""
    yield
    assert [each.getMessage() for each in caplog.records if each.levelno >= logging.ERROR] == []


@given(VALID)
def test_every_announcement_within_the_bounds_is_taken_and_shown_as_it_is(
    client: Client, given_run: Any
) -> None:
    client.begin()
    assert client.put(json.dumps(given_run, ensure_ascii=False).encode())[0] == 200
    samples = client.samples()
    [info] = [sample.labels for sample in samples if sample.name == "benchmark_run_info"]
    first = given_run["pairs"][0]
    shown = {
        name: str(given_run[name]) for name in ("run", "scenario", "engine", "target", "connections", "label")
    }
    assert info == {**shown, "route": first["route"], "model": first["model"]}
    asked = {(pair["route"], pair["model"]) for pair in given_run["pairs"]}
    counted = {
        (s.labels["route"], s.labels["model"]) for s in samples if s.name == "benchmark_requests_total"
    }
    assert counted == asked
    for path in ("/", "/metrics", f"/api/runs/{RUN}"):
        status, body = client.ask("GET", path)
        assert status == 200
        assert given_run["token"].encode() not in body
        assert b"<script" not in body


@given(mutated_json(VALID))
def test_a_changed_announcement_is_taken_within_bounds_or_refused_with_its_reason(
    client: Client, body: bytes
) -> None:
    client.begin()
    status, answer = client.put(body)
    if status != 200:
        assert status in (400, 409)
        assert answer["version"] == VERSION
        assert answer["error"]
        assert client.runs.runs == {}
        client.goes_on()
        return
    document = json.loads(body)
    assert answer["run"] == document["run"] == RUN
    assert client.runs.runs[RUN].phase == Phase(document["phase"])
    info = client.runs.runs[RUN].info
    assert type(document["connections"]) is int
    assert 1 <= info.connections == document["connections"] <= MAX_CONNECTIONS
    for text in (info.target, info.label, info.scenario, info.engine, *(pair.model for pair in info.pairs)):
        assert 0 < len(text) <= 128
        assert not any(
            letter < " " or "\x7f" <= letter < "\xa0" or letter in "\u2028\u202e\u200b" for letter in text
        )
    client.samples()
    client.goes_on()


@given(FINDINGS | mutated_json(FINDINGS))
def test_findings_are_published_within_bounds_or_refused(client: Client, given_findings: Any) -> None:
    client.begin()
    assert client.put(json.dumps(announcement()).encode())[0] == 200
    is_valid = isinstance(given_findings, dict)
    body = json.dumps(given_findings).encode() if is_valid else given_findings
    status, answer = client.ask("PUT", f"/api/runs/{RUN}/findings", body)
    assert status == 200 if is_valid else status in (200, 400, 409)
    assert json.loads(answer)["version"] == VERSION
    shown, text = client.ask("GET", f"/api/runs/{RUN}/findings")
    assert shown == (200 if status == 200 else 404)
    assert token_of().hex().encode() not in text
    checks = {sample.labels["check"] for sample in client.samples() if sample.name == "benchmark_run_check"}
    assert checks <= {*CHECKS, f"{OBJECTIVE}mine"}
    client.goes_on()


@given(st.lists(st.tuples(st.sampled_from(["after", "before", ""]), NUMBERS | TEXTS), max_size=3))
def test_the_seconds_are_answered_for_any_query(client: Client, query: list[tuple[str, str]]) -> None:
    client.begin()
    assert client.put(json.dumps(announcement()).encode())[0] == 200
    encoded = urlencode(query, errors="surrogatepass")
    status, text = client.ask("GET", f"/api/runs/{RUN}/seconds?{encoded}")
    assert status in (200, 400)
    assert status == 400 or json.loads(text)["run"] == RUN
    client.goes_on()


@given(NO_OBJECTS)
def test_a_body_that_is_no_announcement_is_refused(client: Client, body: bytes) -> None:
    client.begin()
    status, text = client.ask("PUT", f"/api/runs/{RUN}", body)
    if len(body) > MAX_BODY_BYTES:
        assert status == 413
    else:
        # Another version, or none, is said before anything else.
        assert status in (400, 409)
        assert json.loads(text)["version"] == VERSION
    assert client.runs.runs == {}


@given(HEADERS, st.booleans())
def test_headers_of_any_kind_are_answered_and_a_foreign_page_announces_nothing(
    client: Client, headers: list[tuple[str, str]], whole: bool
) -> None:
    client.begin()
    if whole:
        headers = [("Host", "localhost"), ("Content-Type", "application/json"), *headers]
    try:
        status, _ = client.ask(
            "PUT", f"/api/runs/{RUN}", json.dumps(announcement()).encode(), headers or [("A", "b")]
        )
    except (http.client.HTTPException, ConnectionError):
        status = 400
    assert status in (200, 400, 403, 409, 415, 417, 431, 501)
    given_headers = {name.lower(): value.strip(" \t") for name, value in headers}
    hosts = [value for name, value in headers if name.lower() == "host"]
    foreign = given_headers.get("sec-fetch-site", "none") not in ("none", "same-origin")
    if len(hosts) != 1 or "evil" in hosts[0] or foreign:
        assert status != 200
        assert client.runs.runs == {}
    client.goes_on()


@given(TEXTS)
def test_a_path_of_any_kind_is_answered(client: Client, run: str) -> None:
    client.begin()
    path = f"/api/runs/{quote(run, safe='/%', errors='surrogatepass')}"
    body = json.dumps(announcement()).encode()
    assert client.ask("PUT", path, body)[0] in (400, 404, 405, 409)
    assert client.ask("GET", path)[0] in (400, 404)
    assert client.runs.runs == {}
    client.goes_on()
