"""The simulated router: which request gets which answer, and where it is sent."""

import asyncio
import hmac
import os
import random
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import count
from typing import Any

from exporter.clock import Clock
from exporter.simulator.admin import PREFIX, Admin
from exporter.simulator.answer import Answer, RefusedError, json_answer, not_allowed
from exporter.simulator.cloud import KEY_ENVIRONMENT, Cloud, metrics_answer
from exporter.simulator.completion import Planner
from exporter.simulator.connection import Connection
from exporter.simulator.direct import DirectNode
from exporter.simulator.effects import RouterEffects
from exporter.simulator.exchange import Conditions, Exchange, latency_sampler
from exporter.simulator.faults import Faults, Place
from exporter.simulator.inference import Kind
from exporter.simulator.login import LOGIN_PATH, UnauthorizedError, Users
from exporter.simulator.node import Node, NodePool, Serving, timestamp
from exporter.simulator.nodes_api import current_overview_document, endpoints_document, overview_document
from exporter.simulator.options import Generation, SimulatorOptions
from exporter.simulator.request import Request, split_target
from exporter.simulator.truth import Truth

INFERENCE = {kind.value.encode(): kind for kind in Kind}
GUARDED = ("/v1/", "/api/endpoints", "/api/metrics/")
"""how the paths begin that need the API key, where there is one"""
OVERVIEW_PATH = "/api/dashboard/overview"
MODEL_STATS = re.compile(r"/api/endpoints/([^/]+)/model-stats")
LOCAL_TAG = re.compile(r"\d|latest$")
"""`llama3:8b` names a local model with its tag, `mistral:large` one with the prefix of a cloud"""


class Router:
    """Answers every connection of the listener. `restart` is called with the downtime in seconds.

    `environment` is where the keys of the clouds are looked for; only whether they are there counts.
    """

    def __init__(
        self,
        options: SimulatorOptions,
        loop: asyncio.AbstractEventLoop,
        clock: Clock,
        environment: Mapping[str, str],
        truth: Truth,
        restart: Callable[[float], None],
        restarts: int,
    ) -> None:
        self._options = options
        self._clock = clock
        self._restarts = restarts
        self._started_at = clock.wall()
        self._users = Users(options, clock)
        self._key = None if options.api_key is None else f"Bearer {options.api_key}".encode()
        self._clouds = {
            provider: Cloud(provider, options.cloud_keys or bool(environment.get(variable)))
            for provider, variable in KEY_ENVIRONMENT.items()
        }
        self.connections: set[Connection] = set()
        """those that are open"""
        self._pool = NodePool(options.nodes, options.models, clock, options.node_paces)
        self._planner = Planner(options.output_tokens, options.reasoning_tokens, options.tokens_per_event)
        self._numbers = count(1)
        self.truth = truth
        self._faults = Faults(options.seed)
        self._conditions = Conditions(
            loop=loop,
            clock=clock,
            faults=self._faults,
            truth=self.truth,
            latency=latency_sampler(
                options.latency_median_seconds, options.latency_p99_seconds, random.Random(options.seed)
            ),
            inter_token_seconds=options.inter_token_seconds,
            heartbeat_seconds=options.heartbeat_seconds,
            hang_seconds=options.hang_seconds,
        )
        self._effects = RouterEffects(
            self._conditions, self._pool, self.connections, restart, self._users.expire_tokens
        )
        self.node = DirectNode(
            self._pool.nodes[0],
            self._planner,
            self._past_the_router(),
            self._numbers,
            clock,
            lambda: json_answer(200, self._models_document()),
        )
        self._admin = Admin(self._faults, self._effects, self.truth_document)
        self._documents = {
            "/v1/models": self._models_document,
            **(self._first() if options.generation == Generation.FIRST else self._current()),
        }

    def handle(self, request: Request, connection: Connection) -> None:
        """Answer a request now or later."""
        kind = INFERENCE.get(request.target)
        if kind is None or request.refusal is not None:
            try:
                path, query = split_target(request)
            except RefusedError as refused:
                self.truth.requests += 1
                self._refuse(connection, refused.answer, inference=kind is not None)
                return
            if path.startswith(PREFIX):
                connection.exempt = True
                command = request.method.decode(), path, query, request.body
                connection.send(_answer_or_refusal(lambda: self._admin.answer(*command)))
                return
            kind = INFERENCE.get(path.encode())
        self.truth.requests += 1
        if kind is None:
            answer = _answer_or_refusal(lambda: self._document(request, path))
            place: Place = "login" if path == LOGIN_PATH else "other"
            Exchange(self._conditions, connection, answer, upstream=None, place=place).start()
        else:
            self._infer(kind, request, connection)

    def truth_document(self) -> dict[str, Any]:
        """The ground truth as `/admin/truth` has it."""
        now = self._clock.wall()
        return {
            "pid": os.getpid(),
            "restarts": self._restarts,
            "started_at": timestamp(self._started_at),
            "uptime_seconds": now - self._started_at,
            **self.truth.document(),
            "hanging": len(self._conditions.hanging),
            "stalling": len(self._conditions.stalling),
            "node": self.node.truth.document(),
            "leaked_bytes": self._effects.memory.leaked_bytes,
            "leaked_fds": self._effects.fds.leaked_fds,
            "written_bytes": self._effects.rows.bytes,
            "logins": self._users.logins,
        }

    def _past_the_router(self) -> Conditions:
        """What holds for a node that is asked itself; its draws change none of the router's."""
        options = self._options
        return replace(
            self._conditions,
            faults=Faults(options.seed),
            truth=Truth(),
            latency=latency_sampler(
                options.latency_median_seconds,
                options.latency_p99_seconds,
                random.Random(f"{options.seed}/node"),
            ),
            saved_seconds=options.router_overhead_seconds,
            hanging=set(),
            stalling=set(),
        )

    def _first(self) -> dict[str, Callable[[], object]]:
        pool = self._pool
        return {
            "/api/nodes": lambda: [node.api_document() for node in pool.nodes],
            "/api/dashboard/nodes": lambda: [node.dashboard_document() for node in pool.nodes],
            OVERVIEW_PATH: lambda: overview_document(pool, self._clouds, self._clock),
            "/metrics/cloud": lambda: metrics_answer(self._clouds),
        }

    def _current(self) -> dict[str, Callable[[], object]]:
        return {
            "/api/endpoints": lambda: endpoints_document(self._pool),
            OVERVIEW_PATH: lambda: current_overview_document(
                self._pool, self._clouds, self.truth, self._clock
            ),
            "/api/metrics/cloud": lambda: metrics_answer(self._clouds),
        }

    def _infer(self, kind: Kind, request: Request, connection: Connection) -> None:
        if not self._faults.none:
            self._effects.request()
        try:
            self._authorize(request)
            if request.method != b"POST":
                raise not_allowed("POST")
            plan = self._planner.plan(kind, request.body)
            found = self._upstream(plan.model)
        except RefusedError as refused:
            self._refuse(connection, refused.answer, inference=True)
            return
        answer = plan.answer(next(self._numbers), int(self._clock.wall()))
        upstream = Serving(found, plan.model, answer.output_tokens) if isinstance(found, Node) else found
        Exchange(self._conditions, connection, answer, upstream).start()

    def _refuse(self, connection: Connection, answer: Answer, inference: bool) -> None:
        self.truth.answered(answer.status, inference)
        connection.send(answer)

    def _authorize(self, request: Request) -> None:
        if self._key is None or hmac.compare_digest(request.authorization or b"", self._key):
            return
        if self._options.generation == Generation.CURRENT:
            missing = "Missing X-API-Key header or Authorization header"
            raise UnauthorizedError(missing if request.authorization is None else "Invalid API key")
        message = "a valid API key is required: Authorization: Bearer <key>"
        raise RefusedError(401, message, "invalid_api_key", b"WWW-Authenticate: Bearer\r\n")

    def _upstream(self, model: str) -> Cloud | Node:
        prefix, colon, tag = model.partition(":")
        if cloud := self._clouds.get(prefix) if colon else None:
            if not cloud.key_present:
                message = f"{KEY_ENVIRONMENT[prefix]} is not set: there is no key for {prefix}"
                raise RefusedError(401, message, "missing_cloud_key")
            return cloud
        if colon and model not in self._options.models and not LOCAL_TAG.match(tag):
            message = f"unknown prefix {prefix!r} of the model; known are: {', '.join(self._clouds)}"
            raise RefusedError(400, message, "unknown_prefix")
        node = self._pool.next_online()
        if node is None:
            raise RefusedError(503, "no node is online", "no_node_available")
        return node

    def _document(self, request: Request, path: str) -> Answer:
        if path == LOGIN_PATH:
            return self._users.log_in(request)
        make = self._documents.get(path) or self._model_stats(path)
        if make is None:
            raise RefusedError(404, f"{path}: there is no such endpoint")
        has_token = self._users.is_token(request.authorization)
        if path == OVERVIEW_PATH and self._options.generation == Generation.CURRENT and not has_token:
            raise UnauthorizedError("Missing Authorization header or JWT cookie")
        if path.startswith(GUARDED) and (path.startswith("/v1/") or not has_token):
            self._authorize(request)
        if request.method not in (b"GET", b"HEAD"):
            raise not_allowed("GET, HEAD")
        document = make()
        return document if isinstance(document, Answer) else json_answer(200, document)

    def _model_stats(self, path: str) -> Callable[[], object] | None:
        """Of the endpoint in this path, where there is such a one."""
        found = MODEL_STATS.fullmatch(path)
        if found is None or self._options.generation != Generation.CURRENT:
            return None
        nodes = [node for node in self._pool.nodes if node.id == found[1]]
        return nodes[0].model_stats_document if nodes else None

    def _models_document(self) -> dict[str, Any]:
        created = int(self._started_at)
        models = [
            {"id": model, "object": "model", "created": created, "owned_by": "simulator"}
            for model in self._options.models
        ]
        return {"object": "list", "data": models}


def _answer_or_refusal(make: Callable[[], Answer]) -> Answer:
    try:
        return make()
    except RefusedError as refused:
        return refused.answer
