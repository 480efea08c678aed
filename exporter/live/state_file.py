"""What the exporter has published, kept in a file so that a restarted exporter goes on counting from there.

Without it a restart in the middle of a run would publish the run's counters from zero again, and Prometheus
would add what it had already added. The file is written before a scrape is answered, so it is never behind
what anyone has seen; it is replaced in one step, so a kill leaves the old one or the new one.
"""

import json
import logging
from array import array
from dataclasses import asdict
from pathlib import Path
from typing import Any

from exporter.errors import ConfigurationError
from exporter.live.histogram import INDEX_COUNT
from exporter.live.message import FailureReason, Phase, Route, RunInfo
from exporter.live.runs import LiveRuns
from exporter.live.totals import Totals

VERSION = 1
_log = logging.getLogger(__name__)


class Journal:
    """The file, and what was last written to it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._written = ""
        self._failed = False

    def load(self, runs: LiveRuns) -> None:
        """Give `runs` what the file holds; a missing file is a first start.

        Raises ConfigurationError where the file cannot be read or is not a journal: starting from zero then
        would make counters fall, which is for the user to decide.
        """
        try:
            document = json.loads(self._path.read_text(encoding="utf-8"))
            _restore(document, runs)
        except FileNotFoundError:
            return
        except (OSError, ValueError, LookupError, TypeError, AttributeError, OverflowError) as error:
            raise ConfigurationError(
                f"{self._path}: the exporter's state file cannot be used ({type(error).__name__}: {error}); "
                "remove it to begin with counters at zero, or name another with --ingest.state-file"
            ) from error

    def save(self, runs: LiveRuns) -> None:
        """Write what is about to be published, if it changed. A failure to write is logged, once."""
        text = json.dumps(_document(runs), separators=(",", ":"))
        if text == self._written:
            return
        temporary = self._path.with_name(self._path.name + ".new")
        try:
            temporary.write_text(text, encoding="utf-8")
            temporary.replace(self._path)
        except OSError as error:
            if not self._failed:
                _log.error(
                    "%s: cannot write the state file (%s); a restart in mid-run would count twice",
                    self._path,
                    error.strerror,
                )
            self._failed = True
            return
        self._failed = False
        self._written = text


def _document(runs: LiveRuns) -> dict[str, Any]:
    with runs.lock:
        return {
            "version": VERSION,
            "models": [
                {"route": route.value, "model": model, "totals": _totals(totals)}
                for (route, model), totals in runs.models.items()
            ],
            "runs": [
                {"info": asdict(run.info), "phase": run.phase.value, "totals": _totals(run.published)}
                for run in runs.runs.values()
                if run.phase != Phase.FINISHED
            ],
            "ended": list(runs.ended),
        }


def _totals(totals: Totals) -> dict[str, Any]:
    return {
        "counts": list(totals.counts()),
        "sum_us": totals.sum_us,
        "failures": {reason.value: count for reason, count in totals.failures.items()},
    }


def _restore(document: Any, runs: LiveRuns) -> None:
    if document["version"] != VERSION:
        raise ValueError(f"version {document['version']} is not {VERSION}")
    for entry in document["models"]:
        runs.restore((Route(entry["route"]), str(entry["model"])), _read_totals(entry["totals"]))
    runs.ended.extend(str(run) for run in document["ended"])
    for entry in document["runs"]:
        fields = dict(entry["info"])
        info = RunInfo(**{**fields, "route": Route(fields["route"])})
        runs.restore_run(info, Phase(entry["phase"]), _read_totals(entry["totals"]))


def _read_totals(document: Any) -> Totals:
    totals = Totals()
    for index, count in document["counts"]:
        if not 0 <= index < INDEX_COUNT:
            raise ValueError(f"index {index} is out of range")
        totals.set(index, count)
    sums = array("d", document["sum_us"])
    if len(sums) != 5:
        raise ValueError("sum_us needs five numbers")
    totals.sum_us = sums.tolist()
    for reason, count in document["failures"].items():
        totals.failures[FailureReason(reason)] = int(count)
    return totals
