"""exporter.collectors.router.model_stats: the counts of endpoints that the router lists without."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from exporter.collectors.router.model_stats import MAX_ENDPOINTS, Counts, ModelStats, parse_model_stats
from exporter.collectors.router.probe import Answer as HttpAnswer
from tests.support.clocks import FakeClock
from tests.support.json_router import MODELS, reader_of, samples, serve_router
from tests.support.local_http import Answer, LocalHttp

ROW = {"model_id": "a", "successful_requests": 5, "failed_requests": 1, "total_output_tokens": 70}


@pytest.fixture
def router() -> Iterator[LocalHttp]:
    for router in serve_router():
        router.give("/v1/models", MODELS)
        router.give("/api/dashboard/overview", "Invalid token", 401)
        yield router


def path_of(name: str) -> str:
    return f"/api/endpoints/{name}/model-stats"


def list_endpoints(router: LocalHttp, *names: str, **of_each: Any) -> None:
    """Each endpoint's id is its name."""
    listed = [{"id": name, "name": name, "status": "online", **of_each} for name in names]
    router.give("/api/endpoints", {"endpoints": listed, "total": len(listed)})


def counts(found: dict[str, float]) -> dict[str, float]:
    return {
        key.partition("_node_")[2]: value
        for key, value in found.items()
        if key.startswith(("router_node_requests", "router_node_tokens"))
    }


def of_node(name: str, success: float, failure: float, tokens: float) -> dict[str, float]:
    return {
        f"requests_total{{node={name},outcome=success}}": success,
        f"requests_total{{node={name},outcome=failure}}": failure,
        f"tokens_total{{node={name},direction=output}}": tokens,
    }


def asked(router: LocalHttp) -> list[str]:
    return [one.path for one in router.asked if one.path.endswith("model-stats")]


def test_counts_are_the_sums_of_all_models(router: LocalHttp) -> None:
    list_endpoints(router, "a", "b", "new")
    more = {"model_id": "b", "successful_requests": 3, "failed_requests": 0, "total_output_tokens": 8}
    router.give(path_of("a"), [ROW, more])
    router.give(path_of("b"), [more])
    router.give(path_of("new"), [])
    found = samples(reader_of(router.url, api_key="sk_key", clock=FakeClock()))
    # A node without a request has counted none: its counters begin at zero.
    assert counts(found) == of_node("a", 8, 1, 78) | of_node("b", 3, 0, 8) | of_node("new", 0, 0, 0)
    assert {one.headers["Authorization"] for one in router.asked} == {"Bearer sk_key"}
    assert not any(key.startswith(("router_requests", "router_tokens")) for key in found)


@pytest.mark.parametrize(
    "answer",
    [
        (401, "Invalid API key"),
        (404, ""),
        (500, ""),
        b"",
        (200, "<!doctype html>"),
        (200, {"error": "no"}),
        (200, [1]),
    ],
)
def test_a_node_whose_counts_are_not_given_has_none(router: LocalHttp, answer: Answer) -> None:
    list_endpoints(router, "a", "b")
    router.give(path_of("a"), [ROW])
    router.answers[path_of("b")] = answer
    found = samples(reader_of(router.url, clock=FakeClock()))
    assert counts(found) == of_node("a", 5, 1, 70)
    assert (found["router_node_up{node=a}"], found["router_node_up{node=b}"]) == (1, 1)


def test_they_are_asked_every_15_seconds_and_shown_in_between(router: LocalHttp) -> None:
    list_endpoints(router, "a")
    router.give(path_of("a"), [ROW])
    clock = FakeClock()
    reader = reader_of(router.url, clock=clock)
    for _ in range(16):
        assert counts(samples(reader)) == of_node("a", 5, 1, 70)
        clock.advance(2)
    assert len(asked(router)) == 2
    router.give(path_of("a"), [{**ROW, "successful_requests": 6}])
    assert counts(samples(reader)) == of_node("a", 6, 1, 70)


def test_counts_that_fail_later_are_taken_away(router: LocalHttp) -> None:
    list_endpoints(router, "a", "b")
    router.give(path_of("a"), [ROW])
    router.give(path_of("b"), [ROW])
    clock = FakeClock()
    reader = reader_of(router.url, clock=clock)
    assert counts(samples(reader)) == of_node("a", 5, 1, 70) | of_node("b", 5, 1, 70)
    router.give(path_of("b"), "", 500)
    clock.advance(15)
    assert counts(samples(reader)) == of_node("a", 5, 1, 70)


def test_a_router_that_has_no_such_counts_is_asked_once_a_minute(router: LocalHttp) -> None:
    list_endpoints(router, "a")
    clock = FakeClock()
    reader = reader_of(router.url, clock=clock)
    for _ in range(60):
        assert counts(samples(reader)) == {}
        clock.advance(2)
    assert len(asked(router)) == 2


def test_counts_that_are_listed_are_not_asked_for(router: LocalHttp) -> None:
    list_endpoints(router, "a", successful_requests=3, failed_requests=0)
    assert counts(samples(reader_of(router.url, clock=FakeClock()))) == {
        "requests_total{node=a,outcome=success}": 3,
        "requests_total{node=a,outcome=failure}": 0,
    }
    assert asked(router) == []


@pytest.mark.parametrize(
    "name",
    [
        "../users",
        "a/b",
        "",
        ".",
        "..",
        "a?b",
        "a b",
        "a\r\nX: y",
        "%2e%2e",
        "\u00fc",
        "x" * 65,
        None,
        7,
        ["a"],
    ],
)
def test_an_id_that_is_no_part_of_a_path_is_asked_nothing(router: LocalHttp, name: Any) -> None:
    router.give("/api/endpoints", {"endpoints": [{"id": name, "name": "odd", "status": "online"}]})
    found = samples(reader_of(router.url, clock=FakeClock()))
    assert (counts(found), found["router_node_up{node=odd}"]) == ({}, 1)
    assert {one.path for one in router.asked} == {"/v1/models", "/api/dashboard/overview", "/api/endpoints"}


def test_of_many_endpoints_32_are_asked_and_keep_their_place(router: LocalHttp) -> None:
    names = [f"n{number:03}" for number in range(100)]
    answers = router.answers
    router.behave = lambda one: (
        (200, [ROW]) if one.path.endswith("stats") else answers.get(one.path, (404, ""))
    )
    list_endpoints(router, *names)
    clock = FakeClock()
    reader = reader_of(router.url, clock=clock)
    first = counts(samples(reader))
    assert len(first) == 3 * MAX_ENDPOINTS
    list_endpoints(router, *reversed(names))
    clock.advance(15)
    assert counts(samples(reader)) == first
    assert len(asked(router)) == 2 * MAX_ENDPOINTS
    list_endpoints(router, *names[1:])
    clock.advance(15)
    kept = counts(samples(reader))
    assert len(kept) == 3 * MAX_ENDPOINTS
    assert first.items() - kept.items() == of_node("n000", 5, 1, 70).items()


def test_endpoints_of_one_name_have_counts_where_each_has(router: LocalHttp) -> None:
    listed = [{"id": name, "name": "box", "status": "online"} for name in ("a", "b")]
    router.give("/api/endpoints", {"endpoints": listed})
    router.give(path_of("a"), [ROW])
    router.give(path_of("b"), [ROW])
    clock = FakeClock()
    reader = reader_of(router.url, clock=clock)
    assert counts(samples(reader)) == of_node("box", 10, 2, 140)
    # Half of the sum would be a counter that falls.
    router.give(path_of("b"), "", 500)
    clock.advance(15)
    assert counts(samples(reader)) == {}


def test_what_is_not_reached_in_time_is_first_the_next_time() -> None:
    clock = FakeClock()
    names = [f"n{number}" for number in range(8)]
    asked: list[str] = []

    def get(path: str, seconds_left: float) -> HttpAnswer:
        assert 0 < seconds_left <= 5
        asked.append(path)
        clock.advance(2)
        return HttpAnswer(200, json.dumps([ROW]).encode())

    stats = ModelStats(clock)
    for expected in (3, 6, 8):
        assert len(stats.counts(names, get, 5.0)) == expected
        clock.advance(15)
    assert asked == [path_of(name) for name in [*names, "n0"]]


@pytest.mark.parametrize("value", [None, -1, "5", True, 1e400, [], 2**80])
def test_a_row_that_does_not_say_a_count_leaves_that_count_out(value: Any) -> None:
    assert parse_model_stats([ROW, {**ROW, "successful_requests": value}]) == Counts(None, 2, 140)
    rows = [{key: row for key, row in ROW.items() if key != "total_output_tokens"}]
    assert parse_model_stats(rows) == Counts(5, 1, None)


@pytest.mark.parametrize("document", [None, {}, {"data": []}, "x", 5, [None], [ROW, 3]])
def test_what_is_no_list_of_rows_is_none(document: Any) -> None:
    assert parse_model_stats(document) is None
