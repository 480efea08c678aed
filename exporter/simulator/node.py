"""Simulated nodes: state, counters, GPU fields, and the round robin over those online."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain, cycle, islice, repeat
from typing import Any

from exporter.clock import Clock

HISTORY_MINUTES = 60
MAX_MODEL_ROWS = 64
GPU_TOTAL_MB = 24_576
GPU_MODEL_MB = 13_312
GPU_REQUEST_MB = 64
"""what one request in flight takes of the GPU's memory"""


def timestamp(seconds: float) -> str:
    """Unix seconds as ISO 8601 in UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class History:
    """Successes and errors by minute, the last hour of them."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._minutes: dict[int, list[int]] = {}

    def record(self, success: bool) -> None:
        """Count a request that ended now."""
        minute = int(self._clock.wall() // 60)
        if minute not in self._minutes:
            recent = {old: point for old, point in self._minutes.items() if old > minute - HISTORY_MINUTES}
            self._minutes = recent | {minute: [0, 0]}
        self._minutes[minute][0 if success else 1] += 1

    def document(self) -> list[dict[str, Any]]:
        """`[{minute, success, error}]`, oldest first, a point a minute, minutes without requests included."""
        last = int(self._clock.wall() // 60)
        points: list[dict[str, Any]] = []
        for minute in range(last - HISTORY_MINUTES + 1, last + 1):
            success, error = self._minutes.get(minute, (0, 0))
            points.append({"minute": timestamp(minute * 60), "success": success, "error": error})
        return points


@dataclass(slots=True)
class Counters:
    """A node's requests; total = successful + failed + active."""

    total: int = 0
    successful: int = 0
    failed: int = 0
    active: int = 0
    served_seconds: float = 0.0
    """summed over the successful"""

    @property
    def average_ms(self) -> float | None:
        """Mean response time of the successful in milliseconds, None before the first."""
        return 1000 * self.served_seconds / self.successful if self.successful else None


@dataclass(slots=True)
class ModelCounters:
    """What a node has served of one model."""

    successful: int = 0
    failed: int = 0
    output_tokens: int = 0
    seconds: float = 0.0


@dataclass(slots=True)
class Serving:
    """A node as the upstream of a request for one model, of an answer with so many tokens."""

    node: "Node"
    model: str
    output_tokens: int
    pace: float = field(init=False)

    def __post_init__(self) -> None:
        self.pace = self.node.pace

    def begin(self) -> None:
        """The request was sent."""
        self.node.begin()

    def finish(self, status: int | None, seconds: float) -> None:
        """It ended with this status after so long; None: without a whole answer."""
        self.node.finish(status, seconds)
        self.node.count(self.model, self.output_tokens, status is not None and status < 400, seconds)


class Node:
    """One simulated node: it answers what the router sends it."""

    def __init__(
        self, number: int, models: tuple[str, ...], history: History, clock: Clock, pace: float = 1.0
    ) -> None:
        self.pace = pace
        self.name = f"node-{number}"
        self.id = str(uuid.uuid5(uuid.NAMESPACE_DNS, self.name))
        self.online = True
        self.counters = Counters()
        self._by_model: dict[str, ModelCounters] = {}
        self._models = models
        self._history = history
        self._clock = clock
        self._ip_address = f"10.0.{number // 250}.{number % 250 + 1}"
        self._registered_at = clock.wall()
        self._since = self._registered_at
        """when it went online or offline the last time"""

    def begin(self) -> None:
        """A request was sent to this node."""
        self.counters.total += 1
        self.counters.active += 1

    def finish(self, status: int | None, seconds: float) -> None:
        """A request ended with this status after so long; None: without a whole answer."""
        counters = self.counters
        counters.active -= 1
        success = status is not None and status < 400
        if success:
            counters.successful += 1
            counters.served_seconds += seconds
        else:
            counters.failed += 1
        self._history.record(success)

    def count(self, model: str, output_tokens: int, success: bool, seconds: float) -> None:
        """Count an ended request of a model; the names that requests make up share a last row."""
        name = model if model in self._by_model or len(self._by_model) < MAX_MODEL_ROWS else "other"
        counters = self._by_model.setdefault(name, ModelCounters())
        counters.seconds += seconds
        if success:
            counters.successful += 1
            counters.output_tokens += output_tokens
        else:
            counters.failed += 1

    def model_stats_document(self) -> list[dict[str, Any]]:
        """`/api/endpoints/ID/model-stats` of the current generation."""
        return [
            {
                "model_id": model,
                "total_requests": counters.successful + counters.failed,
                "successful_requests": counters.successful,
                "failed_requests": counters.failed,
                "total_output_tokens": counters.output_tokens,
                "total_duration_ms": int(1000 * counters.seconds),
            }
            for model, counters in self._by_model.items()
        ]

    def set_online(self, online: bool) -> None:
        """Take the node offline or bring it back."""
        if online != self.online:
            self.online, self._since = online, self._clock.wall()

    def _requests(self) -> dict[str, int]:
        counters = self.counters
        return {
            "total_requests": counters.total,
            "successful_requests": counters.successful,
            "failed_requests": counters.failed,
        }

    def _last_seen(self) -> str:
        return timestamp(self._clock.wall() if self.online else self._since)

    def api_document(self) -> dict[str, Any]:
        """The node as `/api/nodes` has it."""
        return {
            "id": self.id,
            "machine_name": self.name,
            "ip_address": self._ip_address,
            "runtime_version": "0.1.0",
            "runtime_port": 11434,
            "status": "online" if self.online else "offline",
            "registered_at": timestamp(self._registered_at),
            "last_seen": self._last_seen(),
            "loaded_models": list(self._models),
            "gpu_devices": [{"model": "Simulated GPU 24GB", "count": 1, "memory": GPU_TOTAL_MB * 1024**2}],
        }

    def endpoint_document(self) -> dict[str, Any]:
        """The node as `/api/endpoints` of the current generation has it: without counts."""
        return {
            "id": self.id,
            "name": self.name,
            "base_url": f"http://{self._ip_address}:11434",
            "status": "online" if self.online else "offline",
            "endpoint_type": "ollama",
            "latency_ms": 1.0 if self.online else None,
            "last_seen": self._last_seen(),
            "last_error": None if self.online else "connection refused",
            "error_count": 0 if self.online else 1,
            "model_count": len(self._models),
        }

    def counted_endpoint_document(self) -> dict[str, Any]:
        """The node as the current generation's overview has it."""
        return self.endpoint_document() | self._requests()

    def dashboard_document(self) -> dict[str, Any]:
        """The node as `/api/dashboard/nodes` has it; an offline node measures nothing, so null."""
        busy = self.counters.active
        used_mb = min(GPU_TOTAL_MB, GPU_MODEL_MB + GPU_REQUEST_MB * busy)
        measured: dict[str, Any] = {
            "cpu_usage": min(100.0, 3.0 + 2.0 * busy),
            "memory_usage": min(100.0, 40.0 + 0.2 * busy),
            "gpu_usage": min(100.0, 12.5 * busy),
            "gpu_memory_usage": 100.0 * used_mb / GPU_TOTAL_MB,
            "gpu_memory_used_mb": used_mb,
            "gpu_temperature": min(83.0, 41.0 + 2.0 * busy),
        }
        if not self.online:
            measured = dict.fromkeys(measured)
        return {
            **self.api_document(),
            "uptime_seconds": int(self._clock.wall() - self._since) if self.online else 0,
            **measured,
            "gpu_memory_total_mb": GPU_TOTAL_MB,
            "gpu_model_name": "Simulated GPU 24GB",
            "active_requests": self.counters.active,
            **self._requests(),
            "average_response_time_ms": self.counters.average_ms,
            "metrics_last_updated_at": self._last_seen(),
            "metrics_stale": not self.online,
        }


class NodePool:
    """All nodes of the router."""

    def __init__(
        self, count: int, models: tuple[str, ...], clock: Clock, paces: tuple[float, ...] = ()
    ) -> None:
        self.history = History(clock)
        self.nodes = [
            Node(number, models, self.history, clock, pace)
            for number, pace in enumerate(islice(chain(paces, repeat(1.0)), count), start=1)
        ]
        self._turns = cycle(self.nodes)

    def next_online(self) -> Node | None:
        """The node whose turn it is among those online, None if there is none."""
        return next((node for node in islice(self._turns, len(self.nodes)) if node.online), None)

    def set_offline(self, names: Iterable[str]) -> None:
        """Take exactly these nodes offline; all others are online after it."""
        offline = set(names)
        for node in self.nodes:
            node.set_online(node.name not in offline)
