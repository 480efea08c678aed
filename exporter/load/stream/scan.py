"""What a stream says, and when: its tokens, its finish, its usage, its errors, without parsing every event.

Parsed in full are the first three events of a stream and those up to its first token, every event that is not
like one known before (event_shape.py), so each with an error, usage or a finish, and one in `check_every` of
the others. Whenever an event is parsed that a shape knows as well, the two are compared.

The end of a body without its blank line is no event, as in the standard and in the client libraries: a finish
in it has reached nobody. An error in it is one all the same: a failure that was seen stands.
"""

import re

from exporter.live.histogram import bucket_of
from exporter.live.message import StreamEnd
from exporter.load.stream.apis import Api, Meaning, meaning_of
from exporter.load.stream.event_shape import MAX_MATCHED_BYTES, EventShape, EventShapes
from exporter.load.stream.sse import EventBuffer, end_of_event, event_of

PARSED_FIRST = 3
"""events of a stream that are parsed in full, whatever they are"""


class StreamScan:
    """One stream at a time: `reset`, then `feed` what comes, then `end`."""

    def __init__(
        self, api: Api, complete_on_done: bool, check_every: int, shapes: EventShapes | None = None
    ) -> None:
        """`shapes` are of this API alone; streams that share them learn from each other."""
        self._api = api
        self._complete_on_done = complete_on_done and api in (Api.CHAT, Api.COMPLETIONS)
        self._check_every = check_every
        self._until_check = check_every
        self._shapes = EventShapes() if shapes is None else shapes
        self.reset()

    def reset(self, choices: int = 1) -> None:
        """Begin a stream of so many answers (`n` of the request)."""
        self.events = 0
        """events with data, `[DONE]` too"""
        self.token_events = 0
        """of those, such that bring output, reasoning or a tool call"""
        self.first_token_at: float | None = None
        self.first_output_at: float | None = None
        """the first that is no reasoning"""
        self.last_token_at: float | None = None
        self.tokens_of_first = 1
        """tokens of the first such event: what it says, else 1"""
        self.output_tokens: int | None = None
        """as `usage` says; None: it does not"""
        self.input_tokens: int | None = None
        self.gaps: dict[int, int] = {}
        """times between two arrivals that brought tokens: how many are in each bucket (live/histogram.py)"""
        self.gap_sum_us = 0
        self.in_band = False
        self.done_seen = False
        """`[DONE]`, or what ends the stream in its API"""
        self.broken = 0
        """events that are a JSON object cut off, or longer than MAX_EVENT_BYTES; the stream is not whole"""
        self.checked = 0
        """events that were parsed although a shape knows them"""
        self.disagreed = 0
        """of those, such that the shape was wrong about; the parse counts"""
        self._asked = choices
        self._seen: set[int] = set()
        self._finished: frozenset[int] = frozenset()
        self._terminal = False
        self._output_seen = False
        self._buffer = EventBuffer()

    @property
    def finished(self) -> bool:
        """Whether it is complete and nothing more has to come."""
        return self.done_seen and self.end() is StreamEnd.COMPLETE

    def feed(self, data: bytes | memoryview, at: float) -> int:
        """Take the next bytes of the body, which arrived at `at` (seconds, monotonic).

        Returns how many events end in them. Bytes of one arrival may come in several calls of the same `at`.
        """
        buffer = self._buffer.add(bytes(data))
        events, tokens = self.events, self.token_events
        place, size, has_cr = 0, len(buffer), b"\r" in buffer
        while place < size:
            is_parsed = self.events < PARSED_FIRST or not self.token_events
            if not is_parsed:
                place = self._pass_known(buffer, place)
            end = end_of_event(buffer, place, has_cr)
            if end < 0:
                self._buffer.keep(buffer[place:])
                break
            block = buffer[place:end]
            known = self._shapes.match(block, 0) if is_parsed else None
            self._read(block, known)
            place = end
        if self._buffer.passed_over:
            self.broken += self._buffer.passed_over
            self._buffer.passed_over = 0
        if self.token_events > tokens:
            self._take_arrival(at)
        return self.events - events

    def end(self) -> StreamEnd:
        """How the stream ended, when its body has come to a clean end."""
        if self.in_band or self._error_in_rest():
            return StreamEnd.IN_BAND
        if not self.token_events:
            return StreamEnd.EMPTY
        return StreamEnd.COMPLETE if self._is_whole() and not self.broken else StreamEnd.TRUNCATED

    def _is_whole(self) -> bool:
        if self._complete_on_done and self.done_seen:
            return True
        if self._api in (Api.MESSAGES, Api.RESPONSES):
            return self._terminal and bool(self._finished)
        return self._seen <= self._finished and len(self._finished) >= self._asked

    def _error_in_rest(self) -> bool:
        event = event_of(self._buffer.rest())
        return event is not None and meaning_of(self._api, event).in_band

    def _pass_known(self, buffer: bytes, place: int) -> int:
        """Count the events of known shapes that follow each other from `place`; the place behind them."""
        while (known := self._shapes.match(buffer, place)) is not None:
            shape, found = known
            match, limit, count = shape.pattern.match, self._until_check, 1
            end, is_numbered = found.end(), shape.is_numbered
            self._seen |= shape.choices_of(found)
            # Mostly the next ones are of the same shape.
            while count < limit and (later := match(buffer, end, end + MAX_MATCHED_BYTES)) is not None:
                found, place, end = later, end, later.end()
                count += 1
                if is_numbered:
                    self._seen |= shape.choices_of(found)
            self._until_check -= count
            if self._until_check:
                self._take_known(shape.meaning, count)
            else:
                self._until_check = self._check_every
                self._take_known(shape.meaning, count - 1)
                self._read(buffer[place:end], (shape, found))
            place = end
        return place

    def _take_known(self, meaning: Meaning, count: int) -> None:
        self.events += count
        if meaning.token:
            self.token_events += count
            self._output_seen |= meaning.output

    def _read(self, block: bytes, known: tuple[EventShape, re.Match[bytes]] | None) -> None:
        """Take an event by parsing it in full; `known`: the shape that it has, and where."""
        event = event_of(block)
        if event is None:
            return
        meaning = meaning_of(self._api, event)
        if known is None:
            self._shapes.learn(block, meaning)
        else:
            shape, found = known
            self.checked += 1
            if not _agree(shape, found, meaning):
                self.disagreed += 1
                self._shapes.known.remove(shape)
        self.events += 1
        if meaning.token:
            if not self.token_events and meaning.tokens is not None:
                self.tokens_of_first = meaning.tokens
            self.token_events += 1
            self._output_seen |= meaning.output
        self._seen |= meaning.choices
        self._finished |= meaning.finished
        self._terminal |= meaning.terminal
        self.done_seen |= meaning.done or meaning.terminal
        self.in_band |= meaning.in_band
        self.broken += meaning.broken
        if meaning.input_tokens is not None:
            self.input_tokens = meaning.input_tokens
        if meaning.output_tokens is not None:
            self.output_tokens = meaning.output_tokens

    def _take_arrival(self, at: float) -> None:
        """Note that tokens arrived."""
        if self.last_token_at is None:
            self.first_token_at = self.last_token_at = at
        elif at > self.last_token_at:
            gap_us = round((at - self.last_token_at) * 1e6)
            bucket = bucket_of(gap_us)
            self.gaps[bucket] = self.gaps.get(bucket, 0) + 1
            self.gap_sum_us += gap_us
            self.last_token_at = at
        if self._output_seen and self.first_output_at is None:
            self.first_output_at = at


def _agree(shape: EventShape, found: re.Match[bytes], parsed: Meaning) -> bool:
    scanned = shape.meaning.token, shape.meaning.output, shape.choices_of(found)
    return parsed.is_plain and scanned == (parsed.token, parsed.output, parsed.choices)
