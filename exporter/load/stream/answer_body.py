"""The body of an answer as it comes: events that are scanned, or a document that is read at its end."""

import zlib
from collections.abc import Callable, Mapping

from exporter.live.message import StreamEnd
from exporter.load.stream.apis import Api, Meaning, meaning_of_answer
from exporter.load.stream.refusals import KEPT_BYTES
from exporter.load.stream.scan import StreamScan
from exporter.load.stream.shape import Asked

ANSWER_BYTES = 1 << 18
"""of a document that are read for its usage; of a longer one it is not known"""
_ENCODINGS = frozenset({b"gzip", b"x-gzip", b"deflate"})
_ANY_HEADER = zlib.MAX_WBITS | 32
"""zlib's or gzip's"""
_INFLATED_BYTES = 1 << 18
"""of a read at once"""


class AnswerBody:
    """One body after the other, each from its `begin`."""

    __slots__ = (
        *("_api", "_decoder", "_is_scanned", "_kept", "_most", "_new_scan", "_parts", "_scans"),
        *("is_stream", "reads", "scan"),
    )

    def __init__(self, new_scan: Callable[[Api], StreamScan]) -> None:
        self._new_scan = new_scan
        self._scans: dict[Api, StreamScan] = {}
        self._decoder: zlib._Decompress | None = None
        self._parts: list[bytes] = []
        self._kept = self._most = 0
        self._is_scanned: bool | None = None
        """whether it has events; None: its begin will tell"""
        self.is_stream = False
        """whether a stream was asked for, or came"""
        self.reads = 0
        """that brought events"""

    def begin(self, asked: Asked, status: int, headers: Mapping[bytes, bytes]) -> None:
        """That of the answer with this head."""
        self.clear()
        encoded = headers.get(b"content-encoding", b"").strip().lower() in _ENCODINGS
        self._decoder = zlib.decompressobj(_ANY_HEADER) if encoded else None
        is_success = 200 <= status < 300
        self._most = ANSWER_BYTES if is_success else KEPT_BYTES
        self._api = asked.api
        kind = headers.get(b"content-type", b"").lower()
        self.is_stream = is_success and (asked.stream or kind.startswith(b"text/event-stream"))
        self._is_scanned = None if self.is_stream else False
        if self.is_stream:
            scan = self._scans.get(asked.api)
            if scan is None:
                scan = self._scans[asked.api] = self._new_scan(asked.api)
            scan.reset(asked.choices)
            self.scan = scan

    def clear(self) -> None:
        """Forget it."""
        self._parts.clear()
        self._kept = self.reads = 0

    def take(self, data: bytes, at: float) -> int:
        """What one read brought of it; how many events end there. Raises zlib.error where it is none."""
        events = self._take(data, at) if self._decoder is None else self._inflate(self._decoder, data, at)
        if events:
            self.reads += 1
        return events

    def _take(self, data: bytes, at: float) -> int:
        if self._is_scanned is None:
            # A document in place of a stream is none, whatever the head calls it, and events are.
            self._is_scanned = not data.lstrip().startswith((b"{", b"["))
        if self._is_scanned:
            return self.scan.feed(data, at)
        if self._kept <= self._most:
            self._parts.append(data)
            self._kept += len(data)
        return 0

    def _inflate(self, decoder: "zlib._Decompress", data: bytes, at: float) -> int:
        events, is_full = 0, False
        while data or is_full:
            part = decoder.decompress(data, _INFLATED_BYTES)
            data, is_full = decoder.unconsumed_tail, len(part) == _INFLATED_BYTES
            if part:
                events += self._take(part, at)
            if decoder.eof:
                # Another member may follow.
                data, is_full = decoder.unused_data, False
                decoder = self._decoder = zlib.decompressobj(_ANY_HEADER)
        return events

    @property
    def document(self) -> bytes:
        """What is kept of a body without events."""
        return self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)

    @property
    def meaning(self) -> Meaning:
        """Of the document; nothing where it is too long to be known."""
        return meaning_of_answer(self._api, self.document) if 0 < self._kept <= ANSWER_BYTES else Meaning()

    def end(self) -> StreamEnd:
        """How the stream ended, where its body has."""
        if self._is_scanned:
            return self.scan.end()
        return StreamEnd.IN_BAND if self.meaning.in_band else StreamEnd.EMPTY

    def told(self) -> StreamEnd | None:
        """What the stream has told before its body ended: that it is complete, or its error. That stands."""
        end = self.end()
        is_told = end is StreamEnd.IN_BAND or (end is StreamEnd.COMPLETE and self.scan.done_seen)
        return end if is_told else None
