"""exporter.results.plot and plot_csv.py: a bar for what is known, a mark for what is not, any label."""

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from exporter.errors import ConfigurationError, ToolMissingError
from exporter.live.results_csv import ResultRow, rows_text
from exporter.results import plot
from exporter.results.picture import can_draw
from exporter.results.plot import MAX_RUNS, plot_rows
from tests.support.checkout import HAND_TOOLS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# It is slow to load, so whoever draws nothing does not load it.
pytestmark = pytest.mark.skipif(not can_draw(), reason="matplotlib is not installed")
SCRIPT = HAND_TOOLS / "plot_csv.py"
LOCAL = ResultRow("local", 100.0, 10.0, 12.0, 15.0, 20.0, 40.0, 0, 0, 3000, 30.0)


def drawn(monkeypatch: pytest.MonkeyPatch, path: Path, *rows: ResultRow) -> "Figure":
    """The figure that was written to `path`."""
    from matplotlib.figure import Figure

    kept: list[Figure] = []
    save = Figure.savefig

    def keep(figure: Figure, *arguments: Any, **more: Any) -> None:
        kept.append(figure)
        save(figure, *arguments, **more)

    monkeypatch.setattr(Figure, "savefig", keep)
    plot_rows([(row, f"{row.label}.csv") for row in rows], path)
    [figure] = kept
    return figure


def bars(figure: "Figure", panel: int) -> list[tuple[float, float]]:
    """Place of its run and value of every bar of a panel (0 latency, 1 rate), from the top."""
    from matplotlib.container import BarContainer

    found = []
    for container in figure.axes[panel].containers:
        assert isinstance(container, BarContainer)
        for bar in container.patches:
            found.append((round(bar.get_y() + bar.get_height() / 2, 2), bar.get_x() + bar.get_width()))
    return sorted(found)


def texts(figure: "Figure", panel: int) -> list[str]:
    return [text.get_text() for text in figure.axes[panel].texts]


def all_texts(figure: "Figure") -> str:
    return "\n".join(t.get_text() for t in [*figure.texts, *(t for axes in figure.axes for t in axes.texts)])


def size(path: Path) -> tuple[int, int]:
    from matplotlib import image

    height, width, _ = image.imread(path).shape
    return width, height


def test_every_run_has_its_p95_its_p99_and_its_rate(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    other = ResultRow("openai", 50.0, p95_ms=30.0, p99_ms=60.0)
    figure = drawn(monkeypatch, tmp_path / "out.png", LOCAL, other)
    assert bars(figure, 0) == [(-0.19, 20.0), (0.19, 40.0), (0.81, 30.0), (1.19, 60.0)]
    assert bars(figure, 1) == [(0.0, 100.0), (1.0, 50.0)]
    assert texts(figure, 0)[:4] == ["20", "40", "30", "60"]
    assert [axes.get_xlabel() for axes in figure.axes] == ["latency, ms", "requests per second"]
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == ["p95", "p99", "requests/s"]
    assert {"local", "local.csv", "openai", "openai.csv"} <= set(all_texts(figure).split("\n"))


def test_a_missing_p95_is_marked_and_no_bar(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    figure = drawn(monkeypatch, tmp_path / "out.png", LOCAL, ResultRow("wrk", 50.0, p99_ms=60.0))
    assert bars(figure, 0) == [(-0.19, 20.0), (0.19, 40.0), (1.19, 60.0)]
    assert texts(figure, 0)[:4] == ["20", "40", "× p95: no data", "60"]


def test_nothing_known_is_three_marks_and_zero_is_zero(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    zero = ResultRow("zero", 0.0, p95_ms=0.0, p99_ms=0.0)
    figure = drawn(monkeypatch, tmp_path / "out.png", ResultRow("unknown"), zero)
    assert texts(figure, 0)[:4] == ["× p95: no data", "× p99: no data", "0", "0"]
    assert texts(figure, 1) == ["× RPS: no data", "0"]
    assert bars(figure, 1) == [(1.0, 0.0)]


@pytest.mark.parametrize(("slowest", "scale"), [(600.0, "linear"), (601.0, "log")])
def test_an_axis_is_logarithmic_from_a_thirty_fold_range(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, slowest: float, scale: str
) -> None:
    figure = drawn(monkeypatch, tmp_path / "out.png", LOCAL, ResultRow("slow", 100.0, p99_ms=slowest))
    latency, rate = figure.axes
    assert (latency.get_xscale(), rate.get_xscale()) == (scale, "linear")
    assert latency.get_xlabel() == "latency, ms" + (" (log scale)" if scale == "log" else "")
    assert bars(figure, 0)[-1] == pytest.approx((1.19, slowest))


def test_the_share_that_failed_stands_beside_the_rate(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    all_errors = ResultRow("errors", 170_600.0, non2xx=170_600, socket_errors=0, requests=170_600)
    few = ResultRow("few", 100_000.0, non2xx=1, socket_errors=2, requests=998)
    most = ResultRow("most", 100_000.0, non2xx=999_999, socket_errors=0, requests=1_000_000)
    figure = drawn(monkeypatch, tmp_path / "out.png", all_errors, few, most)
    assert texts(figure, 1) == [
        "170,600 · 100 % failed",
        "100,000 · 0.3 % failed",
        "100,000 · >99.99 % failed",
    ]


def test_twenty_runs_are_as_wide_as_one_and_each_as_high(tmp_path: Path) -> None:
    plot_rows([(LOCAL, "one.csv")], tmp_path / "1.png")
    plot_rows([(LOCAL, "one.csv")] * 20, tmp_path / "20.png")
    (width, one), (same_width, twenty) = size(tmp_path / "1.png"), size(tmp_path / "20.png")
    assert (width, twenty - one) == (same_width, 19 * 50)


def test_of_too_many_runs_the_last_are_drawn_and_it_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(plot, "MAX_RUNS", 3)
    rows = [ResultRow(f"run{i}", 1.0) for i in range(5)]
    figure = drawn(monkeypatch, tmp_path / "out.png", *rows)
    assert "the last 3 of 5 runs" in all_texts(figure)
    assert [f"run{i}" in all_texts(figure) for i in range(5)] == [False, False, True, True, True]
    assert MAX_RUNS == 100


HOSTILE = (
    "$x^{",
    "\\frac{",
    "a|b<c>&amp;",
    "W" * 300,
    "ローカル経路",
    "two\nlines\x1b[31m",
    "\udcff",
    "مرحبا",
    "\u202eabc",
)


@pytest.mark.parametrize("label", HOSTILE)
def test_any_label_is_drawn_as_text_within_the_picture(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, label: str
) -> None:
    figure = drawn(monkeypatch, tmp_path / "out.png", ResultRow(label, 1.0, p95_ms=1.0, p99_ms=2.0))
    assert size(tmp_path / "out.png")[0] == 1200
    for text in figure.axes[0].texts:
        assert text.get_window_extent().x0 >= 0
        assert "\n" not in text.get_text()


def test_figures_out_of_any_range_are_drawn_at_the_edge(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    figure = drawn(monkeypatch, tmp_path / "out.png", ResultRow("huge", 1e300, p95_ms=1e-300, p99_ms=1.7e308))
    assert texts(figure, 0)[:2] == ["1.0e-300", "1.7e+308"]
    assert texts(figure, 1) == ["1e+300"]


def test_a_users_own_matplotlibrc_changes_nothing_and_is_left_as_it_was(tmp_path: Path) -> None:
    import matplotlib

    plot_rows([(LOCAL, "one.csv")], tmp_path / "before.png")
    with matplotlib.rc_context({"text.usetex": True, "savefig.dpi": 17, "axes.facecolor": "black"}):
        plot_rows([(LOCAL, "one.csv")], tmp_path / "after.png")
        assert matplotlib.rcParams["text.usetex"] is True
    assert (tmp_path / "before.png").read_bytes() == (tmp_path / "after.png").read_bytes()


@pytest.mark.parametrize(
    ("name", "begins"),
    [("a.png", b"\x89PNG"), ("a.PNG", b"\x89PNG"), ("a.svg", b"<?xml"), ("a.pdf", b"%PDF")],
)
def test_the_ending_of_the_name_decides_the_format(tmp_path: Path, name: str, begins: bytes) -> None:
    plot_rows([(LOCAL, "one.csv")], tmp_path / name)
    assert (tmp_path / name).read_bytes().startswith(begins)
    assert [each.name for each in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(
    ("name", "why"),
    [("plot", ".pdf"), ("plot.txt", ".pdf"), ("missing/plot.png", "(No such file or directory)")],
)
def test_a_picture_that_cannot_be_written_is_one_clear_line(tmp_path: Path, name: str, why: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        plot_rows([(LOCAL, "one.csv")], tmp_path / name)
    assert str(error.value).startswith(f"{tmp_path / name}: ")
    assert str(error.value).endswith(why)
    assert list(tmp_path.iterdir()) == []


def test_a_picture_that_fails_leaves_the_old_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "plot.png"
    path.write_bytes(b"old")

    def fail(_self: Path, _target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(ConfigurationError, match="No space left on device"):
        plot_rows([(LOCAL, "one.csv")], path)
    assert path.read_bytes() == b"old"
    assert [each.name for each in tmp_path.iterdir()] == ["plot.png"]


def test_no_rows_are_no_picture(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError):
        plot_rows([], tmp_path / "plot.png")
    assert list(tmp_path.iterdir()) == []


def test_without_matplotlib_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ToolMissingError, match="pip install matplotlib"):
        plot_rows([(LOCAL, "one.csv")], tmp_path / "plot.png")


def run_script(*arguments: str, folder: Path, bare: bool = False) -> subprocess.CompletedProcess[str]:
    """The script as a user runs it; `bare` is a Python without any package."""
    return subprocess.run(
        [sys.executable, *(["-S", "-I"] if bare else []), str(SCRIPT), *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_script_draws_files_and_globs_and_names_broken_rows(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(rows_text([LOCAL]), encoding="utf-8")
    done = run_script("-o", "plot.png", "*.csv", folder=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    (tmp_path / "b.csv").write_text(rows_text([LOCAL]) + "x\n", encoding="utf-8")
    done = run_script("-o", "plot.png", "*.csv", folder=tmp_path)
    [line] = done.stderr.splitlines()
    assert done.returncode == 1
    assert line.startswith("b.csv:3: ")
    assert size(tmp_path / "plot.png")[0] == 1200


def test_the_script_without_matplotlib_or_results_ends_with_one_line(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(rows_text([LOCAL]), encoding="utf-8")
    done = run_script("-o", "plot.png", "a.csv", folder=tmp_path, bare=True)
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert line.startswith("plot_csv.py: ")
    assert line.endswith("pip install matplotlib")
    done = run_script("-o", "plot.png", "none*.csv", folder=tmp_path)
    assert done.returncode == 2
    unmatched, nothing = done.stderr.splitlines()
    assert unmatched.startswith("none*.csv: ")
    assert nothing.startswith("plot_csv.py: ")
    assert not (tmp_path / "plot.png").exists()
