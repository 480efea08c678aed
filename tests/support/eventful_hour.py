"""An hour of load in which everything happens that a report shows; drawn with one seed.

Its evidence is made once: nobody changes it."""

import math
import random
from collections import Counter
from functools import cache, partial
from typing import Any

from exporter.live.histogram import bucket_of
from exporter.live.message import FailureReason, Phase
from exporter.live.run_pace import LongestRequest
from exporter.live.seconds import FINE_A_BUCKET, SecondCounts, Seconds
from exporter.results.run_result import RunResult
from exporter.timeseries import SeriesStore
from exporter.verdict.evidence import AlertSpan, Evidence, GeneratorLoad, PhaseSpan
from exporter.verdict.finding import Finding, Outcome, Said, Span
from exporter.verdict.judgement import Judgement
from tests.support.live_messages import run_info
from tests.support.run_results import evidence, failures_by_reason, requests_by_class, run_result

BEGAN = 1_764_000_000.0
SECONDS = 3600
OFFLINE, ERRORS, SLOW, STALL = (1260, 1320), (1275, 1305), (2400, 3000), (3300, 3315)
"""seconds of the load: a node away, errors, slow answers, no answer"""
MIB = 2.0**20


def eventful_hour(seconds: int = SECONDS, **changes: Any) -> RunResult:
    """The result of that run; a shorter one ends before all of it has happened."""
    known = _evidence(seconds)
    statuses = [each for each in known.statuses if each != "200"]
    findings = (
        Finding(
            "answers",
            Outcome.FAIL,
            Said(f"5.3 % of a minute were not 2xx ({', '.join(statuses)})", "1 分間の 5.3 % が 2xx でない"),
            figure=0.053,
            bound=0.01,
            unit="ratio",
            spans=(Span(BEGAN + ERRORS[0], BEGAN + ERRORS[1]),),
        ),
        Finding("completeness", Outcome.PASS, Said("733 of 733 scrapes succeeded", "完全")),
        Finding(
            "disconnects",
            Outcome.FAIL,
            Said("no success for 15 s", "15 秒間成功なし"),
            figure=15.0,
            bound=10.0,
            unit="seconds",
            spans=(Span(BEGAN + STALL[0], BEGAN + STALL[1]),),
        ),
        Finding(
            "latency",
            Outcome.WARNING,
            Said("p99 rose from 61 to 183 ms", "p99 が 61 から 183 ms に上昇"),
            figure=0.183,
            bound=0.0915,
            unit="seconds",
            spans=(Span(BEGAN + SLOW[0], BEGAN + SLOW[1]),),
        ),
        Finding(
            "memory",
            Outcome.FAIL,
            Said("router grew steadily by 42.1 MiB/h", "router が増え続けた"),
            figure=42.1 * MIB,
            bound=4 * MIB,
            unit="bytes_per_hour",
        ),
        Finding("gpu_memory", Outcome.NOT_JUDGED, Said("no GPU is watched", "GPU の監視なし")),
    )
    return run_result(
        known,
        info=run_info(planned_duration_seconds=float(seconds), connections=20),
        judgement=Judgement(Outcome.FAIL, findings),
        versions={"llm-router-soak": "1.0.0", "wrk": "4.1.0", "python": "3.11.2"},
        **changes,
    )


def _add(store: SeriesStore, time: float, metric: str, value: float, /, **labels: str) -> None:
    store.add(metric, labels, time, value)


@cache
def _evidence(length: int) -> Evidence:
    seconds, statuses, failures = _seconds(length)
    successes = sum(second.successes for second in seconds)
    return evidence(
        planned_seconds=float(length),
        measured_seconds=float(length),
        requests=requests_by_class(_2xx=successes, _5xx=sum(statuses.values())),
        statuses={"200": successes, **statuses},
        failures=failures_by_reason(**{reason.value: count for reason, count in failures.items()}),
        series=_series(length),
        seconds=seconds,
        success_gaps=(Span(BEGAN + STALL[0], BEGAN + STALL[1]),) if length > STALL[1] else (),
        longest_request=LongestRequest(15.2, BEGAN + STALL[1] + 0.2, answered=True),
        phases=(
            PhaseSpan(BEGAN, BEGAN + min(120, length / 10), Phase.WARMUP),
            PhaseSpan(BEGAN + min(120, length / 10), BEGAN + length, Phase.LOAD),
            PhaseSpan(BEGAN + length, BEGAN + length + 60, Phase.DRAIN),
        ),
        alerts=(
            AlertSpan(BEGAN + 1265, BEGAN + 1330, "NodeOffline", "warning", True, {"node": "node-2"}),
            AlertSpan(BEGAN + 1290, BEGAN + 1400, "BenchmarkErrorRateHigh", "critical", True, {}),
        ),
        generator=GeneratorLoad(0.31, 0.004, 3600.0),
    )


def _seconds(length: int) -> tuple[Seconds, Counter[str], Counter[FailureReason]]:
    draw, seconds = random.Random(1), Seconds()
    statuses: Counter[str] = Counter()
    failures: Counter[FailureReason] = Counter()
    for second in range(length):
        bad: dict[str, int] = {}
        lost: dict[FailureReason, int] = {}
        rate = 40
        if ERRORS[0] <= second < ERRORS[1]:
            bad = {"502": 6, "503": draw.randrange(2)}
            bad = {status: count for status, count in bad.items() if count}
        if second % 701 == 700:
            lost = {FailureReason.READ: 1}
        if STALL[0] <= second < STALL[1]:
            rate = 0
        slower = 3.0 if SLOW[0] <= second < SLOW[1] else 1.0
        durations: Counter[int] = Counter()
        for _ in range(rate):
            microseconds = round(20_000 * slower * math.exp(draw.gauss(0, 0.47)))
            durations[bucket_of(microseconds) // FINE_A_BUCKET] += 1
        seconds.append(SecondCounts(int(BEGAN) + second, rate, bad, lost, durations))
        statuses.update(bad)
        failures.update(lost)
    return seconds, statuses, failures


def _series(length: int) -> SeriesStore:
    draw, store = random.Random(2), SeriesStore()
    target = {"job": "router", "instance": "127.0.0.1:8080"}
    for elapsed in range(0, length + 61, 5):
        time = BEGAN + elapsed + 0.1234567
        load = min(elapsed, length)

        add = partial(_add, store, time)

        add("router_up", float(not STALL[0] < elapsed < STALL[1]))
        for node in ("node-1", "node-2"):
            add(
                "router_node_up",
                float(not (node == "node-2" and OFFLINE[0] < elapsed < OFFLINE[1])),
                node=node,
            )
        for process, role in (("router", "router"), ("node-1", "node"), ("wrk", "load")):
            names = {"process": process, "role": role}
            grown = 42.1 * MIB * load / 3600 if role == "router" else 0.0
            add("observed_process_up", 1.0, **names)
            memory = 50 * MIB + grown + draw.random() * 2 * MIB
            add("observed_process_anonymous_memory_bytes", memory, **names)
            add("observed_process_swap_bytes", 0.0, **names)
            add("observed_process_resident_memory_bytes", memory + 9 * MIB, **names)
            add("observed_process_open_fds", 30.0 + load // 600, **names)
            add("observed_process_threads", 12.0, **names)
            add(
                "observed_process_connections",
                20.0 if elapsed < length else 0.0,
                **names,
                state="established",
            )
            add("observed_process_connections", 0.0, **names, state="close_wait")
            add("observed_process_restarts_total", float(role == "node" and elapsed > 2000), **names)
            for mode, share in (("user", 0.3), ("system", 0.1)):
                add("observed_process_cpu_seconds_total", share * load, **names, mode=mode)
        for cpu in ("0", "1"):
            add("node_cpu_seconds_total", 0.4 * elapsed, cpu=cpu, mode="idle")
            add("node_cpu_seconds_total", 0.6 * elapsed, cpu=cpu, mode="user")
        add("node_memory_MemTotal_bytes", 8 * 2.0**30)
        add("node_uname_info", 1.0, nodename="router-1", sysname="Linux", release="6.12.0", machine="x86_64")
        add("gpu_info", 1.0, gpu="0", name="Stub 24GB", uuid="GPU-1")
        add("gpu_utilization_ratio", 0.6 + 0.2 * draw.random(), gpu="0", uuid="GPU-1")
        add("gpu_memory_used_bytes", 9000 * MIB, gpu="0", uuid="GPU-1")
        add("gpu_memory_total_bytes", 24_576 * MIB, gpu="0", uuid="GPU-1")
        add("gpu_temperature_celsius", 71.0, gpu="0", uuid="GPU-1")
        add("go_gc_duration_seconds_sum", 0.002 * elapsed, **target)
        add("go_gc_duration_seconds_count", float(elapsed // 10), **target)
        add("go_memstats_heap_inuse_bytes", 20 * MIB + elapsed % 60 * MIB / 4, **target)
        add("benchmark_requests_total", 40.0 * load, route="local", model="m", status_class="2xx")
    return store
