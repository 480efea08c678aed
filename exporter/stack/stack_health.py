"""Whether the services of a stack are well, which of their pages are worth a link, and what it watches."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from prometheus_client.parser import text_string_to_metric_families

from exporter.errors import QueryError
from exporter.run.http_answer import Answer, BoundedHttp
from exporter.run.prometheus_client import PrometheusClient
from exporter.settings.login import NO_LOGIN
from exporter.stack.up_folder import size_of
from exporter.stack.up_state import ServiceRecord, StackRecord

ANSWER_SECONDS = 3.0
MAX_ANSWER_BYTES = 64 << 20
PAGES: Mapping[str, tuple[str, ...]] = {
    "router": ("/v1/models",),
    "exporter": ("/live",),
    # Debian's have other pages, or none.
    "prometheus": ("/alerts", "/classic/alerts", "/api/v1/alerts"),
    "alertmanager": ("/", "/api/v2/alerts"),
    "grafana": ("/",),
}
"""the pages of a service that may be worth a link, the best first"""
_SCRIPT = re.compile(rb"""<script[^>]*\bsrc=["']?([^"'\s>]+)""")


@dataclass(frozen=True)
class ServiceHealth:
    """One service."""

    name: str
    url: str
    problem: str
    """empty: it is well"""
    link: str | None
    """the page to open; None: there is none that answers"""
    pid: int | None
    starts: int


@dataclass(frozen=True)
class Watched:
    """What the exporter shows of a router, at this moment; None where it does not show it."""

    router_up: bool | None
    nodes: Mapping[str, int]
    """by status, those of 0 left out"""
    processes: Mapping[str, bool]
    """by name: whether it is there"""
    gpus: int


@dataclass(frozen=True)
class StackHealth:
    """A stack that runs."""

    record: StackRecord
    services: tuple[ServiceHealth, ...]
    watched: Watched | None
    """None: the exporter does not say"""
    data_bytes: int
    agents_up: int | None = None
    """of the agents that its Prometheus scrapes; None: there are none, or it does not say"""

    @property
    def is_well(self) -> bool:
        """Whether every service is."""
        return self.record.is_up and all(not each.problem for each in self.services)


def health_of(record: StackRecord, folder: Path) -> StackHealth:
    """Ask every service of a running stack."""
    services = tuple(_service(name, each) for name, each in record.services.items())
    exporter = record.url("exporter")
    watched = None if exporter is None else _watched(exporter)
    return StackHealth(record, services, watched, size_of(folder), _agents_up(record))


def _agents_up(record: StackRecord) -> int | None:
    prometheus, exporter = record.url("prometheus"), record.services.get("exporter")
    if not record.agents or prometheus is None or exporter is None:
        return None
    try:
        targets = PrometheusClient(prometheus).query('up{job="exporter"} == 1')
    except QueryError:
        return None
    own = urlsplit(exporter.url).netloc
    return sum(each.label("instance") != own for each in targets)


def takes_a_run(exporter: str) -> bool:
    """Whether a run is under way at this exporter, or that cannot be told."""
    try:
        text = _ask(f"{exporter}/metrics").body
    except QueryError:
        return True
    return re.search(rb"^benchmark_run_active(?:\{\})? 1", text, re.MULTILINE) is not None


def _service(name: str, record: ServiceRecord) -> ServiceHealth:
    if record.process is None or not record.process.is_alive:
        problem, link = "has ended, and will be started again", None
    else:
        problem = _problem(record)
        link = None if problem else _best_page(name, record.url)
    pid = record.process.pid if record.process is not None and record.process.is_alive else None
    return ServiceHealth(name, record.url, problem, link, pid, record.starts)


def _problem(record: ServiceRecord) -> str:
    try:
        answer = _ask(record.url + record.ready_path)
    except QueryError as error:
        return f"does not answer ({error})"
    return "" if answer.status == 200 else f"is not ready (HTTP {answer.status})"


def _best_page(name: str, url: str) -> str | None:
    for path in PAGES[name]:
        try:
            answer = _ask(url + path)
            if answer.status == 200 and _shows_something(url + path, answer):
                return url + path
        except QueryError:
            continue
    return None


def _shows_something(url: str, answer: Answer) -> bool:
    """Whether it is data, or a page with the scripts that draw it: those of Debian may lack them."""
    if answer.body[:1] in (b"{", b"["):
        return True
    scripts = [urljoin(url, each.decode("ascii", "replace")) for each in _SCRIPT.findall(answer.body)[:3]]
    return bool(scripts) and all(_ask(each).status == 200 for each in scripts)


def _ask(url: str) -> Answer:
    """The answer, a redirect included; raises QueryError."""
    return BoundedHttp(NO_LOGIN.session(), ANSWER_SECONDS, MAX_ANSWER_BYTES).ask("GET", url)


def _watched(exporter: str) -> Watched | None:
    try:
        text = _ask(f"{exporter}/metrics").body.decode("utf-8", "replace")
        samples = [
            sample
            for family in text_string_to_metric_families(text)
            if family.name in ("router_up", "router_nodes", "observed_process_up", "gpu_info")
            for sample in family.samples
        ]
    except (QueryError, ValueError):
        return None
    up = [sample.value for sample in samples if sample.name == "router_up"]
    return Watched(
        router_up=bool(up[0]) if up else None,
        nodes={
            sample.labels["status"]: int(sample.value)
            for sample in samples
            if sample.name == "router_nodes" and sample.value
        },
        processes={
            sample.labels["process"]: bool(sample.value)
            for sample in samples
            if sample.name == "observed_process_up"
        },
        gpus=sum(sample.name == "gpu_info" for sample in samples),
    )
