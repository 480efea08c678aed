"""A run that leaves its files, however it ends: a name of its own, what it sees on disk, its results."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from exporter.errors import EngineError
from exporter.live.message import RunInfo
from exporter.results.folder import RunFolder, base_name, claim_anywhere
from exporter.results.run_files import write_results
from exporter.results.run_result import RunResult
from exporter.run.killed_run import under_way
from exporter.run.spool import SpooledStore, spool_places
from exporter.run.view import RunView


def kept_run(
    results: Path, info: RunInfo, view: RunView, measured: Callable[[RunFolder, SpooledStore], RunResult]
) -> tuple[RunResult, dict[str, Path]]:
    """The result of `measured`, which gets the run's folder and its store, and the files it was written to.

    A load that cannot be started (EngineError) leaves nothing; what else ends it leaves what was recorded.
    """
    claimed = claim_anywhere(results, base_name(info.start_timestamp_seconds, info.label))
    with under_way(claimed.partial), closing(SpooledStore(spool_places(claimed))) as store:
        try:
            result = measured(claimed, store)
        except EngineError:
            claimed.release()
            raise
        except BaseException:
            # What was recorded stays where it is.
            claimed.release_if_empty()
            raise
        written = write_results(result, claimed, results)
    for text in (written.problem, *written.notes):
        if text:
            view.warn(text)
    return result, written.files
