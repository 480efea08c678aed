"""The series of a run that was killed, from what its spool (spool.py) has left: whole segments, in order.

A segment that was cut off, or that a power cut has spoilt, ends what is read. The file may be somebody
else's: names, counts and times have bounds.
"""

import json
import math
import os
import re
import zlib
from collections.abc import Iterator
from pathlib import Path

from exporter.live.message import MAX_TIMESTAMP
from exporter.regular_file import open_regular
from exporter.run.spool import (
    COUNT_BITS,
    HEADER,
    MAGIC,
    MAX_SERIES,
    NAMES,
    OFFSET_BITS,
    SAMPLE_BYTES,
    SEGMENT,
    Kept,
    SpooledStore,
)
from exporter.timeseries import Key, Series

MAX_SEGMENT_BYTES = 256 << 20
"""what may wait in memory for a disk, and the names"""
MAX_KEY_BYTES = 1 << 16
MAX_LABELS = 64
_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]{0,999}")
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]{0,999}")


class KilledSeries(SpooledStore):
    """What a spool holds, read; raises OSError where there is no such file. Close it at the end."""

    def __init__(self, path: Path) -> None:
        with open_regular(path, follow_links=False) as file:
            super().__init__([lambda: os.dup(file.fileno())])
            self._size = os.fstat(file.fileno()).st_size
            self._file = self._files[0]
            self._file.open()
        self._by_number: dict[int, Kept | None] = {}
        """None: a series that Prometheus would not take, which is left out"""
        for begin, payload in self._segments():
            try:
                self._take(begin, payload)
            except ValueError:  # it is whole, and none of ours
                break

    def _segments(self) -> Iterator[tuple[int, bytes]]:
        """Where the records of each whole segment begin, and they themselves."""
        at = 0
        while at + SEGMENT.size <= self._size:
            magic, checksum, length = SEGMENT.unpack(self._file.read(at, SEGMENT.size))
            at += SEGMENT.size
            if magic != MAGIC or length > min(MAX_SEGMENT_BYTES, self._size - at):
                return
            payload = self._file.read(at, length)
            if zlib.crc32(payload) != checksum:
                return
            yield at, payload
            at += length

    def _take(self, begin: int, payload: bytes) -> None:
        """Note where the samples of a segment lie; raises ValueError where it is none of a recorder's."""
        at = 0
        while at < len(payload):
            if at + HEADER.size > len(payload):
                raise ValueError("half a record")
            number, count = HEADER.unpack_from(payload, at)
            at += HEADER.size
            length = count if number & NAMES else count * SAMPLE_BYTES
            if at + length > len(payload):
                raise ValueError("more than the segment")
            if number & NAMES:
                self._name(number & ~NAMES, payload[at : at + length])
            elif count:
                self._place(number, count, begin + at)
            at += length

    def _name(self, number: int, text: bytes) -> None:
        if number in self._by_number or len(self._by_number) >= MAX_SERIES:
            raise ValueError("a series twice, or too many")
        try:
            key = _key(text)
        except ValueError:
            self._by_number[number] = None
            return
        if key in self._kept:
            raise ValueError("a series twice")
        self._kept[key] = self._by_number[number] = Kept(number)
        self._named[key[0]].append(key)

    def _place(self, number: int, count: int, offset: int) -> None:
        if number not in self._by_number or count >> COUNT_BITS or offset >> OFFSET_BITS:
            raise ValueError("samples of no series, or too many")
        kept = self._by_number[number]
        if kept is None:
            return
        kept.chunks.append(count << OFFSET_BITS | offset)

    def series(self, key: Key) -> Series:
        """One series: the samples whose times rise."""
        found, whole = super().series(key), Series(*key)
        last = 0.0
        for time, value in zip(found.times, found.values, strict=True):
            if math.isfinite(time) and last < time <= MAX_TIMESTAMP:
                whole.times.append(time)
                whole.values.append(value)
                last = time
        return whole

    def _newest(self, key: Key) -> tuple[float, float] | None:
        series = self.series(key)
        return (series.times[-1], series.values[-1]) if series.times else None


def _key(text: bytes) -> Key:
    """A series' name and labels; raises ValueError where they are none that Prometheus takes."""
    if len(text) > MAX_KEY_BYTES:
        raise ValueError("a long name")
    try:
        name, labels = json.loads(text)
        found = tuple((label, value) for label, value in labels)
    except (TypeError, RecursionError) as error:
        raise ValueError("no name") from error
    if not isinstance(name, str) or not _NAME.fullmatch(name) or len(found) > MAX_LABELS:
        raise ValueError("no name")
    for label, value in found:
        if not isinstance(label, str) or not isinstance(value, str) or not _LABEL.fullmatch(label):
            raise ValueError("no label")
        value.encode()  # half a character is none, and raises ValueError
    if len({label for label, _ in found}) != len(found):
        raise ValueError("a label twice")
    return name, found
