"""exporter.collectors.router.nodes_api: documents of every shape become statuses, nodes and totals."""

from typing import Any

import pytest

from exporter.collectors.router import nodes_api


def statuses(**counts: int) -> dict[str, int]:
    return {**dict.fromkeys(nodes_api.NODE_STATUSES, 0), **counts}


@pytest.mark.parametrize("wrong", [None, "3", True, -1, [], {}, float("nan"), float("inf"), 10**30])
def test_a_field_of_the_wrong_type_leaves_its_series_out(wrong: Any) -> None:
    overview = nodes_api.parse_overview(
        {
            "nodes": [
                {"machine_name": "a", "status": "online", "active_requests": wrong, "failed_requests": 4}
            ],
            "stats": {"total_active_requests": wrong, "failed_requests": 6},
        }
    )
    assert overview == nodes_api.Overview(
        statuses=statuses(online=1),
        nodes={"a": nodes_api.NodeState(online=True, failures=4)},
        failures=6,
    )


@pytest.mark.parametrize(
    "document", [{"nodes": None, "stats": None}, {"nodes": {}, "stats": []}, {}, None, 3, "nodes", {"a": []}]
)
def test_a_document_without_nodes_and_stats_is_no_overview(document: Any) -> None:
    assert nodes_api.parse_overview(document) is None


def test_a_list_that_is_null_gives_way_to_the_other_generations() -> None:
    overview = nodes_api.parse_overview({"nodes": None, "endpoints": [{"name": "a", "status": "online"}]})
    assert overview is not None
    assert overview.nodes == {"a": nodes_api.NodeState(online=True)}


def test_a_node_without_name_or_status_counts_as_other_and_has_no_series() -> None:
    overview = nodes_api.parse_overview(
        {"nodes": [{}, {"machine_name": None, "status": None}, 7, {"machine_name": "a"}]}
    )
    assert overview is not None
    assert overview.statuses == statuses(other=3)
    assert overview.nodes == {"a": nodes_api.NodeState()}
    assert overview.unnamed == 2


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("a\x00b\n", "ab"),
        ("x" * 100, "x" * 64),
        ("\ud800gpu", "gpu"),
        ("\x07", None),
        ("\u202egpu\u202c", "gpu"),
        ("x" * 2**20, "x" * 64),
        ('a"b\\c', 'a"b\\c'),
        ("   ", None),
        ("名前", "名前"),
        (5, None),
    ],
)
def test_a_node_name_is_made_fit_for_a_label(name: Any, label: str | None) -> None:
    assert nodes_api.node_label({"machine_name": name}) == label


def test_entries_of_one_name_are_one_node() -> None:
    again = [
        {"machine_name": "a", "status": "online", "successful_requests": 5},
        {"machine_name": "a", "status": "offline", "successful_requests": 100},
    ]
    overview = nodes_api.parse_overview({"nodes": again})
    assert overview is not None
    assert overview.nodes == {"a": nodes_api.NodeState(online=True, successes=105)}
