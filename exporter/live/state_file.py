"""What the exporter has published, kept in a file so that a restarted exporter goes on counting from there.

Without it a restart in the middle of a run would publish the run's counters from zero again, and Prometheus
would add what it had already added. The file is written before a scrape is answered, so it is never behind
what anyone has seen; it is replaced in one step, so a kill leaves the old one or the new one. Of a
run's token it has the digest, by which the messages that go on after a restart are known: no secret.
"""

import json
import logging
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from exporter.errors import ConfigurationError
from exporter.live.histogram import CLASSES, INDEX_COUNT, Histogram
from exporter.live.message import UNTIMED, Counter, FailureReason, Pair, Phase, Route, RunInfo, values_of
from exporter.live.runs import LiveRuns
from exporter.live.totals import Totals
from exporter.log import ProblemLog

VERSION = 2
_log = logging.getLogger(__name__)


class StateFile:
    """The file, and what was last written to it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._written = ""
        self._problems = ProblemLog(_log)

    def load(self, runs: LiveRuns) -> None:
        """Give `runs` what the file holds; a missing file is a first start.

        Raises ConfigurationError where the file cannot be read or is no state file: starting from zero then
        would make counters fall, which is for the user to decide.
        """
        try:
            document = json.loads(self._path.read_text(encoding="utf-8"))
            if document["version"] == 1:
                _log.warning(
                    "%s: of an earlier version; its counters go on, its %d runs under way are over",
                    self._path,
                    len(document["runs"]),
                )
                document = _of_version_1(document)
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
            problem = f"{self._path}: cannot write the state file ({error.strerror})"
            self._problems.update([f"{problem}; a restart in mid-run would count twice"], logging.ERROR)
            return
        self._problems.update()
        self._written = text


def _document(runs: LiveRuns) -> dict[str, Any]:
    with runs.lock:
        return {
            "version": VERSION,
            "models": [{**asdict(pair), "totals": _totals_document(t)} for pair, t in runs.models.items()],
            "runs": [
                {
                    "info": asdict(run.info),
                    "token_digest": run.digest.hex(),
                    "phase": run.phase.value,
                    "totals": [_totals_document(pair.published) for pair in run.pairs],
                }
                for run in runs.runs.values()
                if run.phase != Phase.FINISHED
            ],
            "ended": list(runs.ended),
        }


def _totals_document(totals: Totals) -> dict[str, Any]:
    return {
        "counts": list(totals.counts()),
        "sums_us": {each.name.lower(): totals.sums_us(each) for each in Histogram},
        "failures": totals.failures(),
        "counters": totals.counters(),
    }


def _restore(document: Any, runs: LiveRuns) -> None:
    if document["version"] != VERSION:
        raise ValueError(f"version {document['version']} is not {VERSION}")
    for entry in document["models"]:
        runs.restore(_pair(entry), _totals(entry["totals"]))
    runs.ended.extend(str(run) for run in document["ended"])
    for entry in document["runs"]:
        info = RunInfo(**{**entry["info"], "pairs": tuple(map(_pair, entry["info"]["pairs"]))})
        digest = bytes.fromhex(entry["token_digest"])
        runs.restore_run(info, digest, Phase(entry["phase"]), list(map(_totals, entry["totals"])))


def _pair(document: Any) -> Pair:
    return Pair(Route(document["route"]), str(document["model"]))


def _totals(document: Any) -> Totals:
    totals = Totals()
    for index, count in document["counts"]:
        totals.set(index, count)
    failures = {FailureReason(name): int(count) for name, count in document["failures"].items()}
    counters = {Counter(name): int(count) for name, count in document["counters"].items()}
    sums = {Histogram[name.upper()]: _sums(each) for name, each in document["sums_us"].items()}
    totals.values = list(values_of(failures, counters, sums))
    return totals


def _sums(numbers: Sequence[float]) -> list[float]:
    if len(numbers) != CLASSES:
        raise ValueError(f"sums_us: {len(numbers)} numbers and not {CLASSES}")
    return [number + 0.0 for number in numbers]


def _of_version_1(document: Any) -> dict[str, Any]:
    """A file of version 1 as one of version 2.

    It had the responses that were not timed behind the counts, and its runs have no token, so that no message
    can be known to be theirs: they are over.
    """
    models = [{**entry, "totals": _totals_of_version_1(entry["totals"])} for entry in document["models"]]
    ended = [*document["ended"], *(entry["info"]["run"] for entry in document["runs"])]
    return {"version": VERSION, "models": models, "runs": [], "ended": ended}


def _totals_of_version_1(document: Any) -> dict[str, Any]:
    counts = document["counts"]
    return {
        "counts": [(index, count) for index, count in counts if index < INDEX_COUNT],
        "sums_us": {Histogram.DURATION.name.lower(): document["sum_us"]},
        "failures": document["failures"],
        "counters": {UNTIMED[index - INDEX_COUNT]: count for index, count in counts if index >= INDEX_COUNT},
    }
