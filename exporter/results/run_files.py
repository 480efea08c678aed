"""The files of one run: what each holds, and where it lies."""

import os
from collections.abc import Collection
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from exporter.live.message import RunInfo
from exporter.live.results_csv import rows_text
from exporter.plain_text import one_line
from exporter.results.folder import RunFolder
from exporter.results.html_report import html_report
from exporter.results.openmetrics import write_openmetrics
from exporter.results.picture import can_draw
from exporter.results.publication import Files, Published, Writer, publish, text_writer
from exporter.results.record import record_text, result_row
from exporter.results.run_json import begun_json, run_json
from exporter.results.run_plot import WITHOUT_MATPLOTLIB, plot_png
from exporter.results.run_record import COMMAND_OUTPUT, ENGINE_OUTPUT, record_of
from exporter.results.run_result import Inputs, RunResult
from exporter.results.seconds_file import NAME, write_seconds

_MISTAKES = (
    ArithmeticError,
    AttributeError,
    ImportError,
    LookupError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""what a mistake in making a page or a picture raises, or an installation that lacks a part"""


def write_results(result: RunResult, claimed: RunFolder, wanted: Path) -> Published:
    """Write `<name>.csv`, `<name>.md` and the folder of that name; `publish` says where.

    A run whose load somebody else sent has no row, so no `<name>.csv`, and nothing by the second.

    `run.json` comes last: where it is, all others are whole. What was measured is not lost by its pictures:
    where report.html or plot.png cannot be made, it is said.
    """
    notes: list[str] = []
    published = publish(claimed, wanted, partial(_files_of, result, notes))
    return replace(published, notes=tuple(dict.fromkeys(notes)))


def note_begin(info: RunInfo, inputs: Inputs, soak_command: str, claimed: RunFolder) -> None:
    """Leave in `partial/` which run this is; where that cannot be written the run goes on."""
    with suppress(OSError):
        text_writer(begun_json(info, inputs, soak_command))(claimed.partial / "begun.json")


def _files_of(result: RunResult, notes: list[str], place: RunFolder) -> Files:
    if result.recorded is None:
        series = partial(write_openmetrics, result.evidence.series, job="exporter", instance=result.instance)
    else:
        series = partial(write_openmetrics, result.recorded)
    files: dict[str, tuple[Path, Writer]] = {}
    if result.has_load:
        files["csv"] = (place.file(".csv"), text_writer(rows_text([result_row(result)])))
    files["record"] = (place.file(".md"), text_writer(record_text(result, place.name)))
    files["series"] = (place.details / "series.om.gz", series)
    if result.has_load:
        files["seconds"] = (place.details / NAME, partial(write_seconds, result.evidence.seconds))
    # What a command printed is lost where the run was killed: no empty file says that it printed nothing.
    has_engine = result.has_load and result.recorded is None
    if has_engine or (not result.has_load and result.command and result.incomplete is None):
        output = place.details / (ENGINE_OUTPUT if result.has_load else COMMAND_OUTPUT)
        files["output"] = (output, lambda path: path.write_bytes(bytes(result.output)))
    run = place.details / "run.json"
    beside = [os.path.relpath(path, place.details) for path in (run, *(path for path, _ in files.values()))]
    files |= _shown(result, place, beside, notes)
    files["run"] = (run, text_writer(run_json(result)))
    return files


def _shown(
    result: RunResult, place: RunFolder, beside: Collection[str], notes: list[str]
) -> dict[str, tuple[Path, Writer]]:
    """The page and the picture of the run; one that a mistake of ours keeps from being made is noted."""
    files: dict[str, tuple[Path, Writer]] = {}
    try:
        record = record_of(result, place.name, beside)
        files["report"] = (place.details / "report.html", text_writer(html_report(record)))
        if can_draw():
            picture = plot_png(record)
            files["plot"] = (place.details / "plot.png", lambda path: path.write_bytes(picture))
        else:
            notes.append(WITHOUT_MATPLOTLIB)
    except _MISTAKES as error:
        missing = "plot.png" if "report" in files else "report.html and plot.png"
        what = one_line(f"{type(error).__name__}: {error}")
        notes.append(f"{missing} could not be made ({what}); soak report {place.details} tries again")
    return files
