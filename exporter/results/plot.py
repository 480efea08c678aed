"""The picture of results: p95 and p99 of every run, and beside them its requests per second.

A run is a line of its own with horizontal bars, so that names stay readable with any number of runs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exporter.errors import ConfigurationError
from exporter.plain_text import one_line
from exporter.results.picture import check_matplotlib, drawing, lacking, picture_kind, save_picture
from exporter.results.summary import SourcedRow

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAX_RUNS = 100
"""the last ones given; more make a picture that nothing shows"""
LOG_FROM_RATIO = 30.0
"""greatest to least value on one axis: beyond it the least bar is a line of a few pixels"""

# From Okabe and Ito's palette: distinct with every kind of colour blindness, and in grey.
_P95, _P99, _RPS, _ALARM = "#56B4E9", "#0072B2", "#009E73", "#A63603"
_INK, _QUIET, _GRID, _STRIPE = "#1C2733", "#66727F", "#DDE2E7", "#F5F7F9"
_WIDTH, _ROW, _TOP, _BOTTOM, _GAP, _SIDE = 12.0, 0.5, 0.95, 0.65, 0.4, 0.25
"""inches: the picture, one run, what is above and below the bars, between and beside the panels"""
_WIDEST_LABEL = 3.2
_BAR = 0.34


@dataclass(frozen=True)
class _Bar:
    place: float
    """on the y axis, where run 0 is at 0"""
    name: str
    value: float | None
    """None is not known"""
    colour: str
    remark: str = ""


def plot_rows(rows: Sequence[SourcedRow], path: Path) -> None:
    """Write the picture to `path` (.png, .svg or .pdf), in one step: a reader sees the old or the new one.

    Milliseconds and requests per second; an axis is logarithmic where its values differ more than 30-fold,
    and says so. A value that is not known is marked "no data", never drawn as 0. Raises ToolMissingError
    without matplotlib, ConfigurationError where there is nothing to draw or the file cannot be written.
    """
    kind = picture_kind(path)
    check_matplotlib()
    if not rows:
        raise ConfigurationError("there are no results to plot")
    with drawing():
        save_picture(_draw(rows), path, kind)


def _draw(rows: Sequence[SourcedRow]) -> "Figure":
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    shown = rows[-MAX_RUNS:]
    height = _TOP + _BOTTOM + _ROW * len(shown)
    figure = Figure(figsize=(_WIDTH, height), dpi=100, facecolor="white")
    FigureCanvasAgg(figure)

    names = [_fitted(figure, row.label, 9.5) for row, _ in shown]
    sources = [_fitted(figure, source, 7.5) for _, source in shown]
    left = _SIDE + 0.1 + max(width for _, width in names + sources)
    panel = (_WIDTH - left - _GAP - _SIDE) / 2

    def place(x: float, width: float) -> tuple[float, float, float, float]:
        return (x / _WIDTH, _BOTTOM / height, width / _WIDTH, 1 - (_TOP + _BOTTOM) / height)

    latency = figure.add_axes(place(left, panel))
    rate = figure.add_axes(place(left + panel + _GAP, panel))
    latencies, rates, beside = [], [], _BAR / 2 + 0.02
    for i, (row, _) in enumerate(shown):
        latencies += [_Bar(i - beside, "p95", row.p95_ms, _P95), _Bar(i + beside, "p99", row.p99_ms, _P99)]
        share = row.failure_ratio
        rates.append(_Bar(i, "RPS", row.rps, _RPS, f"{_percent(share)} % failed" if share else ""))
    _bars(latency, "latency, ms", len(shown), latencies)
    _bars(rate, "requests per second", len(shown), rates)
    for i, ((name, _), (source, _)) in enumerate(zip(names, sources, strict=True)):
        for text, size, colour, lift in ((name, 9.5, _INK, -0.15), (source, 7.5, _QUIET, 0.21)):
            latency.text(
                -0.1 / panel,
                i + lift,
                text,
                transform=latency.get_yaxis_transform(),
                ha="right",
                va="center",
                fontsize=size,
                color=colour,
                parse_math=False,
            )
    _head(figure, height, rows, shown)
    return figure


def _bars(axes: "Axes", label: str, runs: int, bars: Sequence[_Bar]) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter  # noqa: PLC0415

    known = [_drawable(bar.value) for bar in bars if bar.value]
    top = max(known, default=1.0)
    # Room for the figures behind the longest bar.
    room = 1.65 if any(bar.remark for bar in bars) else 1.3
    logarithmic = bool(known) and top / min(known) > LOG_FROM_RATIO
    if logarithmic:
        start = min(known) / 1.6
        axes.set_xscale("log")
        axes.set_xlim(start, start * (top / start) ** room)
        axes.xaxis.set_major_locator(LogLocator(numticks=7))
    else:
        start = 0.0
        axes.set_xlim(0, top * room)
        axes.xaxis.set_major_locator(MaxNLocator(6, prune="upper"))
    axes.set_xlabel(label + (" (log scale)" if logarithmic else ""), fontsize=9, color=_INK)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _number(value)))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_ylim(runs - 0.5, -0.5)
    axes.set_yticks([])
    axes.tick_params(axis="x", which="both", labelsize=8, colors=_QUIET, length=0, labeltop=runs > 15)
    axes.grid(axis="x", color=_GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    for spine in axes.spines.values():
        spine.set_visible(False)
    for i in range(0, runs, 2):
        axes.axhspan(i - 0.5, i + 0.5, color=_STRIPE, zorder=0, linewidth=0)
    for bar in bars:
        if bar.value is None:
            text, colour, end = f"× {bar.name}: no data", _QUIET, start
        else:
            text, colour, end = _number(bar.value), _INK, max(_drawable(bar.value), start)
            axes.barh(bar.place, end - start, _BAR, left=start, color=bar.colour)
        if bar.remark:
            text, colour = f"{text} · {bar.remark}", _ALARM
        axes.annotate(
            text,
            (end, bar.place),
            (4, 0),
            textcoords="offset points",
            va="center_baseline",
            fontsize=7.5,
            color=colour,
        )


def _drawable(value: float) -> float:
    """No real run is beyond these; an axis to 1e308 is beyond floating point."""
    return min(max(value, 1e-6), 1e12) if value else 0.0


def _head(figure: "Figure", height: float, rows: Sequence[SourcedRow], shown: Sequence[SourcedRow]) -> None:
    from matplotlib.patches import Patch  # noqa: PLC0415

    def write(inches_down: float, text: str, **style: Any) -> None:
        figure.text(_SIDE / _WIDTH, 1 - inches_down / height, text, va="top", **style)

    # In the default font: findfont warns on the terminal of a Japanese font that has no bold one.
    heading = {"fontsize": 13, "weight": "bold", "family": "DejaVu Sans", "color": _INK}
    write(0.15, "Benchmark results: latency p95 / p99 and throughput", **heading)
    count = f"{len(rows)} run{'s' if len(rows) > 1 else ''}"
    if len(shown) < len(rows):
        count = f"the last {len(shown)} of {count}"
    boxes = lacking(text for row, source in shown for text in (row.label, source))
    if boxes:
        count += "; boxes: characters that no font here has (for Japanese: apt install fonts-noto-cjk)"
    write(0.45, count, fontsize=9, color=_QUIET)
    labels = {"p95": _P95, "p99": _P99, "requests/s": _RPS}
    figure.legend(
        handles=[Patch(color=color, label=label) for label, color in labels.items()],
        loc="upper right",
        bbox_to_anchor=(1 - _SIDE / _WIDTH, 1 - 0.1 / height),
        borderaxespad=0,
        ncols=3,
        frameon=False,
        fontsize=9,
    )


def _fitted(figure: "Figure", text: str, size: float) -> tuple[str, float]:
    """The text, cut with … where it is too wide for a label, and its width in inches."""
    clean = one_line(text)[:200]
    drawn = figure.text(0, 0, clean, fontsize=size, parse_math=False)
    while (width := drawn.get_window_extent().width / figure.dpi) > _WIDEST_LABEL:
        clean = clean[: min(int(len(clean) * _WIDEST_LABEL / width), len(clean) - 1)].rstrip()
        drawn.set_text(clean + "…")
    drawn.remove()
    return drawn.get_text(), width


def _number(value: float) -> str:
    """Three digits or more, without an exponent where that is readable."""
    if value >= 1e7:
        return f"{value:.3g}"
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value >= 0.001 or value == 0 else f"{value:.1e}"


def _percent(share: float) -> str:
    """Four digits; only what is all of it is 100."""
    text = f"{100 * share:.4g}"
    return ">99.99" if text == "100" and share < 1 else text
