"""Files that appear whole: written in `partial/`, then renamed; in another folder where one takes none."""

import errno
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from exporter.results.folder import RunFolder, claim, claim_fallbacks

Writer = Callable[[Path], object]
"""writes one file; raises OSError where it cannot"""
Files = Mapping[str, tuple[Path, Writer]]
"""place and writer of each file by its kind, in the order in which they appear"""


@dataclass(frozen=True)
class Published:
    """What was written."""

    files: dict[str, Path]
    """by kind; one that could be written nowhere is missing"""
    problem: str
    """where the files are instead, and which are missing; empty where all is as it was asked for"""
    notes: tuple[str, ...] = ()
    """what was left out by itself"""


def text_writer(text: str) -> Writer:
    """Writes a text. What is no character in it, as in a command line of bytes, is written as an escape."""
    return lambda path: path.write_text(text, encoding="utf-8", errors="backslashreplace")


def publish(claimed: RunFolder, wanted: Path, files_of: Callable[[RunFolder], Files]) -> Published:
    """Write all files under the claimed name; where one fails, all under a name in a fallback folder.

    `wanted` is the folder of results that was asked for. No file that lies there is replaced. Where no folder
    takes all of them, one has those that it takes, and what lies in `partial/` stays. Raises no OSError.
    """
    tried: list[tuple[RunFolder, dict[str, OSError]]] = []
    for place in _places(claimed):
        files, missing = _write(files_of(place), place.partial, in_part=False)
        tried.append((place, missing))
        if not missing:
            break
    else:
        place, _ = min(tried, key=lambda each: len(each[1]))
        files, missing = _write(files_of(place), place.partial, in_part=True)
    recorded = bool(missing) and claimed.has_partial
    for each, _ in tried:
        if each is not claimed or not recorded:
            each.release()
    problems = []
    if place.results != wanted and files:
        reason = next((f" ({_reason(error)})" for error in tried[0][1].values()), "")
        problems.append(f"{wanted} takes no files{reason}: they are in {place.results}")
    if missing:
        listed = ", ".join(f"{kind} ({_reason(error)})" for kind, error in missing.items())
        problems.append(f"could be written nowhere: {listed}")
        if recorded:
            problems.append(f"what was recorded is in {claimed.partial}")
    return Published(files, "; ".join(problems))


def _places(claimed: RunFolder) -> Iterator[RunFolder]:
    yield claimed
    if claimed.is_taken:
        with suppress(OSError):
            yield claim(claimed.results, claimed.base)
    yield from claim_fallbacks(claimed.base)


def _write(files: Files, partial: Path, in_part: bool) -> tuple[dict[str, Path], dict[str, OSError]]:
    """All files, or where `in_part` those that can be; what is written, and what is not with its reason."""
    staged: dict[str, Path] = {}
    missing: dict[str, OSError] = {}
    for kind, (path, write) in files.items():
        staged[kind] = partial / f"new-{path.name}"
        try:
            write(staged[kind])
            with staged[kind].open("rb") as file:
                os.fsync(file.fileno())
        except OSError as error:
            _remove(staged.pop(kind))
            missing[kind] = error
    named: dict[str, Path] = {}
    if in_part or not missing:
        for kind, temporary in staged.items():
            try:
                _rename(temporary, files[kind][0])
            except OSError as error:
                _remove(*named.values())
                named, missing = {}, dict.fromkeys(files, error)
                break
            named[kind] = files[kind][0]
    _remove(*staged.values())
    return named, missing


def _rename(temporary: Path, path: Path) -> None:
    """Give a file its name; raises FileExistsError where there is one of that name, which rename replaces."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise
    except OSError:
        # A file system without hard links.
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST)) from None
        temporary.rename(path)


def _remove(*paths: Path) -> None:
    for path in paths:
        with suppress(OSError):
            path.unlink()


def _reason(error: OSError) -> str:
    return error.strerror or str(error)
