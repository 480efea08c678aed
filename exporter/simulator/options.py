"""What a simulated router is started with."""

from dataclasses import dataclass, field
from enum import StrEnum

from exporter.errors import ConfigurationError
from exporter.simulator.request_body import HOLD_MODEL

MAX_OUTPUT_TOKENS = 4096
"""bounds the bytes of one answer, and so the memory that a client takes which does not read"""

MAX_PACE = 1000.0

OPTIONS = {
    "port": "--port",
    "nodes": "--nodes",
    "node_paces": "--node-pace",
    "node_port": "--node-port",
    "router_overhead_seconds": "--router-overhead",
    "latency_median_seconds": "--latency-median",
    "latency_p99_seconds": "--latency-p99",
    "inter_token_seconds": "--token-gap",
    "output_tokens": "--output-tokens",
    "reasoning_tokens": "--reasoning-tokens",
    "tokens_per_event": "--tokens-per-event",
    "heartbeat_seconds": "--heartbeat",
    "user": "--user",
    "token_lifetime_seconds": "--token-lifetime",
}
"""the fields that `soak simulate` has an option for, and that can be out of range"""


class Generation(StrEnum):
    """Which generation of the router's API is served."""

    FIRST = "first"
    """late 2025: /api/nodes, /api/dashboard/*, /metrics/cloud, all open"""
    CURRENT = "current"
    """2026: /api/endpoints and /api/metrics/cloud for the API key, the overview for a user's token alone"""


@dataclass(frozen=True, slots=True)
class SimulatorOptions:
    """Everything that can be chosen about a simulated router; the seed decides every random draw.

    Raises ConfigurationError naming the field whose value is out of range, where there is one by its option.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    nodes: int = 2
    """simulated nodes, named node-1, node-2, …"""
    generation: Generation = Generation.FIRST
    models: tuple[str, ...] = ("gpt-oss:20b", "gpt-oss:120b", "nomic-embed-text", HOLD_MODEL)
    """what /v1/models lists; an unlisted local name is served too"""
    node_paces: tuple[float, ...] = ()
    """node-1, node-2, … take so many times as long as the times below say; the nodes beyond, as long"""
    node_port: int | None = None
    """where node-1 is reached past the router"""
    router_overhead_seconds: float = 0.002
    """what the router takes of the latency: node-1 asked directly answers so much earlier"""
    latency_median_seconds: float = 0.020
    """time to the answer, or to the first token of a stream, through the router; lognormal"""
    latency_p99_seconds: float = 0.060
    """equal to the median: every request takes exactly that long"""
    inter_token_seconds: float = 0.030
    """time between two tokens of a stream"""
    output_tokens: int = 32
    """length of an answer that `max_tokens` does not cut short"""
    reasoning_tokens: int = 0
    """before the answer, where the request names no effort"""
    tokens_per_event: int = 1
    """of a stream; its events come at so many times the time between two tokens"""
    heartbeat_seconds: float = 0.0
    """a stream that was silent for so long gets a comment, and its head comes at once; 0: none"""
    hang_seconds: float = 600.0
    """a request that the fault `hang` keeps is dropped after this long at the latest"""
    seed: int = 1
    api_key: str | None = field(default=None, repr=False)
    """if given, /v1/* wants `Authorization: Bearer <api_key>`, as do the current generation's endpoints"""
    user: str | None = None
    """who can log in; with None nobody can"""
    password: str | None = field(default=None, repr=False)
    token_lifetime_seconds: float = 86400.0
    """of the token that a login gives"""
    cloud_keys: bool = False
    """treat the key of every cloud as present, with any environment"""

    def __post_init__(self) -> None:
        checks = (
            (1 <= self.port <= 65535, "port", "must be 1–65535"),
            (1 <= self.nodes <= 1000, "nodes", "must be 1–1000"),
            (len(self.node_paces) <= self.nodes, "node_paces", "must name no more than there are nodes"),
            (
                all(1 / MAX_PACE <= pace <= MAX_PACE for pace in self.node_paces),
                "node_paces",
                f"must be {1 / MAX_PACE:g}–{MAX_PACE:g} each",
            ),
            (self.node_port is None or 1 <= self.node_port <= 65535, "node_port", "must be 1–65535"),
            (self.node_port != self.port, "node_port", "must not be that of the router"),
            (0 <= self.router_overhead_seconds <= 60, "router_overhead_seconds", "must be 0–60"),
            (bool(self.models), "models", "must name at least one model"),
            (0 <= self.latency_median_seconds <= 3600, "latency_median_seconds", "must be 0–3600"),
            (
                self.latency_median_seconds <= self.latency_p99_seconds <= 3600,
                "latency_p99_seconds",
                "must be 3600 at most and not less than --latency-median",
            ),
            (
                self.latency_median_seconds > 0 or self.latency_p99_seconds == 0,
                "latency_p99_seconds",
                "must be 0 where --latency-median is 0",
            ),
            (0 <= self.inter_token_seconds <= 60, "inter_token_seconds", "must be 0–60"),
            (1 <= self.output_tokens <= MAX_OUTPUT_TOKENS, "output_tokens", f"must be 1–{MAX_OUTPUT_TOKENS}"),
            (
                0 <= self.reasoning_tokens <= MAX_OUTPUT_TOKENS,
                "reasoning_tokens",
                f"must be 0–{MAX_OUTPUT_TOKENS}",
            ),
            (
                1 <= self.tokens_per_event <= MAX_OUTPUT_TOKENS,
                "tokens_per_event",
                f"must be 1–{MAX_OUTPUT_TOKENS}",
            ),
            (
                self.heartbeat_seconds == 0 or 0.01 <= self.heartbeat_seconds <= 3600,
                "heartbeat_seconds",
                "must be 0.01–3600, or 0 for none",
            ),
            (0 < self.hang_seconds <= 86400, "hang_seconds", "must be more than 0 and 86400 at most"),
            (self.api_key is None or self.api_key != "", "api_key", "must not be empty"),
            ((self.user is None) == (not self.password), "user", "goes together with --password-env"),
            (
                0 < self.token_lifetime_seconds <= 30 * 86400,
                "token_lifetime_seconds",
                "must be more than 0 and 2592000 at most",
            ),
        )
        for right, name, rule in checks:
            if not right:
                # The API key alone must not be shown; its rule is enough.
                shown = "" if name == "api_key" else f" (is {getattr(self, name)!r})"
                raise ConfigurationError(f"simulated router: {OPTIONS.get(name, name)} {rule}{shown}")
