"""The hours through `promtool test rules`: when do the alerts on latency and throughput fire?"""

import re
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import yaml

from exporter.live.classic_buckets import DURATIONS
from tests.rules.driftbench.hours import MIDDLES, STEP_SECONDS, STEPS, WARMUP_SECONDS, Hour
from tests.support.checkout import CHECKOUT
from tests.support.promtool import run_promtool

RULES = CHECKOUT / "prometheus" / "rules"
ALERTS = {"BenchmarkLatencyRegression": "slower", "BenchmarkThroughputDrop": "less"}
FIRST_FIRING = (
    f'min_over_time(timestamp(ALERTS{{alertstate="firing",alertname=~"{"|".join(ALERTS)}"}})[61m:15s])'
)
COUNTED = "count(count by (model) (route_model_reference:benchmark_request_duration_seconds:p99))"


def fired(hours: Sequence[Hour]) -> list[dict[str, float]]:
    """For each hour the second at which `slower` and `less` first fire; what never does is missing.

    Raises RuntimeError with promtool's words where it does not judge.
    """
    inputs = [one for number, hour in enumerate(hours) for one in _inputs(number, hour)]
    queries = [{"expr": query, "eval_time": "60m", "exp_samples": []} for query in (FIRST_FIRING, COUNTED)]
    document = {
        "rule_files": [str(RULES / "benchmark.recording.yml"), str(RULES / "benchmark.alerts.yml")],
        "evaluation_interval": "15s",
        "tests": [{"interval": f"{STEP_SECONDS}s", "input_series": inputs, "promql_expr_test": queries}],
    }
    with tempfile.TemporaryDirectory(prefix="driftbench-") as folder:
        test = Path(folder) / "driftbench.test.yml"
        test.write_text(yaml.dump(document, Dumper=yaml.CSafeDumper, width=10**9), encoding="utf-8")
        done = run_promtool(["promtool", "test", "rules", test])
    output = done.stdout + done.stderr
    counted = re.search(rf"{re.escape(COUNTED)}.*?got: *\{{\}} (\S+)", output, re.DOTALL)
    if counted is None or float(counted[1]) != len(hours):
        raise RuntimeError(f"promtool did not judge the hours: {output[-2000:]}")
    found: list[dict[str, float]] = [{} for _ in hours]
    for name, model, seconds in re.findall(
        r'\{[^{}]*?alertname="([^"]+)"[^{}]*?model="(\d+)"[^{}]*\} ([0-9.E+]+)', output
    ):
        found[int(model)][ALERTS[name]] = float(seconds)
    return found


def _inputs(number: int, hour: Hour) -> Iterator[dict[str, str]]:
    """What an exporter shows of it, and a run whose warm-up lasts two minutes."""
    own = f'job="exporter",instance="{number}"'
    pair = f'{own},route="local",model="{number}"'
    warmup = WARMUP_SECONDS // STEP_SECONDS
    yield {"series": f'benchmark_run_info{{{pair},run="{number}",label="l"}}', "values": f"1x{STEPS}"}
    yield {"series": f"benchmark_run_start_timestamp_seconds{{{own}}}", "values": f"0x{STEPS}"}
    phases = f"0x{warmup - 1} 1x{STEPS - warmup}"
    yield {"series": f'benchmark_run_phase{{{own},phase="load"}}', "values": phases}
    total = np.concatenate([[0], np.cumsum(hour.counts.sum(axis=1))])
    served = f'{pair},status_class="2xx"'
    yield {"series": f"benchmark_requests_total{{{served}}}", "values": _values(total)}
    for bound in (*DURATIONS.bounds, float("inf")):
        below = np.concatenate([[0], np.cumsum(hour.counts[:, bound >= MIDDLES].sum(axis=1))])
        le = "+Inf" if bound == float("inf") else f"{bound:g}"
        name = f'benchmark_request_duration_seconds_bucket{{{served},le="{le}"}}'
        yield {"series": name, "values": _values(total if le == "+Inf" else below)}


def _values(counts: np.ndarray[tuple[int], np.dtype[np.int64]]) -> str:
    return " ".join(map(str, counts.tolist()))
