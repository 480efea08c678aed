"""A run's `series.om.gz`, read: it may be somebody else's, so nothing in it is without a bound.

What is written for promtool is what openmetrics.py writes and no more: samples with plain labels and a time.
"""

import gzip
import re
import zlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from exporter.errors import ConfigurationError
from exporter.regular_file import open_regular
from exporter.timeseries import Series

MAX_BYTES = 16 << 30
"""of text: twice that of a week at 5 s"""
MAX_RATIO = 250
"""of text by gzip: a run's own is 20 to 120 times as long, one line over and over 340 times"""
FREE_BYTES = 64 << 20
"""of text that are taken whatever the ratio"""
MAX_LINE_BYTES = 17 << 10
"""a scraped line at its longest, and its target"""
MAX_SERIES = 100_000
MAX_SCRAPES = 1_000_000
MAX_LABELS, MAX_LABEL_BYTES = 64, 2048
MAX_SECONDS = 9 * 86400.0
"""from the first sample to the last: a run is of a week at most"""
OLDEST = 1e9
"""Unix s; what is older is no time of a run"""
LATEST = 4_102_444_800.0
"""Unix s: the year 2100"""
AHEAD_SECONDS = 86400.0
"""by which another machine's clock may be ahead"""
TARGET = {"instance": "127.0.0.1:9877", "job": "exporter"}
"""of series that an earlier release kept without"""
_END = b"# EOF\n"
_SAMPLE = re.compile(
    rb"([A-Za-z_:][A-Za-z0-9_:]{0,255})(\{.*\})? ([-+.0-9A-Za-z]{1,40}) ([0-9]{1,12}(?:\.[0-9]{1,9})?)\n"
)
_ESCAPE = re.compile(r"\\(.)")
_LABEL = re.compile(rb'([A-Za-z_][A-Za-z0-9_]{0,255})="((?:[^"\\\n]|\\[\\n"])*)"')


@dataclass
class Extent:
    """What was read: the first and the last time (Unix s), and when which target was scraped."""

    first: float = float("inf")
    last: float = 0.0
    scrapes: dict[bytes, list[bytes]] = field(default_factory=dict)
    """times as text, by the target's labels"""
    count: int = 0


def unpack(packed: Path, file: Path, now: float, room: int) -> tuple[float, float]:
    """Write the text to `file`, at most `room` bytes of it, with `up` where a scrape succeeded.

    The first and the last time in it. Raises ConfigurationError where it is not what a run has left.
    """
    try:
        with open_regular(packed) as compressed, file.open("wb") as out:
            extent = _copy(_lines(compressed, room), out)
    except (OSError, EOFError, zlib.error) as error:
        raise ConfigurationError(
            f"{packed}: cannot be read ({getattr(error, 'strerror', None) or error})"
        ) from error
    except ValueError as error:
        raise ConfigurationError(f"{packed}: not the series of a run ({error})") from error
    if not extent.last:
        raise ConfigurationError(f"{packed}: no series of a run")
    first, last = extent.first, extent.last
    if first < OLDEST or last > now + AHEAD_SECONDS or last - first > MAX_SECONDS:
        raise ConfigurationError(
            f"{packed}: not the series of a run (times from {first:.0f} to {last:.0f}; a run lasts a week at "
            "most, and is over)"
        )
    return first, last


def _lines(compressed: BinaryIO, room: int) -> Iterator[bytes]:
    """The lines up to the one that ends the text; raises ValueError where there is more than a run has."""
    size = compressed.seek(0, 2)
    compressed.seek(0)
    bounds = {
        "a run has": MAX_BYTES,
        f"{MAX_RATIO} times its file": max(FREE_BYTES, MAX_RATIO * size),
        "there is room for in the temporary folder; TMPDIR names another": room,
    }
    why, left = min(bounds.items(), key=lambda item: item[1])
    with gzip.GzipFile(fileobj=compressed) as text:
        while line := text.readline(MAX_LINE_BYTES + 1):
            if len(line) > MAX_LINE_BYTES:
                raise ValueError(f"a line of more than {MAX_LINE_BYTES >> 10} KiB")
            left -= len(line)
            if left < 0:
                raise ValueError(f"it unpacks to more than {why}")
            if line == _END:
                return
            yield line
    raise ValueError("it does not end with # EOF: some of it is missing")


def read_series(packed: Path, names: Collection[str], with_target: bool = False) -> Iterator[Series]:
    """The series of those names, one after the other, as the run's recorder had them.

    Without the labels of the exporter as a target, unless `with_target`; those of the router's own metrics
    stay. Raises
    FileNotFoundError where there is no file, ConfigurationError where it is not what a run has left.
    """
    wanted = frozenset(name.encode() for name in names)
    try:
        with open_regular(packed) as compressed:
            yield from _series(_lines(compressed, MAX_BYTES), wanted, with_target)
    except FileNotFoundError:
        raise
    except (OSError, EOFError, zlib.error) as error:
        raise ConfigurationError(
            f"{packed}: cannot be read ({getattr(error, 'strerror', None) or error})"
        ) from error
    except ValueError as error:
        raise ConfigurationError(f"{packed}: not the series of a run ({error})") from error


def _series(lines: Iterator[bytes], wanted: Collection[bytes], with_target: bool) -> Iterator[Series]:
    """Raises ValueError naming the line that is no sample; what is not wanted is not looked at."""
    is_wanted, head, series = False, b"", Series("", ())
    for number, line in enumerate(lines, 1):
        if line.startswith(b"#"):
            is_wanted = line.removeprefix(b"# TYPE ").split(b" ", 1)[0] in wanted
        elif is_wanted:
            found = _SAMPLE.fullmatch(line)
            if found is None:
                raise ValueError(f"line {number} is no sample")
            name, labels, value, text = found.groups()
            if (sample := name + (labels or b"")) != head:
                if series.times:
                    yield series
                head, series = sample, _empty_series(name, labels, number, with_target)
            time = float(text)
            if not OLDEST <= time <= LATEST or (series.times and time <= series.times[-1]):
                raise ValueError(f"line {number}: a time that is none of a run, or not after the one before")
            if len(series.times) >= MAX_SCRAPES:
                raise ValueError(f"more than {MAX_SCRAPES:,} scrapes")
            series.times.append(time)
            series.values.append(float(value))
    if series.times:
        yield series


def _empty_series(name: bytes, labels: bytes | None, number: int, with_target: bool) -> Series:
    _head(name, labels, number)
    found = {
        label.decode(): _ESCAPE.sub(lambda letter: "\n" if letter[1] == "n" else letter[1], value.decode())
        for label, value in _LABEL.findall(labels or b"")
    }
    if not with_target and found.get("job") == TARGET["job"]:
        del found["job"]
        found.pop("instance", None)
    return Series(name.decode(), tuple(sorted(found.items())))


def _copy(lines: Iterator[bytes], out: BinaryIO) -> Extent:
    """Raises ValueError naming the line that is no sample."""
    extent = Extent()
    seen: set[int] = set()
    last_head: tuple[bytes, bytes | None] | None = None
    head, scraped, comments = b"", None, 0
    for number, line in enumerate(lines, 1):
        if line.startswith(b"#"):
            comments += 1
            if comments > MAX_SERIES:
                raise ValueError(f"more than {MAX_SERIES:,} comments")
            continue
        found = _SAMPLE.fullmatch(line)
        if found is None:
            raise ValueError(f"line {number} is no sample")
        name, labels, value, time = found.groups()
        if (name, labels) != last_head:
            last_head = (name, labels)
            head, target = _head(name, labels, number)
            seen.add(hash(head))
            if len(seen) > MAX_SERIES:
                raise ValueError(f"more than {MAX_SERIES:,} series")
            scraped = extent.scrapes.setdefault(target, []) if name == b"exporter_build_info" else None
        at = float(time)
        extent.first, extent.last = min(extent.first, at), max(extent.last, at)
        if scraped is not None:
            scraped.append(time)
            extent.count += 1
            if extent.count > MAX_SCRAPES:
                raise ValueError(f"more than {MAX_SCRAPES:,} scrapes")
        out.write(b"%b %b %b\n" % (head, value, time))
    out.write(b"# TYPE up unknown\n")
    for target, times in extent.scrapes.items():
        out.writelines(b"up{%b} 1 %b\n" % (target, each) for each in times)
    out.write(_END)
    return extent


def _head(name: bytes, labels: bytes | None, number: int) -> tuple[bytes, bytes]:
    """Name and labels as they are written, and the labels of the target; raises ValueError."""
    pairs = dict(_LABEL.findall(labels or b""))
    if labels and labels != b"{%b}" % b",".join(b'%b="%b"' % pair for pair in pairs.items()):
        raise ValueError(f"line {number}: labels that cannot be read")
    if len(pairs) > MAX_LABELS or max(map(len, pairs.values()), default=0) > MAX_LABEL_BYTES:
        raise ValueError(
            f"line {number}: more than {MAX_LABELS} labels, or one of more than {MAX_LABEL_BYTES:,} bytes"
        )
    if any(each.startswith(b"__") for each in pairs):
        raise ValueError(f"line {number}: a label that begins with __")
    for value in pairs.values():
        value.decode()
    if b"job" not in pairs:
        pairs |= {each.encode(): value.encode() for each, value in TARGET.items()}
    text = b",".join(b'%b="%b"' % pair for pair in pairs.items())
    target = b",".join(b'%b="%b"' % (each, pairs[each]) for each in (b"instance", b"job") if each in pairs)
    return b"%b{%b}" % (name, text), target
