"""exporter.collectors.router.router against documents of any content: bounded, and fit to be written out."""

import json
import math
from collections.abc import Iterable
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric

from exporter.clock import SystemClock
from exporter.collectors.priority import RightOfWay
from exporter.collectors.router import nodes_api, probe
from exporter.collectors.router.probe import Answer, HttpProbe
from exporter.collectors.router.reading import RouterReader
from exporter.collectors.router.router import MAX_NODES, RouterCollector
from exporter.live.probe_result import ProbeResult
from tests.support.local_http import LocalHttp
from tests.support.raw_router import (
    MIB,
    NODES_FOUND,
    OVERVIEW,
    WITH_MODELS,
    reader_of,
    scrape,
    serve_raw_router,
)

server = pytest.fixture(serve_raw_router)


class Read:
    """What a registry asks: the families of a reading made now."""

    def __init__(self, reader: RouterReader) -> None:
        self._reader = reader
        self._collector = RouterCollector(reader, SystemClock(), RightOfWay())

    def collect(self) -> Iterable[Metric]:
        return self._collector.families_of(self._reader.read(), 0.0)


def exposition_of(reader: RouterReader) -> str:
    registry = CollectorRegistry()
    registry.register(Read(reader))
    return generate_latest(registry).decode()


WEIRD_NUMBERS = ["1e999", "-1e999", "NaN", "Infinity", "-1", '"12"', str(2**70), "true", "null", "[]", "-0.5"]


@pytest.mark.parametrize("number", WEIRD_NUMBERS)
def test_a_number_that_cannot_be_a_count_leaves_its_series_out(server: LocalHttp, number: str) -> None:
    server.give(
        OVERVIEW,
        b'{"nodes":[{"machine_name":"a","status":"online","active_requests":%s}],'
        b'"stats":{"total_active_requests":%s,"total_input_tokens":%s}}' % ((number.encode(),) * 3),
    )
    assert scrape(server.url) == {**WITH_MODELS, **NODES_FOUND}


def test_names_that_would_break_the_exposition_are_made_fit(server: LocalHttp) -> None:
    names = ["a\nb", 'quo"te', "back\\slash", "nul\0", "\u202eltr", "\ud800half", "x" * MIB, "名前", "\n", ""]
    server.give(
        OVERVIEW,
        json.dumps({"nodes": [{"machine_name": name, "status": "online"} for name in names]}).encode(),
    )
    text = exposition_of(reader_of(server.url))
    assert sorted(line for line in text.splitlines() if line.startswith("router_node_up")) == sorted(
        [
            'router_node_up{node="ab"} 1.0',
            'router_node_up{node="quo\\"te"} 1.0',
            'router_node_up{node="back\\\\slash"} 1.0',
            'router_node_up{node="nul"} 1.0',
            'router_node_up{node="ltr"} 1.0',
            'router_node_up{node="half"} 1.0',
            'router_node_up{node="%s"} 1.0' % ("x" * 64),
            'router_node_up{node="名前"} 1.0',
        ]
    )
    assert 'router_nodes{status="online"} 10.0' in text
    assert "router_nodes_not_shown 2.0" in text


KEYS = st.sampled_from(
    [
        "nodes",
        "endpoints",
        "stats",
        "machine_name",
        "name",
        "status",
        "active_requests",
        "data",
        "successful_requests",
        "failed_requests",
        "total_active_requests",
        "queued_requests",
        "total_input_tokens",
        "total_output_tokens",
        "history",
    ]
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters())
    | st.sampled_from([*nodes_api.NODE_STATUSES, "\ud800", "gpu-1"])
)
DOCUMENTS = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(KEYS | st.text(max_size=3), inner), max_leaves=60
)


@settings(max_examples=100, deadline=None)
@given(DOCUMENTS)
def test_any_document_gives_families_that_are_bounded_and_can_be_written_out(document: Any) -> None:
    body = json.dumps(document).encode()
    with patch.object(HttpProbe, "get", lambda *_: Answer(200, body)):
        text = exposition_of(reader_of("http://127.0.0.1"))
    values = [line.rpartition(" ")[2] for line in text.splitlines() if not line.startswith("#")]
    assert len(values) <= 13 + len(ProbeResult) + len(nodes_api.NODE_STATUSES) + 4 * MAX_NODES
    assert all(math.isfinite(float(value)) and float(value) >= 0 for value in values)
    overview = nodes_api.parse_overview(document)
    for label in overview.nodes if overview else ():
        assert 0 < len(label) <= nodes_api.MAX_NODE_NAME
        assert label.isprintable()


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200) | st.text(alphabet='[]{},:"\\u09deE+-. ', max_size=200).map(str.encode))
def test_any_body_is_json_or_none(body: bytes) -> None:
    found = Answer(200, body).json()
    assert found is None or json.loads(body) == found or found != found  # noqa: PLR0124 - NaN


def test_json_of_more_values_than_are_read_is_none() -> None:
    limit = probe.MAX_JSON_VALUES
    assert len(Answer(200, b"[" + b"1," * (limit - 2) + b"1]").json()) == limit - 1
    assert Answer(200, b"[" + b"1," * (limit - 1) + b"1]").json() is None
