"""What a Prometheus keeps of 1, 10 and 100 agents: series, bytes a sample, memory, CPU.

One real agent (this host, eight GPUs of the NVML stub whose figures move, four processes) is asked once a
second, its CPUs are made as many as a GPU host has, and what it says is served under the names of as many
agents as are asked for. Each fleet has a Prometheus of its own, on the project's configuration and rules.
"""

import json
import math
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import psutil
import requests
import yaml
from agent_crowd import Fleet, moved, prometheus_of
from dashboard_cost import ask_all, slowest_of
from gpu_cost import gpu_exporter
from table import Row

from exporter.errors import SoakError
from exporter.settings.shipped import shipped
from exporter.stack.service import Service
from tests.support.contract_metrics import Scale, agent_series, is_kernel_name

FLEETS = (1, 10, 100)
MINUTES = 21
"""two full chunks of 120 samples, and a little"""
EVALUATIONS = 3
WAITING_SECONDS = 60
CPUS = 64
MAX_QUERY_SECONDS = 1
PROCESSES = 4


@dataclass(frozen=True)
class Kept:
    """What one Prometheus has of a fleet at the end."""

    agents: int
    computed: int
    """scraped series of an agent, by the list of metrics"""
    scraped: int
    """the same, as Prometheus counts them"""
    series: int
    """all that it holds: what it records, and its own, too"""
    samples_per_second: float
    chunk_bytes_per_sample: float
    index_bytes_per_series: float
    log_bytes_per_sample: float
    """of the write-ahead log, compressed"""
    resident_bytes: int
    cpus: float
    """of a core, over the whole time"""
    rules_seconds: Mapping[str, float]
    """CPU of one evaluation of each group of rules"""
    slowest_query: tuple[float, str]
    """of the dashboards, over all that it holds: its seconds, and where it is"""

    @property
    def bytes_per_hour(self) -> float:
        """On disk: the samples, and half the index, which a block of two hours has once."""
        samples = 3600 * self.samples_per_second * self.chunk_bytes_per_sample
        return samples + self.series * self.index_bytes_per_series / 2


def own_figures(url: str) -> dict[str, float]:
    """Prometheus' figures of itself; of those with labels the greatest."""
    found: dict[str, float] = {}
    for line in requests.get(f"{url}/metrics", timeout=30).text.splitlines():
        if line and line[0] != "#":
            name, _, value = line.partition("{")[0].partition(" ")
            number = float(value or line.rpartition(" ")[2])
            if not math.isnan(number):
                found[name] = max(found.get(name, number), number)
    return found


def _query(url: str, expression: str) -> float:
    answer = requests.get(f"{url}/api/v1/query", params={"query": expression}, timeout=60).json()
    return float(answer["data"]["result"][0]["value"][1])


def scale_of(text: str, processes: int, gpus: int) -> tuple[Scale, int]:
    """What the machine behind an exposition has, and how many names its kernel gives, by the labels alone."""

    def values(family: str, label: str) -> int:
        return len(set(re.findall(rf'^{family}{{.*?\b{label}="([^"]*)"', text, re.MULTILINE)))

    names = re.findall(r"^(node_\w+) ", text, re.MULTILINE)
    scale = Scale(
        processes=processes,
        gpus=gpus,
        cpus=values("node_cpu_seconds_total", "cpu"),
        collectors=values("exporter_collector_success", "collector"),
        disks=values("node_disk_io_now", "device"),
        filesystems=values("node_filesystem_size_bytes", "mountpoint"),
        interfaces=values("node_network_receive_bytes_total", "device"),
    )
    return scale, sum(is_kernel_name(name, frozenset()) for name in names)


def computed_series(text: str, processes: int, gpus: int) -> int:
    """How many series the list of metrics gives the agent that says this."""
    return agent_series(*scale_of(text, processes, gpus))


def _rules_seconds(url: str, configuration: Path, process: psutil.Process) -> dict[str, float]:
    """CPU of one evaluation of each group, by its rules as queries.

    From here on it scrapes and evaluates nothing, so that nothing else takes CPU. The time that an evaluation
    takes says more of what else runs on the machine.
    """
    moment = str(time.time())
    configuration.write_text("{}\n", encoding="utf-8")
    requests.post(f"{url}/-/reload", timeout=300).raise_for_status()

    def used() -> float:
        times = process.cpu_times()
        return float(times.user + times.system)

    found = {}
    for file in sorted(shipped("prometheus/rules").glob("*.yml")):
        for group in yaml.safe_load(file.read_text(encoding="utf-8"))["groups"]:
            before = used()
            for rule in group["rules"] * EVALUATIONS:
                asked = {"query": rule["expr"], "time": moment}
                requests.post(f"{url}/api/v1/query", data=asked, timeout=300).raise_for_status()
            found[group["name"]] = (used() - before) / EVALUATIONS
    return found


def _kept(service: Service, agents: int, computed: int, folder: Path, began: float) -> Kept:
    """What it holds now, by its own figures and by the block that it writes of it; `began` is monotonic."""
    own = own_figures(service.url)
    seconds = time.monotonic() - began
    process = psutil.Process(service.pid)
    used, resident = process.cpu_times(), process.memory_info().rss
    data = folder / f"prometheus-{agents}" / "data"
    log = sum(file.stat().st_size for file in (data / "wal").glob("0*"))
    appended = own["prometheus_tsdb_head_samples_appended_total"]
    scraped = _query(service.url, 'min(scrape_samples_scraped{job="exporter"})')
    if scraped != _query(service.url, 'max(scrape_samples_scraped{job="exporter"})'):
        raise SoakError(f"{agents} agents: some were scraped in part")
    answer = requests.post(f"{service.url}/api/v1/admin/tsdb/snapshot", timeout=300).json()
    [meta] = (data / "snapshots" / answer["data"]["name"]).glob("*/meta.json")
    stats = json.loads(meta.read_text(encoding="utf-8"))["stats"]
    chunks = sum(file.stat().st_size for file in (meta.parent / "chunks").iterdir())
    rules = _rules_seconds(service.url, data.parent / "prometheus.yml", process)
    # Nothing is scraped or evaluated any more, so this says what the query takes.
    asked = ask_all(service.url, time.time(), time.monotonic() - began)
    return Kept(
        agents=agents,
        computed=computed,
        scraped=round(scraped),
        series=round(own["prometheus_tsdb_head_series"]),
        samples_per_second=appended / seconds,
        chunk_bytes_per_sample=chunks / stats["numSamples"],
        index_bytes_per_series=(meta.parent / "index").stat().st_size / stats["numSeries"],
        log_bytes_per_sample=log / appended,
        resident_bytes=resident,
        cpus=(used.user + used.system) / seconds,
        rules_seconds=rules,
        slowest_query=slowest_of(asked),
    )


def _wait_for_all(url: str, gpus: int) -> None:
    """Wait until an agent has every series that it is to have: its GPUs are sampled when it is asked."""
    for _ in range(WAITING_SECONDS):
        text = requests.get(f"{url}/metrics", timeout=10).text
        if sum(not line.startswith("#") for line in text.splitlines()) == computed_series(
            text, PROCESSES, gpus
        ):
            return
        time.sleep(1)
    raise SoakError(f"the agent has other series than the list of metrics, after {WAITING_SECONDS} s")


def measure_retention(folder: Path, seconds: float, fleets: Sequence[int] = FLEETS) -> list[Kept]:
    """All fleets at the same time, each with its own Prometheus, for so long."""
    with ExitStack() as cleanup:
        options = ("--ingest.listen-address", "", "--results.folder", str(folder / "no-results"))
        agent, stub = cleanup.enter_context(gpu_exporter(folder, PROCESSES, *options))
        cleanup.enter_context(moved(stub))
        _wait_for_all(agent.url, len(stub.gpus))
        fleet = cleanup.enter_context(Fleet(agent.url, CPUS))
        began = time.monotonic()
        stores = {agents: cleanup.enter_context(prometheus_of(fleet, agents, folder)) for agents in fleets}
        time.sleep(seconds)
        computed = computed_series(fleet.text, PROCESSES, len(stub.gpus))
        return [_kept(store, agents, computed, folder, began) for agents, store in stores.items()]


def _dearest(kept: Kept) -> str:
    """The three groups whose evaluation takes most."""
    dearest = sorted(kept.rules_seconds.items(), key=lambda each: -each[1])[:3]
    return ", ".join(f"{name} {seconds:.2f} s" for name, seconds in dearest)


def retention_rows(found: Iterable[Kept]) -> list[Row]:
    """The table's rows."""
    rows = []
    for kept in found:
        name = f"{kept.agents} agent{'s' * (kept.agents > 1)}"
        rows += [
            Row(
                f"{name}: series of an agent, computed and scraped",
                f"{kept.computed}, {kept.scraped}",
                "equal",
                kept.computed == kept.scraped,
            ),
            Row(
                "  series in all; samples/s; bytes an hour",
                f"{kept.series:,}; {kept.samples_per_second:,.0f}; {kept.bytes_per_hour / 1e6:,.1f} MB",
            ),
            Row(
                "  bytes a sample: blocks, log; of the index a series",
                f"{kept.chunk_bytes_per_sample:.2f}, {kept.log_bytes_per_sample:.2f}; "
                f"{kept.index_bytes_per_series:.0f}",
            ),
            Row(
                "  Prometheus: memory, CPU; of an evaluation of its groups",
                f"{kept.resident_bytes / 2**20:,.0f} MiB, {100 * kept.cpus:.1f} % of a core; "
                f"{_dearest(kept)}",
            ),
            Row(
                "  slowest dashboard query, over all of it",
                f"{kept.slowest_query[0] * 1000:,.0f} ms: {kept.slowest_query[1]}",
                f"≤ {MAX_QUERY_SECONDS * 1000:,.0f} ms",
                kept.slowest_query[0] <= MAX_QUERY_SECONDS,
            ),
        ]
    return rows
