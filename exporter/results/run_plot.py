"""`plot.png` of a run: rate, latency, memory and handles over its time, to be pasted.

The curves are those of report.html; picture.py has what every picture of matplotlib has.
"""

from collections.abc import Sequence
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from exporter.live.message import Phase
from exporter.plain_text import one_line
from exporter.results.axis import clock_mark, elapsed_mark, time_marks
from exporter.results.curves import Panel
from exporter.results.panels import panels_of
from exporter.results.picture import check_matplotlib, drawing, picture_kind, save_picture
from exporter.results.run_record import RunRecord
from exporter.results.stream_panels import FIRST_TOKEN
from exporter.results.timeline import Kind, Timeline, timeline_of
from exporter.results.verdict_line import verdict_sentence
from exporter.verdict.finding import Outcome

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANELS = 4
"""what a pasted picture is asked for: rate with failures, latency, memory, handles; of streams the time
to the first token as well"""
WITHOUT_MATPLOTLIB = (
    "no plot.png, which needs matplotlib (pip install matplotlib); report.html has the same curves"
)
LONGEST_LINE = 120
MARKS = 10
HEADROOM = 1.06
"""the upper edge of a panel, in its highest value"""
"""on the time axis at most"""
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#A8447F", "#B07C00", "#56B4E9", "#555F69", "#7A5230")
_STYLES = ("-", "-", "-", "-", "--", "--", ":", ":")
_VERDICTS = {Outcome.PASS: "#00704F", Outcome.FAIL: "#B3261E"}
_INK, _QUIET, _GRID = "#1C2733", "#66727F", "#DDE2E7"
_WARMUP, _PAUSE, _FAILED, _RESTART = "#56B4E9", "#8A94A0", "#D55E00", "#A8447F"


def plot_run(record: RunRecord, path: Path) -> None:
    """Write the picture to `path` (.png, .svg or .pdf) in one step.

    Raises ToolMissingError without matplotlib, ConfigurationError where it cannot be written.
    """
    kind = picture_kind(path)
    check_matplotlib()
    with drawing():
        save_picture(_draw(record), path, kind)


def plot_png(record: RunRecord) -> bytes:
    """The picture as PNG; ImportError without matplotlib."""
    picture = BytesIO()
    with drawing():
        _draw(record).savefig(picture, format="png")
    return picture.getvalue()


def _draw(record: RunRecord) -> "Figure":
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415  (optional, and slow to load)
    from matplotlib.figure import Figure  # noqa: PLC0415

    timeline = timeline_of(record)
    panels = panels_of(record, timeline)
    panels = panels[: PANELS + any(each.title == FIRST_TOKEN for each in panels)]
    figure = Figure(
        figsize=(11, 1.5 + 2.1 * max(len(panels), 1)), dpi=110, facecolor="white", layout="constrained"
    )
    FigureCanvasAgg(figure)
    every = figure.subplots(max(len(panels), 1), 1, sharex=True, squeeze=False)[:, 0]
    for axes, panel in zip(every, panels, strict=False):
        _panel(axes, panel, timeline)
    _time_axis(list(every), timeline)
    _head(figure, record)
    return figure


def _panel(axes: "Axes", panel: Panel, timeline: Timeline) -> None:
    for each in timeline.phases:
        if each.phase != Phase.LOAD:
            colour = _WARMUP if each.phase == Phase.WARMUP else _PAUSE
            axes.axvspan(each.since, each.until, color=colour, alpha=0.16, linewidth=0)
    for row in timeline.rows:
        for event in row.events:
            if row.kind == Kind.FAIL:
                axes.axvspan(event.since, event.until, color=_FAILED, alpha=0.16, linewidth=0)
            elif row.kind == Kind.RESTART:
                axes.axvline(event.since, color=_RESTART, linestyle="--", linewidth=1)
    for number, line in enumerate(panel.lines):
        colour, style = _COLOURS[number % len(_COLOURS)], _STYLES[number % len(_STYLES)]
        label = _plain(line.name)
        for stretch in line.stretches:
            times, values = zip(*stretch, strict=True)
            marker = "." if len(stretch) == 1 else ""
            axes.plot(times, values, color=colour, linestyle=style, marker=marker, linewidth=1.4, label=label)
            label = "_"  # a curve is named once
    if panel.is_logarithmic:
        axes.set_yscale("log")
    else:
        highest = max(
            (value for line in panel.lines for each in line.stretches for _, value in each), default=0
        )
        # A curve at the upper edge is hard to see.
        axes.set_ylim(0, HEADROOM * highest or 1)
    unit = f" ({panel.unit}{', log scale' if panel.is_logarithmic else ''})" if panel.unit else ""
    axes.set_title(f"{panel.title}{unit}", loc="left", fontsize=10, color=_INK)
    axes.tick_params(labelsize=8, colors=_QUIET, length=0)
    axes.grid(color=_GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.legend(
        loc="lower right", bbox_to_anchor=(1, 1), ncols=4, frameon=False, fontsize=8, borderaxespad=0.1
    )


def _time_axis(every: Sequence["Axes"], timeline: Timeline) -> None:
    marks = time_marks(timeline.begin, timeline.end, timeline.zero, MARKS)
    with_seconds = len(marks) > 1 and marks[1] - marks[0] < 60
    for axes in every:
        axes.set_xlim(timeline.begin, timeline.end)
        axes.set_xticks(marks)
    every[-1].set_xticklabels(
        [f"{elapsed_mark(mark - timeline.zero)}\n{clock_mark(mark, with_seconds)}" for mark in marks]
    )


def _head(figure: "Figure", record: RunRecord) -> None:
    document = record.document
    run, verdict = document.run, document.verdict.outcome
    day = datetime.fromtimestamp(run.start_timestamp_seconds).astimezone()
    names = f"{document.title}, {day:%Y-%m-%d %H:%M %Z}"
    figure.suptitle(
        f"{_plain(record.name)}\n{_plain(names)}\n{_plain(verdict_sentence(document))}",
        x=0.01,
        ha="left",
        fontsize=10.5,
        color=_VERDICTS.get(verdict, _INK),
    )


def _plain(text: str) -> str:
    """Text of others: on one line, and a $ in it begins no formula."""
    shown = one_line(text)
    shown = shown if len(shown) <= LONGEST_LINE else f"{shown[: LONGEST_LINE - 1]}…"
    return shown.replace("$", r"\$")
