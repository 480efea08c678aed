"""exporter.collectors.router.router: where each generation of router lists its nodes, and for which key."""

import pytest

from exporter.collectors.router.reading import NODE_SOURCES
from exporter.errors import ConfigurationError
from tests.support.clocks import FakeClock
from tests.support.json_router import (
    MODELS,
    OVERVIEW,
    asked_with,
    reader_of,
    samples,
    scrape,
    serve_router,
    without_duration,
)
from tests.support.local_http import LocalHttp

router = pytest.fixture(serve_router)


def test_a_first_generation_router_gives_every_series(router: LocalHttp) -> None:
    router.give("/v1/models", MODELS)
    router.give("/api/dashboard/overview", OVERVIEW)
    assert without_duration(scrape(router.url + "/"), "nodes") == {
        "router_up{}": 1,
        "router_models{}": 2,
        "router_nodes{status=online}": 1,
        "router_nodes{status=offline}": 1,
        "router_nodes{status=pending}": 1,
        "router_nodes{status=registering}": 0,
        "router_nodes{status=error}": 0,
        "router_nodes{status=other}": 0,
        "router_nodes_not_shown{}": 0,
        "router_node_up{node=gpu-1}": 1,
        "router_node_up{node=gpu-2}": 0,
        "router_node_up{node=gpu-3}": 0,
        "router_node_active_requests{node=gpu-1}": 3,
        "router_node_active_requests{node=gpu-2}": 0,
        "router_node_requests_total{node=gpu-1,outcome=success}": 40,
        "router_node_requests_total{node=gpu-1,outcome=failure}": 2,
        "router_node_requests_total{node=gpu-2,outcome=success}": 7,
        "router_node_requests_total{node=gpu-2,outcome=failure}": 0,
        "router_active_requests{}": 3,
        "router_requests_total{outcome=success}": 47,
        "router_requests_total{outcome=failure}": 2,
    }


@pytest.mark.parametrize("status", [401, 404])
def test_a_router_without_a_dashboard_is_not_asked_again_for_a_minute(router: LocalHttp, status: int) -> None:
    router.give("/v1/models", MODELS)
    router.give("/api/dashboard/overview", {"error": "no"}, status)
    clock = FakeClock()
    reader = reader_of(router.url, clock=clock)
    for seconds in (0, 30, 29):
        clock.advance(seconds)
        found = samples(reader)
        assert found.pop("router_probe_duration_seconds{probe=models}") == 0  # by a clock that stands still
        assert found == {"router_up{}": 1, "router_models{}": 2}
    assert [asked.path for asked in router.asked].count("/api/dashboard/overview") == 1
    router.give("/api/dashboard/overview", OVERVIEW)
    clock.advance(2)
    assert samples(reader)["router_node_up{node=gpu-1}"] == 1


def test_a_dashboard_that_fails_is_asked_again_at_the_next_scrape(router: LocalHttp) -> None:
    router.give("/v1/models", MODELS)
    router.give("/api/dashboard/overview", {}, 503)
    reader = reader_of(router.url)
    assert "router_nodes{status=online}" not in samples(reader)
    router.give("/api/dashboard/overview", OVERVIEW)
    assert samples(reader)["router_nodes{status=online}"] == 1


def test_a_current_router_is_asked_for_its_endpoints_with_the_api_key(router: LocalHttp) -> None:
    router.give("/v1/models", MODELS)
    router.give("/api/dashboard/overview", {"error": "a session is required"}, 401)
    router.give(
        "/api/endpoints",
        {
            "endpoints": [
                {"name": "box", "status": "online", "successful_requests": 5, "failed_requests": 0},
                {"name": "new", "status": "pending", "successful_requests": 0, "failed_requests": 0},
                {"name": "bad", "status": "error", "successful_requests": 1, "failed_requests": 9},
            ],
            "total": 3,
        },
    )
    found = without_duration(scrape(router.url, api_key="sk_secret"), "nodes")
    assert asked_with(router) == [
        ("/v1/models", "Bearer sk_secret"),
        ("/api/dashboard/overview", "Bearer sk_secret"),
        ("/api/endpoints", "Bearer sk_secret"),
    ]
    # The endpoints' sums are not the router's totals: those are absent.
    assert found == {
        "router_up{}": 1,
        "router_models{}": 2,
        **{f"router_nodes{{status={name}}}": 0 for name in ("offline", "registering", "other")},
        **{f"router_nodes{{status={name}}}": 1 for name in ("online", "pending", "error")},
        "router_nodes_not_shown{}": 0,
        "router_node_up{node=box}": 1,
        "router_node_up{node=new}": 0,
        "router_node_up{node=bad}": 0,
        "router_node_requests_total{node=box,outcome=success}": 5,
        "router_node_requests_total{node=box,outcome=failure}": 0,
        "router_node_requests_total{node=new,outcome=success}": 0,
        "router_node_requests_total{node=new,outcome=failure}": 0,
        "router_node_requests_total{node=bad,outcome=success}": 1,
        "router_node_requests_total{node=bad,outcome=failure}": 9,
    }


def test_the_overview_of_a_current_router_has_tokens_and_the_queue(router: LocalHttp) -> None:
    stats = {
        "total_active_requests": 4,
        "queued_requests": 2,
        "successful_requests": 90,
        "failed_requests": 1,
        "total_input_tokens": 5000,
        "total_output_tokens": 7000,
    }
    router.give("/api/dashboard/overview", {"endpoints": [], "stats": stats})
    found = without_duration(scrape(router.url, api_key="a.json.token"), "nodes")
    totals = {key: value for key, value in found.items() if not key.startswith("router_nodes")}
    assert totals == {
        "router_up{}": 1,
        "router_active_requests{}": 4,
        "router_queued_requests{}": 2,
        "router_requests_total{outcome=success}": 90,
        "router_requests_total{outcome=failure}": 1,
        "router_tokens_total{direction=input}": 5000,
        "router_tokens_total{direction=output}": 7000,
    }


@pytest.mark.parametrize("path", ["/api/dashboard/nodes", "/api/nodes"])
def test_a_first_generation_router_without_an_overview_still_lists_its_nodes(
    router: LocalHttp, path: str
) -> None:
    router.give(path, [{"machine_name": "a", "status": "online"}, {"machine_name": "b", "status": "offline"}])
    reader = reader_of(router.url)
    found = without_duration(samples(reader), "nodes")
    assert (found["router_node_up{node=a}"], found["router_node_up{node=b}"]) == (1, 0)
    assert "router_requests_total{outcome=success}" not in found
    router.asked.clear()
    samples(reader)
    assert [asked.path for asked in router.asked] == ["/v1/models", path]


def test_without_an_api_key_none_is_sent(router: LocalHttp) -> None:
    scrape(router.url)
    assert asked_with(router) == [("/v1/models", None), *((path, None) for path in NODE_SOURCES)]


def test_a_router_that_becomes_another_generation_is_looked_at_again(router: LocalHttp) -> None:
    router.give("/api/dashboard/overview", OVERVIEW)
    reader = reader_of(router.url, api_key="sk_secret")
    assert samples(reader)["router_node_up{node=gpu-1}"] == 1
    router.give("/api/dashboard/overview", {}, 401)
    router.give("/api/endpoints", {"endpoints": [{"name": "box", "status": "online"}]})
    assert without_duration(samples(reader)) == {"router_up{}": 1}
    assert samples(reader)["router_node_up{node=box}"] == 1


def test_a_page_that_is_given_for_every_path_is_no_list_of_nodes(router: LocalHttp) -> None:
    for path in ("/v1/models", *NODE_SOURCES):
        router.answers[path] = (200, "<!doctype html><title>Chat</title>")
    reader = reader_of(router.url)
    for _ in range(2):
        assert without_duration(samples(reader)) == {"router_up{}": 1}
    assert [asked.path for asked in router.asked] == ["/v1/models", *NODE_SOURCES, "/v1/models"]


def test_a_page_that_a_proxy_gives_in_place_of_known_nodes_costs_that_scrape_alone(router: LocalHttp) -> None:
    router.give("/api/dashboard/overview", OVERVIEW)
    reader = reader_of(router.url)
    assert samples(reader)["router_node_up{node=gpu-1}"] == 1
    router.answers["/api/dashboard/overview"] = (200, "<!doctype html>")
    assert without_duration(samples(reader), "nodes") == {"router_up{}": 1}
    router.give("/api/dashboard/overview", OVERVIEW)
    assert samples(reader)["router_node_up{node=gpu-1}"] == 1


def test_models_that_need_a_key_are_a_router_that_is_up_and_its_nodes_are_asked(router: LocalHttp) -> None:
    router.give("/v1/models", {"error": "no key"}, 401)
    router.give("/api/dashboard/overview", OVERVIEW)
    found = without_duration(scrape(router.url), "nodes")
    assert (found["router_up{}"], found["router_node_up{node=gpu-1}"]) == (1, 1)
    assert "router_models{}" not in found


def test_an_api_key_that_no_header_can_carry_is_refused_without_being_shown() -> None:
    with pytest.raises(ConfigurationError) as refused:
        reader_of("http://127.0.0.1:1", api_key="sk_one\nsk_two")
    assert "sk_" not in str(refused.value)


def test_no_more_than_200_nodes_become_series_and_all_are_counted(router: LocalHttp) -> None:
    nodes = [{"machine_name": f"n{number:05}", "status": "online"} for number in range(10_000)]
    router.give("/api/dashboard/overview", {"nodes": [*nodes, {"status": "offline"}]})
    found = scrape(router.url)
    assert found["router_nodes{status=online}"] == 10_000
    assert found["router_nodes{status=offline}"] == 1
    assert found["router_nodes_not_shown{}"] == 9_801
    shown = [key for key in found if key.startswith("router_node_up")]
    assert shown == [f"router_node_up{{node=n{number:05}}}" for number in range(200)]
