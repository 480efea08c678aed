"""What is shown of a stack: links that answer with something to see, what it watches, whether it is well."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from exporter.settings.url import port_of
from exporter.stack.servers import PASSWORD_FILE
from exporter.stack.stack_health import ServiceHealth, StackHealth

WIDTH = 14
TITLES = {
    "router": "router",
    "exporter": "live page",
    "prometheus": "Prometheus",
    "alertmanager": "Alertmanager",
    "grafana": "Grafana",
}
SHOWN = ("exporter", "grafana", "prometheus", "alertmanager", "router")
"""in this order"""


def stack_lines(health: StackHealth, folder: Path) -> Iterator[str]:
    """The links of a stack, the page to open first of all; a service that is not well says why."""
    services = {each.name: each for each in health.services}
    for name in SHOWN:
        if name in services:
            yield f"{TITLES[name]:<{WIDTH}}{_said(services[name], health, folder)}"
        elif name in health.record.absent:
            yield f"{TITLES[name]:<{WIDTH}}{health.record.absent[name]}"
    yield f"{'watched':<{WIDTH}}{_watched(health)}"
    if not health.record.is_demo:
        kept = "" if "prometheus" not in services else f", Prometheus up to {health.record.retention_size}"
        yield f"{'data':<{WIDTH}}{folder} ({shown_size(health.data_bytes)}{kept})"


def next_commands(health: StackHealth) -> Iterator[str]:
    """What to type now."""
    target = _target_option(health.record.target)
    yield f"soak run{target} --duration 10m      a load of this project, and its verdict"
    yield f"soak watch{target} -- COMMAND        your own load tool, watched and judged"


def head_line(health: StackHealth) -> str:
    """The stack in one line."""
    record = health.record
    since = f"{datetime.fromtimestamp(record.since).astimezone():%Y-%m-%d %H:%M}"
    how = f"{'detached' if record.detached else 'in the foreground'}, process {record.keeper.pid}"
    state = "well" if health.is_well else "not well" if record.is_up else "being brought up"
    return f"{record.name}: {state}; watches {record.target} since {since}, {how}"


def stack_document(health: StackHealth, folder: Path) -> dict[str, Any]:
    """The same as JSON."""
    record, watched = health.record, health.watched
    return {
        "name": record.name,
        "running": True,
        "well": health.is_well,
        "target": record.target,
        "since": record.since,
        "detached": record.detached,
        "pid": record.keeper.pid,
        "folder": str(folder),
        "data_bytes": health.data_bytes,
        "retention_size": record.retention_size,
        "services": {
            each.name: {
                "url": each.url,
                "link": each.link,
                "well": not each.problem,
                "problem": each.problem or None,
                "pid": each.pid,
                "starts": each.starts,
            }
            for each in health.services
        },
        "absent": record.absent,
        "notes": list(record.notes),
        "router_up": None if watched is None else watched.router_up,
        "nodes": None if watched is None else dict(watched.nodes),
        "processes": None if watched is None else dict(watched.processes),
        "gpus": None if watched is None else watched.gpus,
        "agents": health.record.agents,
        "agents_up": health.agents_up,
    }


def _said(service: ServiceHealth, health: StackHealth, folder: Path) -> str:
    if service.problem:
        return f"{service.problem}  ({folder / service.name}.log)"
    restarts = f"  (started {service.starts} times)" if service.starts > 1 else ""
    if service.name == "grafana":
        restarts += f"  (admin's password: {folder / PASSWORD_FILE})"
    return f"{service.link or service.url}{restarts}"


def _watched(health: StackHealth) -> str:
    watched = health.watched
    if watched is None:
        return "the exporter does not say"
    router = {True: "the router answers", False: "the router does not answer", None: "not asked yet"}
    said = [router[watched.router_up]]
    if watched.nodes:
        said.append("nodes " + ", ".join(f"{count} {status}" for status, count in watched.nodes.items()))
    if watched.processes:
        said.append(
            "processes "
            + ", ".join(f"{name}{'' if up else ' (not found)'}" for name, up in watched.processes.items())
        )
    else:
        said.append("no process on this machine")
    said.append(f"{watched.gpus or 'no'} GPU{'' if watched.gpus == 1 else 's'}")
    if health.record.agents:
        up = "–" if health.agents_up is None else health.agents_up
        said.append(f"{up} of {health.record.agents} agents up")
    return "; ".join(said)


def shown_size(size: int) -> str:
    """Bytes in MB, for people."""
    return f"{size / (1 << 20):,.0f} MB" if size >= 1 << 20 else "under 1 MB"


def _target_option(target: str) -> str:
    parts = urlsplit(target)
    is_default = parts.hostname in ("localhost", "127.0.0.1") and port_of(parts) == 8080 and parts.path == ""
    return "" if is_default else f" --target {target}"
