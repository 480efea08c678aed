"""Labelled series through `promtool test rules`: when does which rule fire?

promtool evaluates the shipped rule files once a minute over samples every 5 s, as Prometheus does. Beside
them stand others (OTHERS): two published habits, and the simplest method on the floor. A query at the end
asks for the first minute in which each alert was firing; promtool prints what it got, since nothing was
expected.
"""

import re
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from tests.support.checkout import CHECKOUT
from tests.support.promtool import run_promtool

from .series import Labelled

RULES = CHECKOUT / "prometheus" / "rules"
OURS = "ours"
GROWING = "ProcessMemoryGrowing"
"""the info beside them: neither flat nor a leak"""
RAW = '{__name__=~"observed_process_(anonymous_memory_bytes|open_fds|threads|connections)"}'
FLOOR = "resource:usage:min5m"


@dataclass(frozen=True)
class Other:
    """A rule that ours are compared with."""

    expression: str
    lasting: str
    """the rule's `for`"""


def _three_rises() -> str:
    """More than 0.8 % in each of three spans of 8 min, the last no less than half the first.

    Or, once there are 25 min of samples, a straight slope of more than 10 % an hour over 15 min: along a line
    slope * window / sqrt(12) is the standard deviation.
    """
    now, *before = FLOOR, *(f"{FLOOR} offset {minutes}m" for minutes in (8, 16, 24))
    rising = [f"{end} - {begin} > 0.008 * {begin}" for end, begin in pairwise((now, *before))]
    lasting = f"{now} - {before[0]} >= 0.5 * ({before[1]} - {before[2]})"
    quarter = f"{FLOOR}[14m30s]"
    slope = f"deriv({quarter})"
    steep = f"{slope} * 3600 > 0.1 * avg_over_time({quarter})"
    straight = f"{slope} * 900 / 12 ^ 0.5 / stddev_over_time({quarter}) > 0.95"
    return " and ".join([*rising, lasting]) + f" or {steep} and {straight} and {FLOOR} offset 25m"


OTHERS = {
    "deriv > 0": Other(f"deriv({RAW}[20m]) > 0", "10m"),
    "predict_linear": Other(f"predict_linear({RAW}[15m], 3600) > 1.5 * {RAW}", "10m"),
    "three rises": Other(_three_rises(), "1m"),
}
METRICS = {
    "memory": "observed_process_anonymous_memory_bytes",
    "fds": "observed_process_open_fds",
    "threads": "observed_process_threads",
    "close_wait": "observed_process_connections",
    "established": "observed_process_connections",
}
SERIES_IN_A_FILE = 30
"""promtool holds at most 10,000 samples a query: 30 series of 240 (20 min) are 7,200"""
FIRST_FIRING = 'min_over_time(timestamp(ALERTS{alertstate="firing"})[61m:1m])'
COUNTED = "count(count by (process) (resource:usage:min5m))"
Fired = dict[str, float]
"""minute of the first firing by rule; a rule that never fired is missing"""


def replay(series: Sequence[Labelled], workers: int = 2) -> Iterator[tuple[Labelled, Fired]]:
    """Each series with what fired on it, in order; raises RuntimeError with promtool's words if it fails."""
    with ThreadPoolExecutor(workers) as pool:
        starts = range(0, len(series), SERIES_IN_A_FILE)
        batches = [series[start : start + SERIES_IN_A_FILE] for start in starts]
        for batch, fired in zip(batches, pool.map(replay_batch, batches), strict=True):
            yield from zip(batch, fired, strict=True)


def replay_batch(series: Sequence[Labelled]) -> list[Fired]:
    """What fired on each of at most SERIES_IN_A_FILE series."""
    with tempfile.TemporaryDirectory(prefix="leakbench-") as folder:
        others = [
            {"alert": name, "expr": other.expression, "for": other.lasting} for name, other in OTHERS.items()
        ]
        (Path(folder) / "others.yml").write_text(
            yaml.safe_dump({"groups": [{"name": "others", "rules": others}]}), encoding="utf-8"
        )
        test = Path(folder) / "leakbench.test.yml"
        test.write_text(yaml.dump(_test_file(series), Dumper=yaml.CSafeDumper, width=10**9), encoding="utf-8")
        done = run_promtool(["promtool", "test", "rules", test])
    output = done.stdout + done.stderr
    counted = re.search(rf"{re.escape(COUNTED)}.*?got: *\{{\}} (\S+)", output, re.DOTALL)
    if counted is None or float(counted[1]) != len(series):
        raise RuntimeError(f"promtool did not judge the series: {output[-2000:]}")
    fired: list[Fired] = [{} for _ in series]
    for name, process, seconds in re.findall(
        r'\{[^{}]*?alertname="([^"]+)"[^{}]*?process="(\d+)"[^{}]*\} ([0-9.E+]+)', output
    ):
        rule = name if name in (*OTHERS, GROWING) else OURS
        fired[int(process)][rule] = float(seconds) / 60
    return fired


def _test_file(series: Sequence[Labelled]) -> dict[str, Any]:
    inputs = [one for number, labelled in enumerate(series) for one in _inputs(number, labelled)]
    queries = [{"expr": query, "eval_time": "60m", "exp_samples": []} for query in (FIRST_FIRING, COUNTED)]
    test = {"interval": "5s", "input_series": inputs, "promql_expr_test": queries}
    order = ["leaks", "leak_alerts", "others"]
    files = [str(RULES / "leaks.recording.yml"), str(RULES / "leaks.alerts.yml"), "others.yml"]
    return {
        "rule_files": files, "group_eval_order": order, "evaluation_interval": "1m", "tests": [test]
    }  # fmt: skip


def _inputs(number: int, labelled: Labelled) -> Iterator[dict[str, str]]:
    labels = f'job="exporter",instance="bench",process="{number}",role="router"'
    state = f',state="{labelled.resource}"' if METRICS[labelled.resource].endswith("connections") else ""
    values = ["_" if np.isnan(value) else str(int(value)) for value in labelled.values]
    yield {"series": f"{METRICS[labelled.resource]}{{{labels}{state}}}", "values": " ".join(values)}
    if labelled.resource == "memory":
        swap = ["_" if value == "_" else "0" for value in values]
        yield {"series": f"observed_process_swap_bytes{{{labels}}}", "values": " ".join(swap)}
    starts = " ".join(_starts(labelled))
    yield {"series": f"observed_process_start_time_seconds{{{labels}}}", "values": starts}


def _starts(labelled: Labelled) -> Iterator[str]:
    """The start of the process at each sample: an hour before the first, or the restart."""
    for i, value in enumerate(labelled.values):
        started = labelled.restarted is not None and i * 5 >= labelled.restarted * 60
        start = str(int((labelled.restarted or 0) * 60)) if started else "-3600"
        yield "_" if np.isnan(value) else start
