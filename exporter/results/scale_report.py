"""What a row of runs at rising connections says together: table, saturation, plot."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from exporter.results.run_result import RunResult
from exporter.results.summary import markdown_table
from exporter.verdict.finding import Outcome

MIN_GAIN_RATIO = 0.10
"""a step that adds less throughput than this is no gain"""


@dataclass(frozen=True)
class ScalePoint:
    """One step: connections, 2xx a second, and 2xx latencies in ms (None: nothing was measured)."""

    connections: int
    rps: float | None
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    failed: int
    """responses that were not 2xx, and requests without one"""
    outcome: Outcome


def point_of(result: RunResult) -> ScalePoint:
    """The point of one run."""
    evidence = result.evidence
    p50, p95, p99 = (
        None if (seconds := result.quantiles[quantile]) is None else seconds * 1000
        for quantile in ("0.5", "0.95", "0.99")
    )
    return ScalePoint(
        connections=result.info.connections,
        rps=result.requests_per_second,
        p50_ms=p50,
        p95_ms=p95,
        p99_ms=p99,
        failed=evidence.responses - evidence.successes + sum(evidence.failures.values()),
        outcome=result.judgement.outcome,
    )


def saturation(points: Sequence[ScalePoint]) -> str:
    """Where throughput stops rising: the first step after which the next adds less than a tenth."""
    for point, following in itertools.pairwise(points):
        if point.rps is None or following.rps is None:
            return (
                f"unknown: at {point.connections} or {following.connections} connections nothing was measured"
            )
        if following.rps < point.rps * (1 + MIN_GAIN_RATIO):
            slower = ""
            if point.p95_ms and following.p95_ms:
                slower = f" (p95 {point.p95_ms:,.1f} → {following.p95_ms:,.1f} ms)"
            return (
                f"at {point.connections} connections: {following.connections} give "
                f"{following.rps:,.1f} successes/s instead of {point.rps:,.1f}{slower}"
            )
    return f"not up to {points[-1].connections} connections"


def scale_table(points: Sequence[ScalePoint]) -> str:
    """A Markdown table, a line a step; what is not known is empty."""
    rows = [
        (
            str(point.connections),
            *(_cell(value) for value in (point.rps, point.p50_ms, point.p95_ms, point.p99_ms)),
            str(point.failed),
            point.outcome.value,
        )
        for point in points
    ]
    return markdown_table(
        ("connections", "rps", "p50_ms", "p95_ms", "p99_ms", "failed", "verdict"), rows, ("verdict",)
    )


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def plot_scale(points: Sequence[ScalePoint], title: str, path: Path) -> None:
    """Throughput above, p50/p95/p99 below, over the connections; a step without a figure is a gap."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415  (optional, and slow to load)
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(8, 6.5), layout="constrained")
    FigureCanvasAgg(figure)
    above, below = figure.subplots(2, 1, sharex=True)
    steps = [point.connections for point in points]
    above.plot(steps, [_or_gap(p.rps) for p in points], "o-", color="#0072b2", label="2xx per second")
    for name, marker, color in (
        ("p50_ms", "s", "#56b4e9"),
        ("p95_ms", "o", "#e69f00"),
        ("p99_ms", "^", "#d55e00"),
    ):
        values = [_or_gap(getattr(point, name)) for point in points]
        below.plot(steps, values, marker + "-", color=color, label=name.removesuffix("_ms"))
    above.set_ylabel("successes per second")
    below.set_ylabel("latency of 2xx (ms)")
    below.set_xlabel("connections")
    below.set_xticks(steps)
    below.set_xlim(left=0)
    for axes in (above, below):
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
    below.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, frameon=False, borderaxespad=0.1)
    # A label is the user's own text: a $ in it begins no formula.
    above.set_title(title.replace("$", r"\$"), loc="left", fontsize=11)
    figure.savefig(path, dpi=130)


def _or_gap(value: float | None) -> float:
    return float("nan") if value is None else value
