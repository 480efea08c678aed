"""A node on a port of its own, asked past the router."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from exporter.clock import Clock
from exporter.simulator.answer import Answer, RefusedError, not_allowed
from exporter.simulator.completion import Planner
from exporter.simulator.connection import Connection
from exporter.simulator.exchange import Conditions, Exchange
from exporter.simulator.inference import Kind
from exporter.simulator.node import Node
from exporter.simulator.request import Request, split_target


@dataclass(slots=True)
class _Past:
    """The node as an upstream whose requests the router knows nothing of."""

    pace: float

    def begin(self) -> None:
        """A request was sent."""

    def finish(self, status: int | None, seconds: float) -> None:
        """It ended."""


class DirectNode:
    """Answers inference and /v1/models as the router does, but without the router's own time and faults.

    Its requests are in `truth` alone. While the router says that it is offline, it closes connections.
    """

    def __init__(
        self,
        node: Node,
        planner: Planner,
        conditions: Conditions,
        numbers: Iterator[int],
        clock: Clock,
        models: Callable[[], Answer],
    ) -> None:
        self.truth = conditions.truth
        self.connections: set[Connection] = set()
        self._node = node
        self._planner = planner
        self._conditions = conditions
        self._numbers = numbers
        self._clock = clock
        self._models = models

    def handle(self, request: Request, connection: Connection) -> None:
        """Answer a request now or later."""
        self.truth.requests += 1
        if not self._node.online:
            self.truth.dropped += 1
            connection.drop()
            return
        inference = False
        try:
            path, _ = split_target(request)
            kind = next((kind for kind in Kind if kind.value == path), None)
            if kind is not None:
                inference = True
                if request.method != b"POST":
                    raise not_allowed("POST")
                plan = self._planner.plan(kind, request.body)
                answer = plan.answer(next(self._numbers), int(self._clock.wall()))
                Exchange(self._conditions, connection, answer, _Past(self._node.pace)).start()
                return
            if path != "/v1/models":
                raise RefusedError(404, f"{path}: there is no such endpoint")
            if request.method not in (b"GET", b"HEAD"):
                raise not_allowed("GET, HEAD")
            shown = self._models()
        except RefusedError as refused:
            shown = refused.answer
        self.truth.answered(shown.status, inference)
        connection.send(shown)
