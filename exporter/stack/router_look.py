"""What a look at a router tells a stack: whether it answers, its nodes on this machine, its own metrics."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import psutil

from exporter.clock import Clock
from exporter.collectors.router.login import Login
from exporter.collectors.router.no_answer import NoAnswerError
from exporter.collectors.router.nodes_api import node_label
from exporter.collectors.router.probe import Answer, HttpProbe
from exporter.collectors.router.reading import NODE_SOURCES
from exporter.live.probe_result import result_of_status
from exporter.settings.exporter_config import Match, Role, WatchedProcess
from exporter.settings.machine import CONTAINER_HOST, Machine, plain_host
from exporter.settings.router_api import RouterApi
from exporter.settings.url import port_of
from exporter.stack.prometheus_files import RouterMetrics

MAX_NODES = 32
MAX_NAME = 48
METRICS_PATHS = ("/metrics/cloud", "/api/metrics/cloud", "/metrics")
"""of the first generation, of the current one (for a key), of others"""
_NO_NAME = re.compile(r"[^A-Za-z0-9_.:-]+")

Listening = Mapping[int, int | None]
"""TCP ports that are listened on here, and by which process; None: it is another user's, and not shown"""


@dataclass(frozen=True)
class RouterLook:
    """What was found."""

    problem: str = ""
    """why there was no answer; empty: it answers"""
    nodes: tuple[WatchedProcess, ...] = ()
    """those on this machine, by port"""
    metrics: RouterMetrics | None = None
    """None: none were found"""


def look_at(
    api: RouterApi, key: str | None, here: Machine, clock: Clock, login: Login | None = None
) -> RouterLook:
    """Ask the router, each answer within its time-out; whatever it does is in the look.

    Its nodes are asked as a user where there is a `login` that it takes.
    """
    probe = HttpProbe(api, clock)
    try:
        answer = probe.get("/v1/models", api.timeout_seconds, key)
    except NoAnswerError as error:
        return RouterLook(error.result.sentences(api.timeout_seconds)[0])
    if result_of_status(answer.status).unreadable:
        return RouterLook(f"HTTP {answer.status}")
    if login is not None and login.due():
        login.log_in(probe, api.timeout_seconds)
    token = login.token if login is not None else None
    return RouterLook(
        nodes=local_nodes(_listed_nodes(probe, api, token or key), api, here, listening_here),
        metrics=_metrics(probe, api, key),
    )


def local_nodes(
    entries: Sequence[Mapping[str, Any]], api: RouterApi, here: Machine, listening: Callable[[], Listening]
) -> tuple[WatchedProcess, ...]:
    """The nodes among a router's that run on this machine, by the ports on which they serve.

    What a router lists on loopback is on this machine only if the router is. `listening` is asked where a
    node may have more than one port: going through all sockets of a machine is not for nothing.
    """
    parts = urlsplit(api.url)
    host = plain_host(parts.hostname or "")
    router_is_here = host == CONTAINER_HOST or here.has(host)
    taken = {port_of(parts)} if router_is_here else set()
    found: dict[str, int] = {}
    for entry in entries:
        node, ports = _address(entry)
        is_here = router_is_here if node == "localhost" else bool(node) and here.has(node)
        if not is_here:
            continue
        free = [port for port in ports if port not in taken]
        for port in _served(free, listening)[: MAX_NODES - len(found)]:
            taken.add(port)
            found[_unused(_NO_NAME.sub("-", node_label(entry) or "node")[:MAX_NAME], found)] = port
    return tuple(
        WatchedProcess(name=name, role=Role.NODE, match=Match(port=port)) for name, port in found.items()
    )


def listening_here() -> Listening:
    """What is listened on over TCP, as far as it is shown."""
    try:
        sockets = psutil.net_connections("tcp")
    except (psutil.Error, OSError):
        return {}
    # Every socket of TCP has an address of its own; psutil's types do not say so.
    return {each.laddr.port: each.pid for each in sockets if each.laddr and each.status == psutil.CONN_LISTEN}


def _listed_nodes(probe: HttpProbe, api: RouterApi, bearer: str | None) -> list[Mapping[str, Any]]:
    """From the first source that lists nodes with their addresses."""
    for path in NODE_SOURCES:
        try:
            document = probe.get(path, api.timeout_seconds, bearer).json()
        except NoAnswerError:
            return []
        if isinstance(document, dict):
            lists = [document.get("nodes"), document.get("endpoints")]
            document = next((each for each in lists if isinstance(each, list)), None)
        if isinstance(document, list):
            entries: list[Mapping[str, Any]] = [each for each in document if isinstance(each, dict)]
            if any(_address(each)[0] for each in entries) or not entries:
                return entries
    return []


def _address(entry: Mapping[str, Any]) -> tuple[str, tuple[int, ...]]:
    """Host and ports of a node; an empty host where it names none.

    The first generation names the port of its runtime, and the OpenAI-compatible one is the next.
    """
    base = entry.get("base_url")
    try:
        if isinstance(base, str):
            parts = urlsplit(base)
            return plain_host(parts.hostname or ""), (port_of(parts),)
    except ValueError:
        return "", ()
    host, port = entry.get("ip_address"), entry.get("runtime_port")
    if isinstance(host, str) and type(port) is int and 0 < port < 65535:
        return plain_host(host), (port + 1, port)
    return "", ()


def _served(ports: Sequence[int], listening: Callable[[], Listening]) -> list[int]:
    """Those of a node's ports to watch: where something listens, each process once; else the first."""
    if len(ports) < 2:
        return list(ports)
    now = listening()
    found: dict[int | None, int] = {}
    for port in ports:
        if port in now:
            found.setdefault(now[port], port)
    return list(found.values()) or list(ports[:1])


def _unused(name: str, used: Mapping[str, object]) -> str:
    names = [name, *(f"{name}-{number}" for number in range(2, MAX_NODES + 3))]
    return next(each for each in names if each not in used and each != Role.ROUTER.value)


def _metrics(probe: HttpProbe, api: RouterApi, key: str | None) -> RouterMetrics | None:
    for path in METRICS_PATHS:
        for bearer in (None,) if key is None else (None, key):
            try:
                answer = probe.get(path, api.timeout_seconds, bearer)
            except NoAnswerError:
                return None
            if _is_exposition(answer):
                return RouterMetrics(path, wants_key=bearer is not None)
    return None


def _is_exposition(answer: Answer) -> bool:
    """Whether it is Prometheus text; the current generation's is empty until the first cloud request."""
    if answer.status != 200 or answer.body is None:
        return False
    return not answer.body.strip() or answer.body.lstrip().startswith(b"# ")
