"""Simulated cloud routes, and `/metrics/cloud`."""

from bisect import bisect_left
from collections import Counter
from itertools import accumulate

from exporter.simulator.answer import Answer

KEY_ENVIRONMENT = {"openai": "OPENAI_API_KEY", "google": "GOOGLE_API_KEY", "anthropic": "ANTHROPIC_API_KEY"}
"""provider (also the prefix of its models) -> the environment variable that holds its key"""
BUCKETS_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
NO_ANSWER = "error"
"""the label of a request that got no whole answer"""


class Cloud:
    """One provider: an upstream with counters by status and a latency histogram."""

    def __init__(self, provider: str, key_present: bool) -> None:
        self.provider = provider
        self.pace = 1.0
        self.key_present = key_present
        self.requests: Counter[str] = Counter({"200": 0, NO_ANSWER: 0})
        self._bucket_counts = [0] * (len(BUCKETS_SECONDS) + 1)
        self._sum_seconds = 0.0

    def begin(self) -> None:
        """A request was sent; nothing is counted before its end."""

    def finish(self, status: int | None, seconds: float) -> None:
        """A request ended with this status after so long; None: without a whole answer."""
        self.requests[NO_ANSWER if status is None else str(status)] += 1
        self._bucket_counts[bisect_left(BUCKETS_SECONDS, seconds)] += 1
        self._sum_seconds += seconds

    def latency_lines(self) -> list[str]:
        """The histogram's samples as Prometheus text."""
        name, label = "cloud_request_latency_seconds", f'provider="{self.provider}"'
        buckets = list(zip((*BUCKETS_SECONDS, "+Inf"), accumulate(self._bucket_counts), strict=True))
        return [
            *(f'{name}_bucket{{{label},le="{bound}"}} {count}' for bound, count in buckets),
            f"{name}_sum{{{label}}} {self._sum_seconds!r}",
            f"{name}_count{{{label}}} {buckets[-1][1]}",
        ]


def metrics_answer(clouds: dict[str, Cloud]) -> Answer:
    """`/metrics/cloud` in Prometheus text format 0.0.4."""
    lines = [
        "# HELP cloud_requests_total Requests sent to cloud providers.",
        "# TYPE cloud_requests_total counter",
    ]
    for cloud in clouds.values():
        for status, count in sorted(cloud.requests.items()):
            lines.append(f'cloud_requests_total{{provider="{cloud.provider}",status="{status}"}} {count}')
    lines.append("# HELP cloud_request_latency_seconds Time to the answer of a cloud provider.")
    lines.append("# TYPE cloud_request_latency_seconds histogram")
    for cloud in clouds.values():
        lines += cloud.latency_lines()
    text = "\n".join(lines) + "\n"
    return Answer(200, text.encode(), b"text/plain; version=0.0.4; charset=utf-8")
