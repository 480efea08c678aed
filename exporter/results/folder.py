"""`benchmarks/results/`: where a run's files go, and under which names."""

import os
import re
import tempfile
from datetime import datetime
from pathlib import Path

from exporter.errors import ConfigurationError
from exporter.live.results_csv import rows_text
from exporter.results.openmetrics import write_openmetrics
from exporter.results.record import record_text, result_row
from exporter.results.run_json import run_json
from exporter.results.run_result import RunResult

_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")


def check_label(label: str) -> None:
    """A label becomes a file name: raises ConfigurationError for one that is no plain name."""
    if not _NAME.fullmatch(label):
        raise ConfigurationError(
            f"--label: {label[:80]!r}: use 1 to 64 of A-Z a-z 0-9 . _ - and begin with a letter or digit"
        )


def check_writable(folder: Path) -> None:
    """Make the folder and write to it once, before an hour of load; raises ConfigurationError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ConfigurationError(
            f"--results: cannot write to {folder} ({error.strerror}); name another folder"
        ) from error


def write_results(result: RunResult, folder: Path) -> dict[str, Path]:
    """Write `YYYYMMDD-<label>.csv`, `.md` and the folder of that name; returns each by its kind.

    A name that is taken gets -2, -3, …: no earlier run's file is ever written to.
    """
    day = datetime.fromtimestamp(result.info.start_timestamp_seconds).astimezone()
    name = claim_name(folder, f"{day:%Y%m%d}-{result.info.label}")
    details = folder / name
    files = {"csv": folder / f"{name}.csv", "record": folder / f"{name}.md", "run": details / "run.json"}
    files["csv"].write_text(rows_text([result_row(result)]), encoding="utf-8")
    files["record"].write_text(record_text(result, name), encoding="utf-8")
    files["run"].write_text(run_json(result), encoding="utf-8")
    series = details / "series.om.gz"
    write_openmetrics(result.evidence.series, series, job="exporter", instance=result.instance)
    (details / "engine-output.txt").write_bytes(bytes(result.output))
    return {**files, "series": series, "output": details / "engine-output.txt"}


def claim_name(folder: Path, base: str) -> str:
    """The first of `base`, `base`-2, … under which nothing lies yet; makes the folder of that name."""
    number = 1
    while True:
        name = base if number == 1 else f"{base}-{number}"
        number += 1
        if any(os.path.lexists(folder / f"{name}{ending}") for ending in (".csv", ".md")):
            continue
        try:
            (folder / name).mkdir()
        except FileExistsError:
            continue
        return name
