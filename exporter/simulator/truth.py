"""The simulator's own ground truth, to which tests compare what was observed."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Truth:
    """What really happened since this worker started; the admin API's own requests are not counted."""

    requests: int = 0
    """requests read whole, or refused while being read"""
    responses: Counter[int] = field(default_factory=Counter)
    """whole responses sent, by status code"""
    inference_responses: Counter[int] = field(default_factory=Counter)
    """those of the three inference endpoints"""
    dropped: int = 0
    """requests answered by closing the connection, by the fault `drop_connections`"""
    truncated: int = 0
    """responses cut short by the fault `truncate`"""
    hung: int = 0
    """requests that met the fault `hang`, ended or not"""
    abandoned: int = 0
    """requests whose client closed the connection before the answer was whole, hung ones included"""
    streams: Counter[str] = field(default_factory=Counter)
    """streams that ended, by how: complete, aborted (the client closed the connection), or by a fault:
    truncated (cleanly), in_band, empty, stalled, disconnect (cut off)"""
    buffered: int = 0
    """streams held back by the fault `buffer`"""
    input_tokens: int = 0
    """of requests answered whole: plain answers of status 200 and complete streams"""
    output_tokens: int = 0
    """of those answers"""
    idle_cuts: int = 0
    """connections closed by the fault `idle_cut`"""
    connections: int = 0
    """connections accepted"""
    open_connections: int = 0
    """connections open right now, that of the asking admin client included"""

    def answered(self, status: int, inference: bool) -> None:
        """Count a whole response."""
        self.responses[status] += 1
        if inference:
            self.inference_responses[status] += 1

    def document(self) -> dict[str, Any]:
        """The counters; JSON makes strings of the status codes."""
        by_status = ("responses", "inference_responses", "streams")
        return vars(self) | {name: dict(sorted(getattr(self, name).items())) for name in by_status}
