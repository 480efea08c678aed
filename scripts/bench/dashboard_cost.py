"""How long Prometheus takes over each query of the dashboards, over an hour of recorded series.

The hour is the golden exposition (every metric, two GPUs) repeated every 5 s with counters that rise, and
what Prometheus would have recorded or made itself: series of prometheus/rules, and ALERTS.
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import requests
from prometheus_client.parser import text_string_to_metric_families
from service import running
from table import Row

from exporter.errors import SoakError
from exporter.settings.shipped import ROOT as CHECKOUT
from exporter.stack.ports import HOST, free_ports

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "grafana" / "source"))
from dashboard_json import annotation_queries_of, panels_of
from substitution import everything, substitute

HOUR_SECONDS = 3600
STEP_SECONDS = 5
POINTS = 720
MAX_SECONDS = 0.3
ASKED_TIMES = 3
OWN = {"job": "exporter", "instance": "bench:9877"}
PROCESS = {"process": "router", "role": "router"}
RULES = [
    (name, {**PROCESS, "resource": resource, **more})
    for name in ("resource:usage:min5m", "resource:growth:deriv12m", "resource:leak:rate")
    for resource, more in (
        ("memory", {}),
        ("fds", {}),
        ("threads", {}),
        ("connections", {"state": "established"}),
        ("connections", {"state": "close_wait"}),
        ("gpu_memory", {"gpu": "0"}),
        ("node_memory", {}),
    )
]
ALERTS = ("Watchdog", "BenchmarkDisconnects", "NodeOffline", "ProcessMemoryLeak")


def dashboard_rows(folder: Path) -> list[Row]:
    """The slowest query, and how many there are; each the best of three, since the machine has other work."""
    end = time.time() // 7200 * 7200 - 7200
    data = folder / "dashboard-data"
    text = folder / "hour.om"
    text.write_text("".join(_lines(end - HOUR_SECONDS, end)), encoding="utf-8")
    _make_blocks(text, data)
    configuration = folder / "dashboard-prometheus.yml"
    configuration.write_text("{}\n", encoding="utf-8")
    url = f"http://{HOST}:{free_ports().prometheus}"
    command = ["prometheus", f"--config.file={configuration}", f"--storage.tsdb.path={data}"]
    command += [f"--web.listen-address={url.removeprefix('http://')}"]
    command += ["--storage.tsdb.retention.time=10y", "--log.level=error"]
    with running("prometheus", command, url, "/-/ready", folder) as service:
        asked = ask_all(service.url, end, HOUR_SECONDS)
    slowest, where = slowest_of(asked)
    empty = sum(not series for _, series in asked.values())
    return [
        Row(
            "slowest dashboard query, an hour",
            f"{slowest * 1000:.0f} ms: {where}",
            f"≤ {MAX_SECONDS * 1000:.0f} ms",
            slowest <= MAX_SECONDS,
        ),
        Row("dashboard queries, and those without series there", f"{len(asked)}, {empty}"),
    ]


def ask_all(url: str, end: float, seconds: float) -> dict[str, tuple[float, int]]:
    """Each query of the dashboards over so long until `end`: the best of three times, and its series.

    In panels as wide as a screen: 720 points, or one a scrape where these are fewer.
    """
    step = max(STEP_SECONDS, round(seconds / POINTS))
    return {
        where: _fastest(url, expr, instant, end, seconds, step)
        for where, expr, instant in _queries(seconds, step)
    }


def slowest_of(asked: Mapping[str, tuple[float, int]]) -> tuple[float, str]:
    """Its seconds, and where it is."""
    where = max(asked, key=lambda each: asked[each][0])
    return asked[where][0], where


def _queries(seconds: float, step: int) -> Iterator[tuple[str, str, bool]]:
    """(dashboard, panel and letter; query; instant) of all."""
    shown = {"__range": f"{round(seconds)}s", "__interval": f"{step}s"}
    for file in sorted((CHECKOUT / "grafana" / "dashboards").glob("*.json")):
        page = json.loads(file.read_text(encoding="utf-8"))
        chosen = everything(page["templating"]["list"]) | shown
        for panel in panels_of(page):
            for target in panel["targets"]:
                where = f"{file.stem}, {panel['title']} {target['refId']}"
                yield where, substitute(target["expr"], chosen), target["instant"]
        for name, expr in annotation_queries_of(page):
            yield f"{file.stem}, {name}", substitute(expr, chosen), False


def _fastest(url: str, expr: str, instant: bool, end: float, seconds: float, step: int) -> tuple[float, int]:
    if instant:
        endpoint, when = "query", {"time": str(end)}
    else:
        endpoint = "query_range"
        when = {"start": str(end - seconds), "end": str(end), "step": str(step)}
    times = []
    for _ in range(ASKED_TIMES):
        before = time.perf_counter()
        answer = requests.post(f"{url}/api/v1/{endpoint}", data={"query": expr, **when}, timeout=60).json()
        times.append(time.perf_counter() - before)
        if answer["status"] != "success":
            raise SoakError(f"{expr}: {answer['error']}")
    return min(times), len(answer["data"]["result"])


def _lines(start: float, end: float) -> Iterator[str]:
    """OpenMetrics: every family with all of its samples, the times of each series rising."""
    times = range(int(start), int(end) + 1, STEP_SECONDS)
    golden = (CHECKOUT / "tests" / "golden" / "exposition.txt").read_text(encoding="utf-8")
    for family in text_string_to_metric_families(golden):
        kind = family.type if family.type in ("counter", "histogram") else "unknown"
        yield f"# TYPE {family.name} {kind}\n"
        for sample in family.samples:
            yield from _series(sample.name, {**OWN, **sample.labels}, sample.value, times, kind != "unknown")
    for name in dict.fromkeys(name for name, _ in RULES):
        yield f"# TYPE {name} unknown\n"
        for each, labels in RULES:
            if each == name:
                yield from _series(name, {**OWN, **labels}, 1e6, times[::12], False)
    for name, more in (("ALERTS", {"alertstate": "firing"}), ("ALERTS_FOR_STATE", {})):
        yield f"# TYPE {name} unknown\n"
        for alert in ALERTS:
            labels = {"alertname": alert, "severity": "critical", **more}
            yield from _series(name, labels, 1 if name == "ALERTS" else start, times, False)
    yield "# EOF\n"


def _series(name: str, labels: dict[str, str], value: float, times: range, rises: bool) -> Iterator[str]:
    inside = ",".join(f"{label}={json.dumps(text)}" for label, text in labels.items())
    for number, when in enumerate(times):
        yield f"{name}{{{inside}}} {value * (1 + number) if rises else value} {when}\n"


def _make_blocks(text: Path, data: Path) -> None:
    command = ["promtool", "tsdb", "create-blocks-from", "openmetrics", str(text), str(data)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SoakError(f"promtool: {done.stderr.strip().splitlines()[-1]}")
