"""Live percentiles against wrk's own, of the same run."""

import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

from exposition_text import gauge_by
from live_run import LiveLoad, LiveRun
from table import Row
from wrk_histogram import expected_us, percentile_us, uncorrected

from exporter.errors import SoakError

GAUGE = "benchmark_request_duration_quantile_seconds"
QUANTILES = ("0.5", "0.95", "0.99")
JUDGED = ("0.95", "0.99")
WITHIN = 0.02
EXPLANATION = (
    "Percentiles: after a run wrk adds requests to its histogram that were never sent (its correction for\n"
    "coordinated omission); the live gauge counts those that were. Like for like is therefore the ratio to\n"
    'wrk\'s "uncorrected" figure (its correction undone, which is exact); "as printed" is what wrk shows.'
)
RUNS = 3
STEADY_SECONDS = 14
"""longer than the gauge's window of 10 to 11 s: steady latency is the same in each of them"""
FULL_SPEED_SECONDS = 9
GAP_SECONDS = 2.5
"""at full speed latency drifts: so short a run after such a gap is in the window whole and alone"""


@dataclass(frozen=True)
class Percentile:
    """One percentile of one run, in seconds."""

    quantile: str
    gauge: float
    """live: the trailing 10 s when the load ended"""
    whole_run: float
    """live: the same requests that wrk's histogram holds"""
    wrk_raw: float
    """wrk's, of the requests that were sent"""
    wrk_corrected: float
    """latency:percentile(), which wrk prints"""


def measure_percentiles(load: LiveLoad, seconds: int, where: str) -> list[list[Percentile]]:
    """The percentiles of each of three runs."""
    runs = []
    for number in range(RUNS):
        time.sleep(GAP_SECONDS)
        runs.append(percentiles_of(load.run(seconds)))
        for each in runs[-1]:
            print(f"  {where} {number + 1}/{RUNS}, {_line(each)}", file=sys.stderr, flush=True)
    return runs


def _line(each: Percentile) -> str:
    return (
        f"p{100 * float(each.quantile):g}: live gauge {each.gauge * 1e3:.3f} ms, live whole run "
        f"{each.whole_run * 1e3:.3f} ms; wrk uncorrected {each.wrk_raw * 1e3:.3f} ms, as printed "
        f"{each.wrk_corrected * 1e3:.3f} ms"
    )


def percentiles_of(run: LiveRun) -> list[Percentile]:
    """The percentiles of a live run; raises SoakError where wrk's correction cannot be undone."""
    totals = run.totals
    interval = expected_us(round(totals.duration_seconds * 1e6), totals.requests, run.connections)
    try:
        raw = uncorrected(run.histogram, interval)
    except ValueError as error:
        raise SoakError(f"this wrk corrects its histogram otherwise than 4.1 does: {error}") from error
    timed, due = sum(count for _, count in raw), totals.requests - totals.socket_errors["timeout"]
    if timed != due:
        raise SoakError(f"wrk's uncorrected histogram holds {timed:,} requests where {due:,} were sent")
    gauges = gauge_by(run.at_end, GAUGE, "quantile")
    return [
        Percentile(
            quantile,
            gauges[quantile],
            _known(run.status.quantiles[quantile]),
            percentile_us(raw, 100 * float(quantile)) / 1e6,
            totals.percentiles_seconds[f"{100 * float(quantile):g}"],
        )
        for quantile in QUANTILES
    ]


def _known(seconds: float | None) -> float:
    if seconds is None:
        raise SoakError("the exporter has no quantiles of a run")
    return seconds


def accuracy_rows(runs: Sequence[Sequence[Percentile]], where: str) -> list[Row]:
    """The table's rows: the median over the runs of live over wrk, uncorrected and as printed.

    The whole-run ratio is of the very same requests, so it tells what measuring in the hooks makes from what
    the gauge's window makes.
    """
    rows = []
    for same in zip(*runs, strict=True):
        name = f"p{100 * float(same[0].quantile):g}"
        judged = same[0].quantile in JUDGED
        for what, ratios, bound in (
            (f"live {name} / wrk's uncorrected, {where}", [p.gauge / p.wrk_raw for p in same], judged),
            ("  of the whole run / wrk's uncorrected", [p.whole_run / p.wrk_raw for p in same], False),
            (f"  live {name} / wrk's as printed", [p.gauge / p.wrk_corrected for p in same], judged),
        ):
            ratio = statistics.median(ratios)
            rows.append(
                Row(
                    what,
                    f"{ratio:.3f} ({min(ratios):.3f} to {max(ratios):.3f})",
                    f"within {WITHIN:.0%}" if bound else "-",
                    abs(ratio - 1) <= WITHIN if bound else None,
                )
            )
    return rows
