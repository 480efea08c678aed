"""How many series an exporter can have at most: from the list of metrics, and checked in a hostile scene."""

import re
import shutil
import urllib.request
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client.core import Metric

from exporter.collectors.benchmark.results import ResultsCollector
from exporter.collectors.collector import Collector
from exporter.collectors.host.host import NodeCollector
from exporter.collectors.priority import RightOfWay
from exporter.collectors.process.process import ProcessCollector
from exporter.collectors.router.reading import RouterReader
from exporter.collectors.router.router import RouterCollector
from exporter.live.ingest import Ingest
from exporter.live.message import STREAM_ENGINE, Phase, Route
from exporter.live.runs import MAX_MODELS, LiveRuns
from exporter.live.wire import encode
from exporter.settings.exporter_config import Match, Role, WatchedProcess
from exporter.settings.router_api import RouterApi
from tests.support import exporter_scene as scene
from tests.support.checkout import CHECKOUT, GOLDEN
from tests.support.clocks import FakeClock
from tests.support.contract_metrics import (
    BY_SCRAPE,
    CONTRACT,
    EXPORTER,
    GROWTH_RECORDS,
    HOST,
    LOAD,
    MAX_KERNEL_NAMES,
    PROCESSES,
    RESULTS,
    ROUTER,
    STREAMS,
    WRITTEN_RECORDS,
    Scale,
    agent_series,
    max_series,
    recorded_series,
)
from tests.support.live_messages import answered, register
from tests.support.local_http import LocalHttp
from tests.support.prometheus_files import rules_in

HOSTILE = Scale(processes=16, cpus=8, gpus=0, collectors=4)


def series(families: list[Metric]) -> int:
    return sum(len(family.samples) for family in families)


def family_of(sample: str) -> str:
    """The name of the family of a line of the exposition."""
    name = re.split(r"[{ ]", sample, maxsplit=1)[0]
    stem = re.sub(r"_(bucket|count|sum)\Z", "", name)
    return stem if stem in CONTRACT else name


def samples_of(text: str) -> list[str]:
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def test_the_golden_scene_is_within_its_bound() -> None:
    samples = samples_of((GOLDEN / "exposition.txt").read_text(encoding="utf-8"))
    scale = Scale(processes=len(scene.PROCESSES), cpus=2, gpus=2, collectors=5, models=2)
    found = Counter(family_of(sample) for sample in samples)
    bounds = {name: CONTRACT[name].max_series(scale) for name in found if name in CONTRACT}
    assert len(found.keys() - bounds.keys()) <= MAX_KERNEL_NAMES
    assert [name for name, bound in bounds.items() if found[name] > bound] == []


def hostile_proc(root: Path) -> Path:
    """The recorded /proc with thousands of disks, mounts and interfaces, and 20 listeners more."""
    shutil.copytree(scene.PROC, root, symlinks=True)
    for name, line in (
        ("diskstats", " 253 {n} dm-{n} 1 2 3 4 5 6 7 8 9 10 11\n"),
        ("mounts", "tmpfs /var/lib/kubelet/pods/{n}/volumes/token tmpfs rw 0 0\n"),
        ("1/net/dev", "veth{n}: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n"),
    ):
        with (root / name).open("a", encoding="utf-8") as table:
            table.writelines(line.format(n=number) for number in range(3000))
    (root / "stat").write_text(
        "".join(f"cpu{number} 1 2 3 4 5 6 7 8 0 0\n" for number in range(HOSTILE.cpus))
        + "intr 1\nctxt 1\nbtime 1700000000\nprocesses 1\nprocs_running 1\nprocs_blocked 0\n",
        encoding="utf-8",
    )
    return root


def hostile_router() -> LocalHttp:
    """10,000 nodes with statuses of their own, and 1,000 models."""
    nodes = [
        {
            "machine_name": f"node-{number}",
            "status": f"status-{number}",
            "active_requests": number,
            "successful_requests": 1,
            "failed_requests": 1,
        }
        for number in range(10_000)
    ]
    stats = dict.fromkeys(
        ("total_active_requests", "queued_requests", "successful_requests", "failed_requests"), 1
    ) | {"total_input_tokens": 1, "total_output_tokens": 1}
    models = [{"id": f"model-{number}"} for number in range(1_000)]
    return LocalHttp(
        lambda asked: (
            200,
            {"data": models} if asked.path == "/v1/models" else {"nodes": nodes, "stats": stats},
        )
    )


def many_runs(runs: LiveRuns, ingest: Ingest) -> None:
    """Runs of 1,000 models, one after the other."""
    for number in range(1_000):
        run = f"{number:016}"
        route = list(Route)[number % len(Route)]
        register(runs, run=run, route=route, model=f"model-{number}", engine=STREAM_ENGINE)
        ingest.take(encode(answered({"2xx": [1_000], "5xx": [9]}, {503: 1}, run=run)))
        register(runs, Phase.FINISHED, run=run, route=route, model=f"model-{number}", engine=STREAM_ENGINE)


def test_a_hostile_scene_is_within_the_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scene.freeze_machine(monkeypatch)
    clock = FakeClock()
    runs = LiveRuns(clock)
    ingest = Ingest(runs.apply)
    many_runs(runs, ingest)
    assert len(runs.models) == MAX_MODELS
    for number in range(5_000):
        ingest.take(b"junk %d" % number)
    results = tmp_path / "results"
    results.mkdir()
    for number in range(50):
        rows = "".join(f"run-{row},1,2,3,4,5,6,7,8,9,10\n" for row in range(100))
        (results / f"2025112{number % 5}-{number}.csv").write_text(scene.CSV_HEAD + rows, encoding="utf-8")
    proc = hostile_proc(tmp_path / "proc")
    watched = [
        WatchedProcess(name=f"process-{number}", role=Role.ROUTER, match=Match(port=8080))
        for number in range(HOSTILE.processes)
    ]
    with hostile_router() as router:
        api = RouterApi(url=router.url, timeout_seconds=60)
        collectors: list[tuple[Collector, int]] = [
            (ProcessCollector(watched, proc, 900), max_series(PROCESSES, HOSTILE)),
            (NodeCollector(clock, proc), max_series(HOST, HOSTILE) + MAX_KERNEL_NAMES),
            (RouterCollector(RouterReader(api, clock), clock, RightOfWay()), max_series(ROUTER, HOSTILE)),
            (ResultsCollector(results, clock), max_series(RESULTS, HOSTILE)),
        ]
        for collector, bound in collectors:
            count = series(list(collector.collect()))
            # Not far below either: a bound of millions would hold anything.
            assert 0.6 * bound < count <= bound, collector.name
        with (
            scene.served([each for each, _ in collectors], 60, clock, runs, ingest) as url,
            urllib.request.urlopen(f"{url}/metrics", timeout=120) as answer,
        ):
            text: str = answer.read().decode()
    found = samples_of(text)
    total = sum(bound for _, bound in collectors) + max_series((*LOAD, *STREAMS, *EXPORTER), HOSTILE)
    assert 0.6 * total < len(found) <= total
    assert len({line.rpartition(" ")[0] for line in found}) == len(found)
    counts = Counter(map(family_of, found))
    bounds = {name: CONTRACT[name].max_series(HOSTILE) for name in counts if name in CONTRACT}
    assert len(counts.keys() - bounds.keys()) <= MAX_KERNEL_NAMES
    assert [name for name, bound in bounds.items() if counts[name] > bound] == []


NOTHING = Scale(processes=0, cpus=0, gpus=0, collectors=0, models=1, disks=0, filesystems=0, interfaces=0)
GPU_HOST = Scale(processes=4, cpus=64, gpus=8, collectors=4, disks=2, filesystems=3, interfaces=3)
SMALL_HOST = Scale(processes=1, cpus=8, gpus=0, collectors=3, disks=1, filesystems=2, interfaces=2)
KERNEL_NAMES = 116
"""of the machine on which the pages' figures were measured"""


def of_one(**more: int) -> int:
    """How many series one of it has."""
    return agent_series(replace(NOTHING, **more), 0) - agent_series(NOTHING, 0)


def test_the_page_on_retention_has_the_figures_of_the_list_of_metrics() -> None:
    page = (CHECKOUT / "docs/monitoring.md").read_text(encoding="utf-8")
    both = agent_series(replace(NOTHING, gpus=1, processes=1), 0) - agent_series(NOTHING, 0)
    on_gpu = both - of_one(gpus=1) - of_one(processes=1)
    for row in (
        f"| agent, whatever it watches | {agent_series(NOTHING, 0)}, and about {KERNEL_NAMES} single values",
        f"| collector (`process`, `node`, `gpu`, `results`) | {of_one(collectors=1)} |",
        f"| CPU | {of_one(cpus=1)} |",
        f"| disk | {of_one(disks=1)} |",
        f"| file system | {of_one(filesystems=1)} |",
        f"| network interface | {of_one(interfaces=1)} |",
        f"| watched process | {of_one(processes=1)} |",
        f"| GPU | {of_one(gpus=1)}, and {on_gpu} for each watched process |",
        f"| target, by Prometheus itself | {len(BY_SCRAPE)} |",
        f"| resource of the leak rules, by these, after 50 minutes | {GROWTH_RECORDS},"
        f" of written files {WRITTEN_RECORDS} |",
        f"| model of a load at an exporter | {max_series(LOAD, NOTHING)}, and {max_series(STREAMS, NOTHING)}",
    ):
        assert row in page
    for host in (SMALL_HOST, GPU_HOST):
        scraped = agent_series(host, KERNEL_NAMES) + len(BY_SCRAPE)
        assert f"{scraped:,} + {recorded_series(host):,} = {scraped + recorded_series(host):,}" in page


def test_the_leak_rules_record_of_a_resource_what_is_counted() -> None:
    growth = [
        rule for rule in rules_in("leaks.recording.yml") if rule["record"].startswith("resource:growth:")
    ]
    assert len(growth) + 2 == GROWTH_RECORDS  # and its floor and its state
    steps = [rule for rule in growth if "deriv" not in rule["record"]]
    first = [rule["expr"] for rule in steps if rule["labels"]["step"] == "0"]
    assert all('resource:usage:min5m{resource!="written_files"} - ' in expr for expr in first)
    assert GROWTH_RECORDS - len(steps) == WRITTEN_RECORDS
