"""What a router sends, bytes and JSON of any kind: never an error, a zero that was not said, or too much."""

import json
import math
from typing import Any
from unittest.mock import patch

import httptools
from hypothesis import given
from hypothesis import strategies as st

from exporter.clock import SystemClock
from exporter.collectors.priority import RightOfWay
from exporter.collectors.router import nodes_api
from exporter.collectors.router.login import _FailedError, _granted
from exporter.collectors.router.model_stats import parse_model_stats
from exporter.collectors.router.no_answer import problem_of
from exporter.collectors.router.probe import MAX_JSON_VALUES, Answer, HttpProbe, _Reading
from exporter.collectors.router.router import MAX_NODES, RouterCollector
from exporter.exposition.text_format import TextFormat
from tests.support.json_router import MODELS, OVERVIEW
from tests.support.mutations import SCALARS, TEXTS, mutated_bytes, mutated_json, repeated
from tests.support.raw_router import answer, reader_of

NODE = st.dictionaries(
    st.sampled_from(
        ["machine_name", "name", "status", "active_requests", "successful_requests", "failed_requests"]
    ),
    SCALARS | st.sampled_from(["online", "offline", "gpu-1"]),
    max_size=6,
)
OVERVIEWS = st.fixed_dictionaries(
    {
        "nodes": st.lists(NODE, max_size=6),
        "stats": st.dictionaries(st.sampled_from([*OVERVIEW["stats"]]), SCALARS),
    }
)
BODIES = (
    mutated_json(st.sampled_from([OVERVIEW, MODELS, OVERVIEW["nodes"]]))
    | mutated_bytes(st.sampled_from([OVERVIEW, MODELS]).map(lambda document: json.dumps(document).encode()))
    | OVERVIEWS.map(lambda document: json.dumps(document).encode())
    | repeated(b"[", b'{"a":', b'"', b"[1,", b"9")
)
HTTP = st.sampled_from(
    [
        answer(json.dumps(MODELS).encode()),
        answer(b"{}", "Content-Type: application/json", "X: " + "y" * 100),
        b"HTTP/1.1 100 Continue\r\n\r\n"
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b\r\n{}\r\n0\r\nT: x\r\n\r\n",
        b"HTTP/1.0 503 Busy\r\n\r\nno",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n\0\0\0",
        b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n",
    ]
)


@given(BODIES, BODIES, st.sampled_from([200, 200, 200, 401, 500, 599, 100, 0]))
def test_any_document_gives_families_that_say_no_more_than_it(
    models: bytes, nodes: bytes, status: int
) -> None:
    def get(_probe: HttpProbe, path: str, _timeout: float, _bearer: str | None) -> Answer:
        return Answer(status, models if path == "/v1/models" else nodes)

    with patch.object(HttpProbe, "get", get):
        reader = reader_of("http://127.0.0.1")
        collector = RouterCollector(reader, SystemClock(), RightOfWay())
        for _ in range(2):
            families = [*collector.families_of(reader.read(), 0.0)]
            assert TextFormat().plain(families)
    samples = [sample for family in families for sample in family.samples]
    assert len(samples) <= 30 + 4 * MAX_NODES
    assert all(0 <= sample.value < math.inf for sample in samples)
    document = Answer(200, nodes).json()
    overview = nodes_api.parse_overview(document) if status == 200 else None
    said = {sample.name for sample in samples if sample.name.startswith("router_node")}
    assert bool(said) == (overview is not None and overview.statuses is not None)
    if overview is not None and overview.statuses is not None:
        listed = document if isinstance(document, list) else document.get("nodes", document.get("endpoints"))
        known = listed if isinstance(listed, list) else document["endpoints"]
        assert sum(overview.statuses.values()) == sum(isinstance(entry, dict) for entry in known)


@given(BODIES | st.binary(max_size=200) | TEXTS.map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_body_is_json_as_python_reads_it_or_none(body: bytes) -> None:
    found: Any = Answer(200, body).json()
    assert found is None or repr(json.loads(body)) == repr(found)
    assert body.count(b",") < MAX_JSON_VALUES or found is None
    assert Answer(401, body).json() is None


GRANTED = {"token": "a.b.c", "expires_in": 86_400, "user": {"must_change_password": False}}


@given(
    mutated_json(st.just(GRANTED))
    | st.fixed_dictionaries({"token": SCALARS | TEXTS, "expires_in": SCALARS, "user": SCALARS}).map(
        lambda document: json.dumps(document).encode()
    ),
    st.sampled_from([200, 200, 200, 401, 307, 500, 999]),
)
def test_any_answer_to_a_login_is_a_token_that_a_header_can_carry_or_none(body: bytes, status: int) -> None:
    try:
        token, lifetime_seconds, _ = _granted(Answer(status, body))
    except _FailedError as error:
        assert "\n" not in str(error)
        return
    assert status == 200
    assert token.isascii()
    assert token.isprintable()
    assert " " not in token
    assert 0 < len(token) <= 8192
    assert 0 < lifetime_seconds <= 30 * 86_400


ROWS: list[dict[str, Any]] = [
    {"model_id": "a", "successful_requests": 5, "failed_requests": 1, "total_output_tokens": 70},
    {"model_id": "b", "successful_requests": 0, "failed_requests": 0, "total_output_tokens": 0},
]


@given(mutated_json(st.just(ROWS)) | mutated_bytes(st.just(json.dumps(ROWS).encode())))
def test_any_counts_of_an_endpoint_are_the_sums_of_what_its_rows_say_or_none(body: bytes) -> None:
    document = Answer(200, body).json()
    counts = parse_model_stats(document)
    if counts is None:
        assert not isinstance(document, list) or not all(isinstance(row, dict) for row in document)
        return
    said = [nodes_api.usable_count(row.get("successful_requests")) for row in document]
    assert counts.successes == (None if None in said else sum(value for value in said if value is not None))


@given(st.lists(mutated_bytes(HTTP) | HTTP, min_size=1, max_size=3), st.data())
def test_any_bytes_on_the_connection_are_an_answer_or_none(sent: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(sent)
    reading = _Reading()
    at, ended = 0, False
    while at < len(stream) and not ended:
        size = data.draw(st.integers(1, max(len(stream) - at, 1)))
        try:
            ended = not reading.feed(stream[at : at + size])
        except httptools.HttpParserError as error:
            assert problem_of(error).result
            break
        at += size
    else:
        reading.ended()
    found = reading.answer()
    if found is not None:
        assert 100 <= found.status <= 999
        assert found.body is None or len(found.body) <= len(stream)
        found.json()
