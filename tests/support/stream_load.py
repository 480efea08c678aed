"""A short load of the streaming engine in this process, and what it counted."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from exporter.clock import Clock, SystemClock
from exporter.live.histogram import Histogram, bounds_of
from exporter.live.message import Pair, Phase, Route, RunInfo, StreamEnd, WorkerCounts
from exporter.live.run import Run
from exporter.live.runs import LiveRuns
from exporter.live.status import RunStatus
from exporter.live.stream_counts import StreamCounts
from exporter.live.totals import Totals
from exporter.live.wire import decode
from exporter.load.stream.account import Account
from exporter.load.stream.apis import api_of
from exporter.load.stream.loop import EpollLoop
from exporter.load.stream.shape import Asked, StreamShape
from exporter.load.stream.worker import Worker
from exporter.load.stream.worker_plan import Limits, WorkerPlan, WorkerResult

CHAT = "/v1/chat/completions"
TOKEN = b"0123456789abcdef"


@dataclass(frozen=True)
class Counted:
    """What a load left."""

    account: Account
    status: RunStatus
    """of its last report"""
    totals: Totals
    """the same with every histogram"""
    in_flight: int
    stalled: int
    waiting_ms: int

    @property
    def responses(self) -> int:
        """Whole responses of every status, complete streams among them; its own account has as many."""
        assert self.account.responses == self.status.responses
        return self.account.responses

    @property
    def streams(self) -> StreamCounts:
        assert self.status.streams is not None
        return self.status.streams

    @property
    def ends(self) -> dict[str, int]:
        """Streams by their end, those that there were."""
        found = self.status.streams.ends if self.status.streams else dict.fromkeys(StreamEnd, 0)
        return {end.value: count for end, count in found.items() if count}

    @property
    def failures(self) -> dict[str, int]:
        """Attempts by the reason of their failure, those that there were; the own account has the same."""
        live = {reason.value: count for reason, count in self.status.failures.items() if count}
        assert live == {reason.value: count for reason, count in self.account.failures.items() if count}
        return live

    def observed(self, histogram: Histogram, page: int = 0) -> list[tuple[float, float]]:
        """The values of a histogram in order, each as the bounds of its bucket in seconds."""
        return observed_in(self.totals, histogram, page)

    def events_per_read(self) -> list[int]:
        """Events of each read that brought any, in order of size."""
        return [round(low * 1e6) for low, _ in self.observed(Histogram.EVENTS_PER_READ)]


def observed_in(totals: Totals, histogram: Histogram, page: int = 0) -> list[tuple[float, float]]:
    """The values of a histogram in order, each as the bounds of its bucket in seconds.

    `page`: the status class, of durations.
    """
    durations = histogram is Histogram.DURATION
    counts = totals.of_class(page) if durations else totals.of(histogram)
    return [
        (low / 1e6, high / 1e6)
        for bucket, count in enumerate(counts)
        for low, high in [bounds_of(bucket)] * count
    ]


def asked(
    endpoint: str = CHAT, stream: bool = True, pair: int = 0, body: bytes | None = None, choices: int = 1
) -> Asked:
    if body is None:
        body = json.dumps({"model": "m", "stream": stream, "messages": []}).encode()
    return Asked(pair, endpoint, body, 1.0, api_of(endpoint), stream, choices)


def shape_of(requests: Sequence[Asked] = (), pairs: int = 1, **changes: Any) -> StreamShape:
    names = tuple(Pair(Route.LOCAL, f"m{place}") for place in range(pairs))
    return StreamShape(tuple(requests) or (asked(),), names, **changes)


def load(
    url: str,
    shape: StreamShape | None = None,
    connections: int = 1,
    max_requests: int | None = 1,
    seconds: int = 20,
    stall_after: float = 30.0,
    headers: tuple[tuple[str, str], ...] = (),
    clock: Clock | None = None,
) -> Counted:
    """Run it to its end; by default that of one request."""
    shape = shape or shape_of()
    clock = clock or SystemClock()
    limits = Limits(connections, max_requests, stall_after)
    plan = WorkerPlan(TOKEN, url, headers, shape, 0, 0, limits, seconds, "127.0.0.1", 9)
    loop = EpollLoop()
    try:
        result = Worker(plan, loop, clock).run(clock.monotonic())
    finally:
        loop.close()
    return counted(result, shape, connections)


def counted(result: WorkerResult, shape: StreamShape, connections: int) -> Counted:
    """What a worker left, joined as the exporter joins it."""
    messages = [decode(datagram) for datagram in result.datagrams]
    run, first = run_of(messages, shape, connections), messages[0]
    status = status_of(messages, shape, connections)
    return Counted(result.account, status, run.published, first.in_flight, first.stalled, first.waiting_ms)


def status_of(messages: Sequence[WorkerCounts], shape: StreamShape, connections: int) -> RunStatus:
    """The status of the run of which these are the reports."""
    return RunStatus.of(run_of(messages, shape, connections), SystemClock().monotonic())


def run_of(messages: Sequence[WorkerCounts], shape: StreamShape, connections: int) -> Run:
    """The run of which these are the reports."""
    runs = LiveRuns(SystemClock())
    info = RunInfo(
        run="0" * 16,
        scenario="local",
        engine="stream",
        pairs=shape.pairs,
        target="http://127.0.0.1",
        connections=connections,
        label="test",
        start_timestamp_seconds=0.0,
        planned_duration_seconds=1.0,
        stall_after_seconds=30.0,
    )
    runs.register(info, TOKEN, Phase.LOAD)
    for message in messages:
        runs.apply(message)
    return runs.runs[info.run]
