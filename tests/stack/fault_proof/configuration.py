"""The shipped configuration as the proof needs it: the webhook switched on, the leak rules scaled in time."""

import shutil
from pathlib import Path

import yaml

from exporter.stack.ports import HOST, Ports
from tests.support.checkout import CHECKOUT
from tests.support.scaled_rules import write_scaled_leak_rules

from .webhook import Webhook

SCRAPES_AN_EVALUATION = 5


def write_watched(file: Path, ports: Ports, host: bool, gpu_process: Path | None) -> Path:
    """What an exporter watches: its router, with `host` this machine, with a process of its own the GPU."""
    processes = [{"name": "router", "role": "router", "match": {"port": ports.router}}]
    if gpu_process is not None:
        processes.append({"name": "inference", "role": "node", "match": {"pid_file": str(gpu_process)}})
    document = {
        "router": {"url": ports.url("router")},
        "processes": processes,
        "host": host,
        "gpu": "off" if gpu_process is None else "required",
    }
    file.write_text(yaml.safe_dump(document), encoding="utf-8")
    return file


def write_alertmanager(file: Path, webhook: Webhook) -> Path:
    """The shipped alertmanager.yml with its webhook switched on, as prometheus/receivers/README.md says."""
    shipped = CHECKOUT / "prometheus" / "alertmanager.yml"
    document = yaml.safe_load(shipped.read_text(encoding="utf-8"))
    receivers = {receiver["name"]: receiver for receiver in document["receivers"]}
    token = file.with_name("webhook-token")
    token.write_text(webhook.token, encoding="ascii")
    ways = receivers["webhook"]["webhook_configs"]
    ways[0]["url"] = f"{webhook.url}/alerts"
    ways[0]["http_config"]["authorization"]["credentials_file"] = str(token)
    for name in ("critical", "warning"):
        receivers[name]["webhook_configs"] = ways
    file.write_text(yaml.safe_dump(document), encoding="utf-8")
    return file


def write_scaled_checkout(folder: Path, scale: float) -> Path:
    """A checkout whose Prometheus has the leak rules alone, on that scale of time, and scrapes to match."""
    configuration = folder / "prometheus"
    shutil.copytree(CHECKOUT / "prometheus", configuration, ignore=shutil.ignore_patterns("rules"))
    write_scaled_leak_rules(configuration / "rules", scale)
    file = configuration / "prometheus.yml"
    document = yaml.safe_load(file.read_text(encoding="utf-8"))
    interval = f"{round(60_000 * scale / SCRAPES_AN_EVALUATION)}ms"
    document["global"].update(scrape_interval=interval, scrape_timeout=interval)
    file.write_text(yaml.safe_dump(document), encoding="utf-8")
    return folder


def write_exporters(folder: Path, *ports: Ports) -> None:
    """The exporters that the Prometheus of a started stack, whose folder this is, scrapes."""
    targets = [{"targets": [f"{HOST}:{each.exporter}" for each in ports]}]
    file = folder / "prometheus" / "targets" / "exporter.yml"
    file.write_text(yaml.safe_dump(targets), encoding="utf-8")
