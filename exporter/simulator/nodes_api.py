"""Documents about all nodes: both generations' overviews, the current generation's endpoints."""

from dataclasses import fields
from typing import Any

from exporter.clock import Clock
from exporter.simulator.cloud import Cloud
from exporter.simulator.node import Counters, Node, NodePool, timestamp
from exporter.simulator.truth import Truth


def stats_document(nodes: list[Node], clouds: dict[str, Cloud]) -> dict[str, Any]:
    """`stats` of the overview: sums over all nodes; averages are null where there is nothing to average."""
    counters = [node.counters for node in nodes]
    total = Counters(*(sum(getattr(one, field.name) for one in counters) for field in fields(Counters)))
    measured = [node.dashboard_document() for node in nodes if node.online]
    return {
        "total_nodes": len(nodes),
        "online_nodes": len(measured),
        "offline_nodes": len(nodes) - len(measured),
        "total_requests": total.total,
        "successful_requests": total.successful,
        "failed_requests": total.failed,
        "total_active_requests": total.active,
        "average_response_time_ms": total.average_ms,
        "average_gpu_usage": _mean([node["gpu_usage"] for node in measured]),
        "average_gpu_memory_usage": _mean([node["gpu_memory_usage"] for node in measured]),
        **{f"{provider}_key_present": cloud.key_present for provider, cloud in clouds.items()},
    }


def overview_document(pool: NodePool, clouds: dict[str, Cloud], clock: Clock) -> dict[str, Any]:
    """`/api/dashboard/overview`."""
    started = clock.monotonic()
    document: dict[str, Any] = {
        "nodes": [node.dashboard_document() for node in pool.nodes],
        "stats": stats_document(pool.nodes, clouds),
        "history": pool.history.document(),
        "generated_at": timestamp(clock.wall()),
    }
    document["generation_time_ms"] = 1000 * (clock.monotonic() - started)
    return document


def current_overview_document(
    pool: NodePool, clouds: dict[str, Cloud], truth: Truth, clock: Clock
) -> dict[str, Any]:
    """`/api/dashboard/overview` of the current generation: endpoints in place of nodes, and tokens."""
    first = overview_document(pool, clouds, clock)
    del first["nodes"]
    stats = {name.replace("_nodes", "_runtimes"): value for name, value in first["stats"].items()}
    stats |= {"pending_runtimes": 0, "registering_runtimes": 0, "queued_requests": 0}
    stats |= {"total_input_tokens": truth.input_tokens, "total_output_tokens": truth.output_tokens}
    endpoints = [node.counted_endpoint_document() for node in pool.nodes]
    return {"endpoints": endpoints, **first, "stats": stats}


def endpoints_document(pool: NodePool) -> dict[str, Any]:
    """`/api/endpoints`."""
    return {"endpoints": [node.endpoint_document() for node in pool.nodes], "total": len(pool.nodes)}


def _mean(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None
