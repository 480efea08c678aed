"""What a user is told in the first seconds of a run, and not in the verdict after 45 minutes."""

from collections.abc import Callable

from exporter.run.recorder import Recorder
from exporter.verdict.evidence import Watching

UNWATCHED = (
    "no process of the router is watched: its memory, files, threads and restarts are not judged; run an "
    "exporter on the router's host and name it with --exporter, or see `processes` in its configuration"
)


def warn_of_unwatched(recorder: Recorder, watching: Watching, warn: Callable[[str], None]) -> None:
    """Say it where no process of the router has been seen."""
    seen = recorder.newest("observed_process_up", role="router")
    if not watching.is_target or not any(seen.values()):
        warn(UNWATCHED)
