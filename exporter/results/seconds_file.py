"""`seconds.jsonl.gz`: a run second by second, one JSON object a line; `partial/seconds.jsonl` as it grows.

A line is `SecondEntry` of live/run_seconds.py.
"""

import gzip
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from pydantic import TypeAdapter

from exporter.errors import ConfigurationError
from exporter.live.run_seconds import SecondEntry
from exporter.live.seconds import SecondCounts, Seconds
from exporter.regular_file import open_regular

NAME = "seconds.jsonl.gz"
PARTIAL_NAME = "seconds.jsonl"
MAX_LINES = 10 * 86_400
MAX_LINE_BYTES = 1 << 16
MAX_BYTES = 1 << 30
"""of a file that is read, unpacked"""
_ENTRY = TypeAdapter(SecondEntry)


def lines_of(seconds: Iterable[SecondCounts]) -> Iterator[bytes]:
    """Each second as a line."""
    for counts in seconds:
        yield _ENTRY.dump_json(SecondEntry.of(counts)) + b"\n"


def write_seconds(seconds: Seconds, path: Path) -> None:
    """Write a whole file; raises OSError. Equal seconds make equal bytes."""
    with path.open("wb") as raw, gzip.GzipFile("", "wb", 6, raw, mtime=0) as file:
        file.writelines(lines_of(seconds))


def read_seconds(path: Path) -> Seconds:
    """The seconds in a file, packed or (by its name) not; raises ConfigurationError with one line.

    A last line without its end, as a kill leaves it, is not there.
    """
    found = Seconds()
    number = 0
    try:
        with open_regular(path) as raw, _unpacked(raw, path) as file:
            size = 0
            while line := file.readline(MAX_LINE_BYTES):
                number += 1
                size += len(line)
                if not line.endswith(b"\n") and len(line) < MAX_LINE_BYTES and path.suffix != ".gz":
                    break
                if number > MAX_LINES or size > MAX_BYTES or not line.endswith(b"\n"):
                    raise ConfigurationError(f"{path}: line {number}: more than a run's seconds can be")
                found.append(_ENTRY.validate_json(line, strict=True).counts)
    except (OSError, EOFError, zlib.error) as error:
        raise ConfigurationError(f"{path}: cannot be read ({error})") from error
    except (ValueError, OverflowError):
        raise ConfigurationError(f"{path}: line {number} is no second of a run") from None
    return found


def _unpacked(raw: BinaryIO, path: Path) -> gzip.GzipFile | BinaryIO:
    return gzip.GzipFile(fileobj=raw, mode="rb") if path.suffix == ".gz" else raw
