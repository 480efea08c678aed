"""The router's own account of its nodes, as its dashboard API gives it: parsing, nothing is asked here.

Fields may be missing, null or of another type: what cannot be used is left out, never taken for zero.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

MAX_NODES = 200
MAX_NODE_NAME = 64
NODE_STATUSES = ("online", "offline", "other")


@dataclass(slots=True)
class NodeState:
    """What the router says of one node; None for what it does not say."""

    online: bool | None = None
    active_requests: float | None = None
    successes: float | None = None
    failures: float | None = None


@dataclass(frozen=True, slots=True)
class Overview:
    """What the router says of itself; None for what it does not say."""

    statuses: Mapping[str, int] | None = None
    """count of nodes by NODE_STATUSES"""
    nodes: Mapping[str, NodeState] = field(default_factory=dict)
    active_requests: float | None = None
    successes: float | None = None
    failures: float | None = None


def parse_overview(document: Any) -> Overview | None:
    """`{nodes | endpoints: [...], stats: {...}}`; None where it is nothing of the kind."""
    if not isinstance(document, dict):
        return None
    stats = document.get("stats")
    stats = stats if isinstance(stats, dict) else {}
    entries = document.get("nodes", document.get("endpoints"))
    nodes = [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else None
    return Overview(
        statuses=None if nodes is None else _count_statuses(nodes),
        nodes={} if nodes is None else _merge_nodes(nodes),
        active_requests=usable_count(stats.get("total_active_requests")),
        successes=usable_count(stats.get("successful_requests")),
        failures=usable_count(stats.get("failed_requests")),
    )


def parse_model_count(document: Any) -> int | None:
    """How many models `{data: [...]}` lists; None where it is nothing of the kind."""
    if not isinstance(document, dict) or not isinstance(document.get("data"), list):
        return None
    return len(document["data"])


def usable_count(value: Any) -> float | None:
    """A number that can be a count, else None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return float(value) if 0 <= value < 2**63 else None


def node_label(entry: Mapping[str, Any]) -> str | None:
    """The node's name (`machine_name`, in the current generation `name`) as a label, None without one."""
    name = entry.get("machine_name", entry.get("name"))
    if not isinstance(name, str):
        return None
    # Half a surrogate pair is not printable either, and could not be written as UTF-8.
    printable = "".join(character for character in name if character.isprintable())
    return printable.strip()[:MAX_NODE_NAME] or None


def _count_statuses(nodes: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    said = (entry.get("status") for entry in nodes)
    counts = Counter(status if isinstance(status, str) else None for status in said)
    online, offline = counts["online"], counts["offline"]
    return {"online": online, "offline": offline, "other": counts.total() - online - offline}


def _merge_nodes(entries: Iterable[Mapping[str, Any]]) -> dict[str, NodeState]:
    """By name, the first MAX_NODES in order of it.

    Several entries may share a name (a node that registered again, two on one machine): their counts are
    added and it is up where any of them is.
    """
    merged: dict[str, NodeState] = {}
    for entry in entries:
        name = node_label(entry)
        if name is None:
            continue
        node = merged.setdefault(name, NodeState())
        if isinstance(entry.get("status"), str):
            node.online = bool(node.online) or entry["status"] == "online"
        node.active_requests = _add(node.active_requests, entry.get("active_requests"))
        node.successes = _add(node.successes, entry.get("successful_requests"))
        node.failures = _add(node.failures, entry.get("failed_requests"))
    return {name: merged[name] for name in sorted(merged)[:MAX_NODES]}


def _add(total: float | None, value: Any) -> float | None:
    number = usable_count(value)
    if number is None:
        return total
    return number if total is None else total + number
