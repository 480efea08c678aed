"""The streaming engine: LLM streams, each event timed, each attempt counted once.

A load is one process or several (worker.py), each with its share of the connections on one event loop.
"""

from dataclasses import replace

from exporter import __version__
from exporter.clock import Clock, SystemClock
from exporter.errors import ConfigurationError
from exporter.live.message import Pair
from exporter.load.engine import LoadPlan
from exporter.load.stream.apis import api_of
from exporter.load.stream.running import RunningStream
from exporter.load.stream.shape import Asked, StreamShape
from exporter.load.workload import Workload

_ENCODINGS = frozenset({"gzip", "x-gzip", "deflate", "identity"})


def shape_of(workload: Workload) -> StreamShape:
    """A closed load of this workload alone."""
    api, pair = api_of(workload.endpoint), Pair(workload.route, workload.model)
    asked = Asked(0, workload.endpoint, workload.body, 1.0, api, workload.streams, 1)
    return StreamShape((asked,), (pair,))


class StreamEngine:
    """Sends LLM streams, and plain requests, from Python; needs no program."""

    name = "stream"

    def __init__(self, shape: StreamShape | None = None, clock: Clock | None = None) -> None:
        """`shape` None: a closed load of the workload alone."""
        self._shape = shape
        self._clock = clock or SystemClock()

    def check(self, workload: Workload) -> str:
        if workload.script is not None:
            raise ConfigurationError("--script: a wrk script needs --engine wrk")
        for name, value in workload.headers:
            asked = {each.partition(";")[0].strip().lower() for each in value.split(",")}
            if name.lower() == "accept-encoding" and not asked <= _ENCODINGS:
                raise ConfigurationError(
                    f"--header: Accept-Encoding: {value}: streams are read as they are, in gzip and in "
                    "deflate; ask for no other encoding"
                )
        return __version__

    def start(self, plan: LoadPlan) -> RunningStream:
        shape = self._shape or shape_of(plan.workload)
        # No worker without a connection, and so without a request.
        shape = replace(shape, workers=min(shape.workers, plan.connections))
        return RunningStream(plan, shape, self._clock)
