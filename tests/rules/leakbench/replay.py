"""Labelled series through `promtool test rules`: when does which rule fire?

promtool evaluates the shipped rule files once a minute over samples every 5 s, as Prometheus does. Beside
them stand two published habits (HABITS). A query at the end asks for the first minute in which each alert
was firing; promtool prints what it got, since nothing was expected.
"""

import re
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from .series import Labelled

RULES = Path(__file__).parents[3] / "prometheus" / "rules"
OURS = "ours"
RAW = '{__name__=~"observed_process_(anonymous_memory_bytes|open_fds|threads|connections)"}'
HABITS = {
    "deriv > 0": f"deriv({RAW}[20m]) > 0",
    "predict_linear": f"predict_linear({RAW}[15m], 3600) > 1.5 * {RAW}",
}
HABIT_FOR = "10m"
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
        habits = [
            {"alert": name, "expr": expression, "for": HABIT_FOR} for name, expression in HABITS.items()
        ]
        (Path(folder) / "habits.yml").write_text(
            yaml.safe_dump({"groups": [{"name": "habits", "rules": habits}]}), encoding="utf-8"
        )
        test = Path(folder) / "leakbench.test.yml"
        test.write_text(yaml.dump(_test_file(series), Dumper=yaml.CSafeDumper, width=10**9), encoding="utf-8")
        done = subprocess.run(
            ["promtool", "test", "rules", str(test)], capture_output=True, text=True, check=False
        )
    said = done.stdout + done.stderr
    counted = re.search(rf"{re.escape(COUNTED)}.*?got: *\{{\}} (\S+)", said, re.DOTALL)
    if counted is None or float(counted[1]) != len(series):
        raise RuntimeError(f"promtool did not judge the series: {said[-2000:]}")
    fired: list[Fired] = [{} for _ in series]
    for name, process, seconds in re.findall(
        r'\{[^{}]*?alertname="([^"]+)"[^{}]*?process="(\d+)"[^{}]*\} ([0-9.E+]+)', said
    ):
        rule = name if name in HABITS else OURS
        fired[int(process)][rule] = float(seconds) / 60
    return fired


def _test_file(series: Sequence[Labelled]) -> dict[str, Any]:
    inputs = [one for number, labelled in enumerate(series) for one in _inputs(number, labelled)]
    queries = [{"expr": query, "eval_time": "60m", "exp_samples": []} for query in (FIRST_FIRING, COUNTED)]
    test = {"interval": "5s", "input_series": inputs, "promql_expr_test": queries}
    order = ["leaks", "leak_alerts"]
    files = [str(RULES / "leaks.recording.yml"), str(RULES / "leaks.alerts.yml"), "habits.yml"]
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
