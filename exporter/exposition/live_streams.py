"""What the live page shows of a run's streams."""

from dataclasses import asdict
from typing import Any

from exporter.exposition.last_hour import Hour
from exporter.live.message import STREAM_ENGINE, StreamEnd
from exporter.live.run import Run
from exporter.live.stream_counts import StreamCounts
from exporter.verdict.lateness import MAX_RATIO, MIN_BOUND_SECONDS

RATE_SECONDS = 10


def streams_of(run: Run, streams: StreamCounts | None, hour: Hour, active: bool) -> dict[str, Any] | None:
    """None where the run has none; what is of now is so only while it is active."""
    if run.info.engine != STREAM_ENGINE and streams is None:
        return None
    recent = {name: hour.newest(f"first_{name}") if active else None for name in ("p50", "p99")}
    shown: dict[str, Any] = {
        "tokens_per_second": run.recent_tokens(RATE_SECONDS) if active else None,
        "goodput": run.recent_goodput() if active else _goodput(run, streams),
        "recent_first_token": recent,
    }
    if streams is None:
        return {**shown, "counted": False}
    overhead = streams.overhead_first_token
    late = [streams.client_lag["0.99"], streams.send_lateness["0.99"]]
    bound = max(MIN_BOUND_SECONDS, MAX_RATIO * (streams.first_token["0.5"] or 0.0))
    return {
        **shown,
        "counted": True,
        "complete": streams.ends[StreamEnd.COMPLETE],
        "ends": {
            end.value: count
            for end, count in streams.ends.items()
            if count and end not in (StreamEnd.COMPLETE, StreamEnd.ABORTED)
        },
        "aborted": streams.ends[StreamEnd.ABORTED],
        "output_tokens": streams.output_tokens,
        "without_usage": streams.without_usage,
        "skipped": streams.skipped,
        "first_token": {"p50": streams.first_token["0.5"], "p99": streams.first_token["0.99"]},
        "overhead": None if overhead is None else asdict(overhead),
        "client_lag": late[0],
        "send_lateness": late[1],
        "late_bound": bound,
        "is_late": any(each is not None and each > bound for each in late),
    }


def _goodput(run: Run, streams: StreamCounts | None) -> float | None:
    known = run.info.goodput is not None and streams is not None and streams.ended
    return streams.good / streams.ended if known and streams is not None else None
