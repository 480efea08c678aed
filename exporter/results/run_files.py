"""The files of one run: what each holds, and where it lies."""

from contextlib import suppress
from functools import partial
from pathlib import Path

from exporter.live.message import RunInfo
from exporter.live.results_csv import rows_text
from exporter.results.folder import RunFolder
from exporter.results.openmetrics import write_openmetrics
from exporter.results.publication import Files, Published, publish, text_writer
from exporter.results.record import record_text, result_row
from exporter.results.run_json import begun_json, run_json
from exporter.results.run_result import RunInputs, RunResult
from exporter.results.seconds_file import NAME, write_seconds


def write_results(result: RunResult, claimed: RunFolder, wanted: Path) -> Published:
    """Write `<name>.csv`, `<name>.md` and the folder of that name; `publish` says where.

    `run.json` comes last: where it is, all others are whole.
    """
    return publish(claimed, wanted, partial(_files_of, result))


def note_begin(info: RunInfo, inputs: RunInputs, soak_command: str, claimed: RunFolder) -> None:
    """Leave in `partial/` which run this is; where that cannot be written the run goes on."""
    with suppress(OSError):
        text_writer(begun_json(info, inputs, soak_command))(claimed.partial / "begun.json")


def _files_of(result: RunResult, place: RunFolder) -> Files:
    series = partial(write_openmetrics, result.evidence.series, job="exporter", instance=result.instance)
    return {
        "csv": (place.file(".csv"), text_writer(rows_text([result_row(result)]))),
        "record": (place.file(".md"), text_writer(record_text(result, place.name))),
        "series": (place.details / "series.om.gz", series),
        "seconds": (place.details / NAME, partial(write_seconds, result.evidence.seconds)),
        "output": (place.details / "engine-output.txt", lambda path: path.write_bytes(bytes(result.output))),
        "run": (place.details / "run.json", text_writer(run_json(result))),
    }
