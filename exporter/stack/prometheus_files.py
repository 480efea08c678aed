"""The configuration of a stack's Prometheus: the project's own, with what this stack has to scrape."""

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from exporter.settings.login import HttpClientConfig
from exporter.settings.prometheus_rules import with_runbook_base
from exporter.settings.router_api import RouterApi
from exporter.settings.shipped import shipped
from exporter.settings.up_config import AgentGroup
from exporter.settings.url import port_of
from exporter.stack.ports import HOST, Ports

FOLDER = "prometheus"
METRICS_PATH = "/metrics/cloud"
KEY_JOB = "router-with-key"
"""of prometheus.yml; its targets are in a file of that name, like those of `router`"""


AGENTS_JOB = "exporter-agents"


@dataclass(frozen=True)
class RouterMetrics:
    """Where a router has metrics of its own, below its URL."""

    path: str = METRICS_PATH
    wants_key: bool = False


@dataclass(frozen=True)
class Scraped:
    """What is scraped beside the services of the stack; without a `router`, the stack's own."""

    router: RouterApi | None = None
    metrics: RouterMetrics = RouterMetrics()
    agents: Sequence[AgentGroup] = ()
    agents_login: HttpClientConfig | None = None


def write_prometheus(folder: Path, ports: Ports, scraped: Scraped, files: Path | None = None) -> Path:
    """Write configuration, rules and targets below a stack's folder; the configuration's file.

    `files` is a folder like the shipped `prometheus`, which is taken where none is given.
    No secret is copied: files that hold one are named where they are.
    """
    own = folder / FOLDER
    shutil.rmtree(own, ignore_errors=True)
    own.mkdir()
    if files is None:
        # The exporter of the stack serves the runbook.
        with_runbook_base(own / "rules", f"{ports.url('exporter')}/runbook")
    else:
        shutil.copytree(files / "rules", own / "rules")
    (own / "targets").mkdir()
    file = own / "prometheus.yml"
    source = shipped("prometheus/prometheus.yml") if files is None else files / "prometheus.yml"
    document = yaml.safe_load(source.read_text(encoding="utf-8"))
    jobs = {job["job_name"]: job for job in document["scrape_configs"]}
    key_file = None if scraped.router is None else scraped.router.api_key_file
    if scraped.router is not None:
        _ask_as(jobs["router"], scraped.router, None)
        _ask_as(jobs[KEY_JOB], scraped.router, key_file)
    if scraped.agents_login is not None:
        _log_in(jobs[AGENTS_JOB], scraped.agents_login)
    # Those whose secrets there are none of.
    unused = {KEY_JOB if key_file is None else "", AGENTS_JOB if scraped.agents_login is None else ""}
    document["scrape_configs"] = [job for name, job in jobs.items() if name not in unused]
    _write(file, document)
    write_targets(folder, ports, scraped)
    return file


def write_targets(folder: Path, ports: Ports, scraped: Scraped) -> None:
    """Write the targets alone: a Prometheus that runs reads them again."""
    groups = [{"targets": list(each.targets), "labels": dict(each.labels)} for each in scraped.agents]
    secured = scraped.agents_login is not None
    exporter = {"targets": [f"{HOST}:{ports.exporter}"]}
    router = _router_group(ports, scraped)
    with_key = scraped.metrics.wants_key
    files: Mapping[str, list[Any]] = {
        "exporter": [exporter, *([] if secured else groups)],
        "agents": groups if secured else [],
        "router": [] if with_key else [router],
        KEY_JOB: [router] if with_key else [],
        "prometheus": [{"targets": [f"{HOST}:{ports.prometheus}"]}],
        "alertmanager": [{"targets": [f"{HOST}:{ports.alertmanager}"]}],
    }
    for name, content in files.items():
        _write(folder / FOLDER / "targets" / f"{name}.yml", content)


def _router_group(ports: Ports, scraped: Scraped) -> dict[str, Any]:
    if scraped.router is None:
        return {"targets": [f"{HOST}:{ports.router}"]}
    parts = urlsplit(scraped.router.url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    labels = {"__metrics_path__": parts.path + scraped.metrics.path, "__scheme__": parts.scheme}
    return {"targets": [f"{host}:{port_of(parts)}"], "labels": labels}


def _ask_as(job: dict[str, Any], router: RouterApi, key_file: Path | None) -> None:
    """As the exporter asks it: trusting the same certificates, with the same key."""
    trust = router.tls_config.model_dump(mode="json", exclude_defaults=True)
    if trust:
        job["tls_config"] = trust
    if key_file is not None:
        job["authorization"] = {"credentials_file": str(key_file)}


def _log_in(job: dict[str, Any], login: HttpClientConfig) -> None:
    job.pop("basic_auth", None)
    if login.basic_auth is not None:
        job["basic_auth"] = login.basic_auth.model_dump(mode="json", exclude_defaults=True)
    trust = login.tls_config.model_dump(mode="json", exclude_defaults=True)
    if trust:
        job["tls_config"] = trust


def _write(file: Path, content: Any) -> None:
    """Whole, by rename: Prometheus may be reading."""
    unfinished = file.with_name(f".{file.name}.{os.getpid()}")
    # No aliases: two jobs share lists of rules.
    unfinished.write_text(yaml.dump(content, Dumper=_Plain, sort_keys=False), encoding="utf-8")
    unfinished.replace(file)


class _Plain(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True
