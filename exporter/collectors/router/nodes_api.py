"""What the router's API reports of itself and its nodes: parsing, nothing is asked here.

Fields may be missing, null or of another type: what cannot be used is absent, never zero.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

MAX_NODE_NAME = 64
NODE_STATUSES = ("online", "offline", "pending", "registering", "error", "other")
"""those of both generations, and one for what a later one may add"""


@dataclass(slots=True)
class NodeState:
    """What the router reports of one node; None for what it does not."""

    online: bool | None = None
    active_requests: float | None = None
    successes: float | None = None
    failures: float | None = None
    output_tokens: float | None = None


@dataclass(frozen=True, slots=True)
class Overview:
    """What the router reports of itself; None for what it does not."""

    statuses: Mapping[str, int] | None = None
    """count of all nodes by NODE_STATUSES"""
    nodes: Mapping[str, NodeState] = field(default_factory=dict)
    """by label, as many as there are"""
    uncounted: tuple[tuple[str, Any], ...] = ()
    """label and `id` of every entry that says nothing of its requests"""
    unnamed: int = 0
    """nodes without a name that could be a label"""
    active_requests: float | None = None
    queued_requests: float | None = None
    successes: float | None = None
    failures: float | None = None
    input_tokens: float | None = None
    output_tokens: float | None = None


def parse_overview(document: Any) -> Overview | None:
    """`{nodes | endpoints: [...], stats: {...}}` or a list of nodes; None where it is nothing of the kind.

    Totals are the router's own (`stats`) and never the sum of its nodes': that would fall when a node is
    taken away, and lacks what no node got.
    """
    if isinstance(document, list):
        document = {"nodes": document}
    if not isinstance(document, dict):
        return None
    stats = document.get("stats")
    lists = [found for key in ("nodes", "endpoints") if isinstance(found := document.get(key), list)]
    if not lists and not isinstance(stats, dict):
        return None
    stats = stats if isinstance(stats, dict) else {}
    nodes = [entry for entry in lists[0] if isinstance(entry, dict)] if lists else None
    labelled = [(node_label(entry), entry) for entry in nodes or ()]
    return Overview(
        statuses=None if nodes is None else _count_statuses(nodes),
        nodes=_merge_nodes(labelled),
        uncounted=tuple(
            (label, entry.get("id"))
            for label, entry in labelled
            if label is not None and "successful_requests" not in entry and "failed_requests" not in entry
        ),
        unnamed=sum(label is None for label, _ in labelled),
        active_requests=usable_count(stats.get("total_active_requests")),
        queued_requests=usable_count(stats.get("queued_requests")),
        successes=usable_count(stats.get("successful_requests")),
        failures=usable_count(stats.get("failed_requests")),
        input_tokens=usable_count(stats.get("total_input_tokens")),
        output_tokens=usable_count(stats.get("total_output_tokens")),
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
    # Half a surrogate pair is not printable either, and could not be written as UTF-8; nor is a mark that
    # turns the direction of what follows. Cut first too: a name of a megabyte is not worth going through.
    name = name[: 4 * MAX_NODE_NAME]
    if not name.isprintable():
        name = "".join(character for character in name if character.isprintable())
    return name.strip()[:MAX_NODE_NAME] or None


def _count_statuses(nodes: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    reported = (entry.get("status") for entry in nodes)
    known = Counter(status if status in NODE_STATUSES else "other" for status in reported)
    return {status: known[status] for status in NODE_STATUSES}


def _merge_nodes(labelled: Iterable[tuple[str | None, Mapping[str, Any]]]) -> dict[str, NodeState]:
    """By label.

    Several entries may share a name (a node that registered again, two on one machine): their counts are
    added and it is up where any of them is.
    """
    merged: dict[str, NodeState] = {}
    for name, entry in labelled:
        if name is None:
            continue
        node = merged.setdefault(name, NodeState())
        if isinstance(entry.get("status"), str):
            node.online = bool(node.online) or entry["status"] == "online"
        node.active_requests = _add(node.active_requests, entry.get("active_requests"))
        node.successes = _add(node.successes, entry.get("successful_requests"))
        node.failures = _add(node.failures, entry.get("failed_requests"))
    return merged


def _add(total: float | None, value: Any) -> float | None:
    number = usable_count(value)
    if number is None:
        return total
    return number if total is None else total + number
