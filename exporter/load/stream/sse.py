"""Server-sent events by the standard: which bytes are an event, and what it says.

Source: WHATWG HTML, "Server-sent events", parsing and interpreting an event stream. Lines end with CRLF, LF
or CR; an event ends with a blank line; `data` lines are joined by LF; a line that begins with a colon is a
comment; one space after a field's colon is dropped; a BOM at the start of the stream is dropped. What is
behind the last blank line when the stream ends is no event.
"""

import re
from typing import NamedTuple

MAX_EVENT_BYTES = 16 * 1024 * 1024
"""of one event; a longer one is passed over, and counted"""
_BOM = b"\xef\xbb\xbf"
_BLANK_LINE = re.compile(rb"(?:\r\n|\n|\r(?!\n))(?:\r\n|\n|\r)")
_LINE_END = re.compile(rb"\r\n|\n|\r")
_OVERLAP = 1
"""bytes before new ones with which a blank line that ends in them can begin"""


class Event(NamedTuple):
    """One event that has data."""

    name: str
    """of its `event` line; empty where there is none"""
    data: str


def end_of_event(buffer: bytes, start: int = 0, has_cr: bool = True) -> int:
    """The place behind the first blank line from `start` on; -1 where there is none.

    `has_cr`: whether there may be a CR in the buffer.
    """
    if not has_cr:
        found = buffer.find(b"\n\n", start)
        return found + 2 if found >= 0 else -1
    match = _BLANK_LINE.search(buffer, start)
    return match.end() if match else -1


def lines_of(block: bytes) -> list[bytes]:
    """The lines of the bytes up to the blank line of an event, without their ends."""
    return _LINE_END.split(block)


def event_of(block: bytes) -> Event | None:
    """What the lines up to a blank line say; None where they have no data."""
    if block.startswith(b"data: ") and block.find(b"\n") == len(block) - 2 and b"\r" not in block:
        # One line of data, as almost all are.
        return Event("", block[6:-2].decode("utf-8", "replace"))
    name, data = b"", []
    for line in lines_of(block):
        field, _, value = line.partition(b":")
        if field == b"data":
            data.append(value.removeprefix(b" "))
        elif field == b"event":
            name = value.removeprefix(b" ")
    if not data:
        return None
    return Event(name.decode("utf-8", "replace"), b"\n".join(data).decode("utf-8", "replace"))


class EventBuffer:
    """The bytes of a stream from which no whole event has been read yet; MAX_EVENT_BYTES of them at most."""

    def __init__(self) -> None:
        self.passed_over = 0
        """events that were longer than MAX_EVENT_BYTES"""
        self._begun = False
        self._passing_over = False
        self._kept = bytearray()

    def add(self, data: bytes) -> bytes:
        """The bytes to read events from, once `data` has come; empty where no event can end in them.

        What of them is no whole event is to be given back to `keep`.
        """
        if not self._begun:
            data = self._without_bom(data)
        if not self._kept:
            return data
        searched = max(len(self._kept) - _OVERLAP, 0)
        self._kept += data
        match = _BLANK_LINE.search(self._kept, searched)
        if match is None:
            self._bound()
            return b""
        rest = bytes(self._kept)
        self._kept.clear()
        if self._passing_over:
            self._passing_over = False
            return rest[match.end() :]
        return rest

    def keep(self, rest: bytes) -> None:
        """Keep the beginning of an event until more comes."""
        self._kept += rest
        self._bound()

    def rest(self) -> bytes:
        """What has come since the last whole event."""
        return bytes(self._kept)

    def _bound(self) -> None:
        if len(self._kept) > MAX_EVENT_BYTES and not self._passing_over:
            self._passing_over = True
            self.passed_over += 1
        if self._passing_over:
            del self._kept[:-_OVERLAP]

    def _without_bom(self, data: bytes) -> bytes:
        start = bytes(self._kept) + data
        self._kept.clear()
        if len(start) < len(_BOM) and _BOM.startswith(start):
            self._kept += start
            return b""
        self._begun = True
        return start.removeprefix(_BOM)
