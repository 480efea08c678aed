"""A series of runs at rising connections, compared: table, saturation, plot."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from exporter.live.message import RunInfo
from exporter.live.results_csv import ResultRow
from exporter.results.record import VERDICTS, record_head, result_row
from exporter.results.run_result import RunResult
from exporter.results.summary import markdown_table
from exporter.verdict.finding import Outcome, Said

MIN_GAIN_RATIO = 0.10
"""a step that adds less throughput than this is no gain"""


@dataclass(frozen=True)
class ScalePoint:
    """One step, with its row of results."""

    connections: int
    row: ResultRow
    failed: int
    """responses that were not 2xx, and requests without one"""
    outcome: Outcome


def point_of(result: RunResult) -> ScalePoint:
    """The point of one run."""
    evidence = result.evidence
    failed = evidence.responses - evidence.successes + evidence.failed
    return ScalePoint(result.info.connections, result_row(result), failed, result.judgement.outcome)


def saturation(points: Sequence[ScalePoint]) -> Said:
    """Where throughput stops rising: the first step after which the next adds less than a tenth."""
    for point, following in itertools.pairwise(points):
        row, next_row, here, there = point.row, following.row, point.connections, following.connections
        if row.rps is None or next_row.rps is None:
            return Said(
                f"unknown: at {here} or {there} connections nothing was measured",
                f"不明 ({here} または {there} 接続の計測値がない)",
            )
        if next_row.rps < row.rps * (1 + MIN_GAIN_RATIO):
            slower = ""
            if row.p95_ms and next_row.p95_ms:
                slower = f"p95 {row.p95_ms:,.1f} → {next_row.p95_ms:,.1f} ms"
            return Said(
                f"at {here} connections: {there} give {next_row.rps:,.1f} successes/s instead of "
                f"{row.rps:,.1f}{slower and f' ({slower})'}",
                f"{here} 接続 (成功は {there} 接続で {next_row.rps:,.1f} 件/s、{here} 接続で "
                f"{row.rps:,.1f} 件/s{slower and f'、{slower}'})",
            )
    last = points[-1].connections
    return Said(f"not up to {last} connections", f"{last} 接続まではなし")


def scale_record(
    points: Sequence[ScalePoint], info: RunInfo, name: str, soak_command: str, outcome: Outcome
) -> str:
    """The record of the whole, under the heading `name`."""
    lines = [
        *record_head(info, name, soak_command),
        f"- 頭打ち: {saturation(points).japanese}",
        f"- 備考: 判定 {VERDICTS[outcome]}",
        "",
        _table(points, ("接続数", "RPS", "p50 (ms)", "p95 (ms)", "p99 (ms)", "失敗", "判定"), VERDICTS),
    ]
    return "\n".join(lines)


def scale_table(points: Sequence[ScalePoint]) -> str:
    """A Markdown table, a line a step; what is not known is empty."""
    header = ("connections", "rps", "p50_ms", "p95_ms", "p99_ms", "failed", "verdict")
    return _table(points, header, {outcome: outcome.value for outcome in Outcome})


def _table(points: Sequence[ScalePoint], header: Sequence[str], outcomes: Mapping[Outcome, str]) -> str:
    figures = ("rps", "p50_ms", "p95_ms", "p99_ms")
    rows = []
    for point in points:
        values = (getattr(point.row, name) for name in figures)
        cells = ("" if value is None else f"{value:.2f}" for value in values)
        rows.append((str(point.connections), *cells, str(point.failed), outcomes[point.outcome]))
    return markdown_table(header, rows, header[-1:])


def plot_scale(points: Sequence[ScalePoint], title: str, path: Path) -> None:
    """Throughput above, p50/p95/p99 below, over the connections; a step without a figure is a gap."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415  (optional, and slow to load)
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(8, 6.5), layout="constrained")
    FigureCanvasAgg(figure)
    above, below = figure.subplots(2, 1, sharex=True)
    steps = [point.connections for point in points]
    above.plot(
        steps, [_or_gap(point.row.rps) for point in points], "o-", color="#0072b2", label="2xx per second"
    )
    lines = (("p50_ms", "s", "#56b4e9"), ("p95_ms", "o", "#e69f00"), ("p99_ms", "^", "#d55e00"))
    for name, marker, color in lines:
        values = [_or_gap(getattr(point.row, name)) for point in points]
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
