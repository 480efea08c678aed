"""A run's series on disk: a day of them needs little memory, and a run that is killed leaves what it saw.

The file is a row of segments, one a flush, each added at its end and never written again: MAGIC, the CRC-32
and the length of what follows. That is a row of records: two numbers (the series', how many samples), then
the times and the values of so many samples, 8 bytes each. A record with NAMES set in its first number holds a
series' name and labels as JSON, and the second number is its length. killed_series.py reads what a kill, a
power cut or a full disk has left of it.
"""

import errno
import json
import os
import struct
import tempfile
import threading
import zlib
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from exporter.results.folder import RunFolder
from exporter.settings.state_folder import state_folder
from exporter.timeseries import Key, Loss, Series, SeriesStore

MAX_BYTES = 4 << 30
"""of one run: 2,000 series every 5 s for a week"""
MAX_PENDING = 2_000_000
"""samples in memory (32 MB) while no disk takes them"""
MAX_SERIES = 100_000
"""of one run; their names stay in memory"""
RESERVE_BYTES = 64 << 20
"""of a disk, which are left to others: a full one would disturb the router"""
SAMPLE_BYTES = 16
MAGIC = b"SOAK"
NAME = "series.spool"
"""in the run's own `partial/`"""
NAMES = 1 << 31

SEGMENT = struct.Struct("=4sIQ")
HEADER = struct.Struct("=II")
COUNT_BITS, OFFSET_BITS = 21, 40
"""of a chunk's place, 64 bits: file, samples, offset"""


Opener = Callable[[], int]
"""opens a new file and gives its descriptor, which holds also where its folder goes away"""


def spool_places(claimed: RunFolder) -> Iterator[Opener]:
    """In the run's own folder, where it lies after a kill; then without a name where results would go too.

    The temporary folder comes last: it may be memory.
    """
    yield lambda: os.open(claimed.partial / NAME, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
    yield lambda: _unnamed(state_folder())
    yield lambda: _unnamed(None)


def _unnamed(folder: Path | None) -> int:
    descriptor, name = tempfile.mkstemp(prefix="soak-series-", dir=folder)
    os.unlink(name)  # noqa: PTH108
    return descriptor


class SpooledStore(SeriesStore):
    """A store that keeps in memory what was added since the last `flush`, and where the rest lies.

    `openers` open a new file each, in the order of preference; where one cannot be opened or written to the
    next is asked, and later the first again. Samples that none takes stay in memory, up to MAX_PENDING, and
    those after them are lost and noted. One thread adds, in its turns under `lock`; others may read beside
    it, a series at a time: what they wait for is never a disk that they read from.
    """

    def __init__(self, openers: Iterable[Opener]) -> None:
        super().__init__()
        self.lock = threading.RLock()
        """for a scrape that is to be seen whole or not at all"""
        self._kept: dict[Key, Kept] = {}
        self._files = [_File(opener) for opener in openers]
        self._pending = 0
        self._refusal = ""

    def add(self, name: str, labels: Mapping[str, str], time: float, value: float) -> None:
        key = (name, tuple(sorted(labels.items())))
        with self.lock:
            kept = self._kept.get(key)
            if kept is None and len(self._kept) >= MAX_SERIES:
                self._lose(1, time, f"more than {MAX_SERIES:,} series")
                return
            if kept is None:
                kept = self._kept[key] = Kept(len(self._kept))
                self._named[name].append(key)
            elif kept.last[0] == time:
                # Twice in one scrape: the first counts, as in Prometheus.
                return
            kept.last = (time, value)
            if self._pending >= MAX_PENDING:
                self._lose(1, time, self._refusal)
                return
            kept.times.append(time)
            kept.values.append(value)
            self._pending += 1

    def add_all(self, series: Series) -> None:
        """Append the samples of a series, all later than those of it that are there."""
        key = (series.name, series.labels)
        with self.lock:
            kept = self._kept.get(key)
            if kept is None and len(self._kept) >= MAX_SERIES:
                self._lose(len(series.times), series.times[0], f"more than {MAX_SERIES:,} series")
                return
            if kept is None:
                kept = self._kept[key] = Kept(len(self._kept))
                self._named[series.name].append(key)
            kept.last = (series.times[-1], series.values[-1])
            if self._pending + len(series.times) > MAX_PENDING:
                self._lose(len(series.times), series.times[0], self._refusal)
                return
            kept.times.extend(series.times)
            kept.values.extend(series.values)
            self._pending += len(series.times)

    def keys(self) -> Iterable[Key]:
        with self.lock:
            return tuple(self._kept)

    def series(self, key: Key) -> Series:
        with self.lock:
            kept, whole = self._kept[key], Series(*key)
            # What is added or moved to disk from here on is not in it.
            chunks, times, values = kept.chunks[:], kept.times[:], kept.values[:]
        lost = []
        for chunk in chunks:
            count = chunk >> OFFSET_BITS & (1 << COUNT_BITS) - 1
            try:
                file = self._files[chunk >> COUNT_BITS + OFFSET_BITS]
                data = file.read(chunk & (1 << OFFSET_BITS) - 1, count * SAMPLE_BYTES)
            except OSError as error:
                lost.append((chunk, count, error.strerror or str(error)))
                continue
            half = len(data) // 2
            whole.times.frombytes(data[:half])
            whole.values.frombytes(data[half:])
        if lost:
            self._forget(kept, lost)
        whole.times.extend(times)
        whole.values.extend(values)
        return whole

    def _newest(self, key: Key) -> tuple[float, float] | None:
        return self._kept[key].last

    def _forget(self, kept: "Kept", lost: Iterable[tuple[int, int, str]]) -> None:
        """Note once what can be read no more."""
        with self.lock:
            for chunk, count, reason in lost:
                if chunk in kept.chunks:
                    kept.chunks.remove(chunk)
                    self._lose(count, kept.last[0], reason)

    def flush(self) -> None:
        """Move what is in memory to disk; where no disk takes it, it stays."""
        with self.lock:
            for number, file in enumerate(self._files):
                try:
                    file.open()
                    self._flush_to(number, file)
                except OSError as error:
                    self._refusal = self._refusal or error.strerror or str(error)
                else:
                    self._refusal = ""
                    return

    def sync(self) -> None:
        """Wait until the disk has what was flushed; for a thread that may."""
        for file in self._files:
            file.sync()

    def close(self) -> None:
        """Close the files; what lies in them is known no more."""
        for file in self._files:
            file.close()

    def _flush_to(self, number: int, file: "_File") -> None:
        data = bytearray()
        moved: list[tuple[Kept, int]] = []
        for key, kept in self._kept.items():
            if not kept.times:
                continue
            if kept.number not in file.named:
                text = json.dumps(key).encode()
                data += HEADER.pack(kept.number | NAMES, len(text)) + text
            data += HEADER.pack(kept.number, len(kept.times))
            moved.append((kept, file.end + SEGMENT.size + len(data)))
            data += kept.times.tobytes() + kept.values.tobytes()
        if sum(each.end for each in self._files) + len(data) > MAX_BYTES:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
        file.append(SEGMENT.pack(MAGIC, zlib.crc32(data), len(data)) + data)
        for kept, offset in moved:
            place = number << COUNT_BITS | len(kept.times)
            kept.chunks.append(place << OFFSET_BITS | offset)
            file.named.add(kept.number)
            del kept.times[:], kept.values[:]
        self._pending = 0

    def _lose(self, samples: int, time: float, reason: str) -> None:
        loss = self.loss or Loss(0, time, time, reason)
        self.loss = Loss(loss.samples + samples, min(loss.since, time), max(loss.until, time), loss.reason)


@dataclass
class Kept:
    """A series: what is in memory of it, and where the rest is."""

    number: int
    times: "array[float]" = field(default_factory=lambda: array("d"))
    values: "array[float]" = field(default_factory=lambda: array("d"))
    chunks: "array[int]" = field(default_factory=lambda: array("Q"))
    last: tuple[float, float] = (0.0, 0.0)
    """time and value"""


class _File:
    """One file, which is written at its end alone; a write that fails leaves it as it was."""

    def __init__(self, opener: Opener) -> None:
        self._opener = opener
        self._descriptor: int | None = None
        self.end = 0
        self.named: set[int] = set()
        """the series whose names are in it"""

    def open(self) -> int:
        """Its descriptor."""
        if self._descriptor is None:
            self._descriptor = self._opener()
        return self._descriptor

    def close(self) -> None:
        """Give up its descriptor."""
        if self._descriptor is not None:
            os.close(self._descriptor)

    def sync(self) -> None:
        if self._descriptor is not None:
            with suppress(OSError):
                os.fdatasync(self._descriptor)

    def append(self, data: bytes) -> None:
        descriptor = self.open()
        found = os.fstatvfs(descriptor)
        if found.f_bavail * found.f_frsize < len(data) + RESERVE_BYTES:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = 0
        try:
            while written < len(data):
                written += os.pwrite(descriptor, memoryview(data)[written:], self.end + written)
        except OSError:
            with suppress(OSError):
                os.ftruncate(descriptor, self.end)
            raise
        self.end += written

    def read(self, offset: int, length: int) -> bytes:
        data = os.pread(self.open(), length, offset)
        if len(data) < length:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return data
