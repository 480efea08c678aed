"""exporter.results.run_plot: the curves of the report as a picture, with any names."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from exporter.errors import ConfigurationError
from exporter.live.message import RunInfo
from exporter.results import run_plot
from exporter.results.panels import panels_of
from exporter.results.picture import can_draw
from exporter.results.run_plot import plot_png, plot_run
from exporter.results.run_record import RunRecord, record_of
from exporter.results.timeline import timeline_of
from tests.support.eventful_hour import BEGAN, ERRORS, STALL, eventful_hour
from tests.support.live_messages import run_info
from tests.support.run_results import run_result

if TYPE_CHECKING:
    from matplotlib.figure import Figure

pytestmark = pytest.mark.skipif(not can_draw(), reason="matplotlib is not installed")


def record(length: int = 3600) -> RunRecord:
    return record_of(eventful_hour(length), "20251124-nightly", ())


def named(info: RunInfo, name: str) -> RunRecord:
    return record_of(run_result(info=info), name, ())


def test_it_draws_the_first_curves_of_the_report() -> None:
    whole = record()
    figure = run_plot._draw(whole)
    panels = panels_of(whole, timeline_of(whole))[:4]
    assert [axes.get_title("left").partition(" (MiB)")[0].partition(" (ms)")[0] for axes in figure.axes] == [
        "Requests a second (1/s)",
        "Latency of 2xx",
        "Memory of router and nodes (RssAnon and swap)",
        "Files, threads and connections of the router",
    ]
    for axes, panel in zip(figure.axes, panels, strict=True):
        drawn = [np.asarray(line.get_xydata()).tolist() for line in axes.lines]
        wanted = [[list(point) for point in stretch] for line in panel.lines for stretch in line.stretches]
        assert [each for each in drawn if len(each) > 2] == [each for each in wanted if len(each) > 2]


def test_what_failed_is_shaded() -> None:
    axes = run_plot._draw(record()).axes[0]
    boxes = [patch.get_window_extent().transformed(axes.transData.inverted()) for patch in axes.patches]
    spans = [(box.x0, box.x1) for box in boxes]
    for since, until in (ERRORS, STALL):
        assert any(span == pytest.approx((BEGAN + since, BEGAN + until), abs=0.01) for span in spans)


def texts(figure: "Figure") -> str:
    return figure.get_suptitle()


@pytest.mark.parametrize("name", ["$x_2$", "日本語", "a" * 500, "\x1b[31m", "</svg>"])
def test_any_name_is_drawn_as_text(name: str, tmp_path: Path) -> None:
    plot_run(named(run_info(model=name), name), tmp_path / "plot.svg")
    figure = run_plot._draw(named(run_info(model=name), name))
    assert "\x1b" not in texts(figure)
    assert max(map(len, texts(figure).splitlines())) <= 122


def test_it_is_a_png_and_as_a_file_another_format_where_that_is_asked_for(tmp_path: Path) -> None:
    assert plot_png(record(60)).startswith(b"\x89PNG")
    plot_run(record(60), tmp_path / "a.pdf")
    assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF")
    with pytest.raises(ConfigurationError, match="must end in"):
        plot_run(record(60), tmp_path / "a.txt")


def test_a_run_of_which_nothing_is_known_is_a_picture_too() -> None:
    assert plot_png(named(run_info(), "a")).startswith(b"\x89PNG")
