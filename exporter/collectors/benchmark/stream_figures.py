"""What of a run's streams is a gauge: its goodput of the trailing minute, and what the router adds."""

from collections.abc import Iterable

from prometheus_client.core import Metric

from exporter.collectors.families import Table, add_known, fresh
from exporter.live.histogram import QUANTILES
from exporter.live.message import STREAM_ENGINE
from exporter.live.overhead import Differences, Overhead
from exporter.live.runs import LiveRuns
from exporter.live.stream_counts import first_token_differences, total_differences

_FAMILIES: Table = {
    "benchmark_goodput_ratio": (
        "Share of the streams that ended within the trailing minute that were complete and within the run's "
        "goodput expression; those that the client left are not counted.",
    ),
    "benchmark_router_overhead_seconds": (
        "Quantile of what the router adds to the first token and to the whole: the difference of paired "
        "requests through it and past it, of the run so far; below 0 where it was faster.",
        "quantile",
        "of",
    ),
    "benchmark_router_overhead_bound_seconds": (
        "Ends of the 95 % confidence interval of the router's median overhead, from 6 pairs on.",
        "bound",
        "of",
    ),
}
STREAM_FIGURE_FAMILIES = (*_FAMILIES,)


def stream_figure_families(runs: LiveRuns, now: float) -> Iterable[Metric]:
    """The gauges by route and model, of the newest active run of streams of each; no series without."""
    families = fresh(_FAMILIES, "route", "model")
    goodput, overhead, bounds = families.values()
    seen = set()
    for run in reversed(runs.runs.values()):
        # One of another engine beside it knows nothing of streams.
        if run.info.engine != STREAM_ENGINE or not run.active(now):
            continue
        for pair, counted in zip(run.info.pairs, run.pairs, strict=True):
            if pair in seen:
                continue
            seen.add(pair)
            key = [pair.route.value, pair.model]
            minute = counted.recent_streams.minute()
            if run.info.goodput is not None and minute.ended:
                goodput.add_metric(key, minute.good / minute.ended)
            differences: dict[str, Differences] = {
                "first_token": first_token_differences(counted.published),
                "total": total_differences(counted.published),
            }
            for of, each in differences.items():
                for quantile, value in zip(QUANTILES, each.quantiles(QUANTILES), strict=True):
                    add_known(overhead, value, *key, str(quantile), of)
                interval = Overhead.of(each)
                if interval is not None:
                    bounds.add_metric([*key, "low", of], interval.low)
                    bounds.add_metric([*key, "high", of], interval.high)
    return [family for family in families.values() if family.samples]
