"""`benchmarks/results/`: where a run's files go, and under which names."""

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from exporter.errors import ConfigurationError
from exporter.settings.state_folder import state_folder

PARTIAL = "partial"
"""the folder in a run's own in which nothing is whole"""
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
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"\n")
    except OSError as error:
        raise ConfigurationError(
            f"--results: cannot write to {folder} ({error.strerror}); name another folder"
        ) from error


def base_name(start_timestamp_seconds: float, label: str) -> str:
    """`YYYYMMDD-<label>`, by this machine's local day."""
    return f"{datetime.fromtimestamp(start_timestamp_seconds).astimezone():%Y%m%d}-{label}"


@dataclass(frozen=True)
class RunFolder:
    """A name under a folder of results that is one run's alone: `<name>.csv`, `<name>.md` and `<name>/`.

    What is not whole yet lies in `<name>/partial/`: what is known while the run goes on, and files that are
    being written. Nobody reads results there.
    """

    results: Path
    base: str
    """the name without the number that it may have got"""
    name: str

    @property
    def details(self) -> Path:
        """The run's own folder."""
        return self.results / self.name

    @property
    def partial(self) -> Path:
        """What is not whole yet."""
        return self.details / PARTIAL

    def file(self, ending: str) -> Path:
        """`<name>.csv` or `<name>.md`, beside the folder."""
        return self.results / f"{self.name}{ending}"

    @property
    def is_taken(self) -> bool:
        """Whether another program has written a file of that name beside the folder."""
        return _is_taken(self.results, self.name)

    @property
    def has_partial(self) -> bool:
        """Whether something lies in `partial/`."""
        try:
            return any(path.stat().st_size for path in self.partial.iterdir())
        except OSError:
            return False

    def release(self) -> None:
        """Remove `partial/`, and give the name back where nothing else lies under it."""
        shutil.rmtree(self.partial, ignore_errors=True)
        self.release_if_empty()

    def release_if_empty(self) -> None:
        """Give the name back where nothing lies under it."""
        for folder in (self.partial, self.details):
            with suppress(OSError):
                folder.rmdir()


def check_whole(folder: Path) -> None:
    """Raise ConfigurationError for the folder of a run that has not been written to its end."""
    if (folder / PARTIAL).is_dir() and not (folder / "run.json").exists():
        raise ConfigurationError(
            f"{folder}: this run goes on, or it was killed; what it has seen so far is in {PARTIAL}/, and "
            "soak report makes the files of one that was killed"
        )


def claim(results: Path, base: str) -> RunFolder:
    """Take the first of `base`, `base`-2, … under which nothing lies yet; raises OSError."""
    number = 1
    while True:
        name = base if number == 1 else f"{base}-{number}"
        number += 1
        if _is_taken(results, name):
            continue
        try:
            (results / name).mkdir()
        except FileExistsError:
            continue
        claimed = RunFolder(results, base, name)
        try:
            claimed.partial.mkdir()
        except OSError:
            claimed.release()
            raise
        return claimed


def claim_anywhere(results: Path, base: str) -> RunFolder:
    """A name in `results`, else in the first fallback folder that takes one; raises ConfigurationError."""
    try:
        return claim(results, base)
    except OSError as error:
        for found in claim_fallbacks(base):
            return found
        raise ConfigurationError(
            f"--results: cannot write to {results} ({error.strerror}), nor to the state directory or the "
            "temporary folder; name another folder"
        ) from error


def claim_fallbacks(base: str) -> Iterator[RunFolder]:
    """A name in the state directory, then one in the temporary folder, each only where it can be had."""
    with suppress(OSError):
        results = state_folder() / "results"
        results.mkdir(exist_ok=True)
        yield claim(results, base)
    with suppress(OSError):
        yield claim(Path(tempfile.mkdtemp(prefix="soak-results-")), base)


def _is_taken(results: Path, name: str) -> bool:
    return any(os.path.lexists(results / f"{name}{ending}") for ending in (".csv", ".md"))
