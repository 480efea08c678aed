"""One stream that is silent for long: whether the silence and then the proper end come through the router."""

import asyncio
from dataclasses import dataclass, field
from enum import Enum
from typing import Literal

from exporter.clock import Clock
from exporter.live.long_seen import EndedBy, HeldHow, HeldSeen
from exporter.live.message import StreamEnd, route_of
from exporter.load.stream.apis import api_of
from exporter.load.stream.own_request import Connection, NoHttpError, Response, connected
from exporter.load.stream.request_body import prompt_body
from exporter.load.stream.scan import StreamScan
from exporter.load.workload import Workload

PROMPT = "Stay silent for {:g} seconds."
MAX_TOKENS = 16
MAX_STREAM_BYTES = 1 << 20
LATE_SECONDS = 0.5
"""the first token may be so late, and the silence seen here be shorter by that"""


PATIENCE_SECONDS = 30.0
"""after the silence should have ended: a stream that has no end then was lost without a word"""


class _Cut(Enum):
    """What ended the reading."""

    NONE = "none"
    """the response is whole"""
    FIN = "fin"
    RST = "rst"
    LOST = "lost"
    """nothing: it is overdue"""


class NotHeldError(Exception):
    """What came says nothing of a silent stream; in words."""


@dataclass
class HeldStream:
    """A stream of `model`, which is to be silent for so many seconds after its first token."""

    workload: Workload
    model: str
    silence_seconds: float
    complete_on_done: bool
    clock: Clock
    _response: Response = field(default_factory=Response, init=False)
    _scan: StreamScan = field(init=False)
    _token_at: float = field(init=False)
    """when the last token came, or before the first one when the request was sent"""
    _longest_seconds: float = field(default=0.0, init=False)
    """without a token"""
    _heartbeats: int = field(default=0, init=False)

    async def hold(self) -> HeldSeen:
        """Hold it to its end, whoever ends it; raises NotHeldError where that says nothing of silence."""
        endpoint = self.workload.endpoint
        api, route = api_of(endpoint), route_of(self.model)
        self._scan = StreamScan(api, self.complete_on_done, check_every=1)
        body = prompt_body(api, self.model, route, PROMPT.format(self.silence_seconds), MAX_TOKENS)
        try:
            async with connected(self.workload) as connection:
                await connection.post(endpoint, body)
                self._token_at = self.clock.monotonic()
                cut = await self._read(connection)
        except TimeoutError as error:
            raise NotHeldError("no connection in time") from error
        except OSError as error:
            raise NotHeldError(f"no connection: {error.strerror or error}") from error
        return self._judged(cut)

    async def _read(self, connection: Connection) -> _Cut:
        """Read to the end, and say what ended it."""
        count = 0
        while not self._response.whole:
            try:
                async with asyncio.timeout(self._patience_seconds()):
                    data = await connection.read()
            except TimeoutError:
                return _Cut.LOST
            except OSError:
                return _Cut.RST
            if not data:
                return _Cut.FIN
            count += len(data)
            if count > MAX_STREAM_BYTES:
                raise NotHeldError(f"{self.model} did not stay silent")
            try:
                body = self._response.feed(data)
            except NoHttpError as error:
                raise NotHeldError(str(error)) from error
            if body:
                self._take(body)
        return _Cut.NONE

    def _patience_seconds(self) -> float | None:
        """How much longer to wait; without an end before the first token: the model may have a queue."""
        if not self._scan.token_events:
            return None
        return max(0.0, self._token_at + self.silence_seconds + PATIENCE_SECONDS - self.clock.monotonic())

    def _take(self, body: bytes) -> None:
        now, tokens = self.clock.monotonic(), self._scan.token_events
        self._scan.feed(body, now)
        if self._scan.token_events > tokens:
            self._longest_seconds = max(self._longest_seconds, now - self._token_at)
            self._token_at = now
        elif tokens and self._scan.end() is StreamEnd.TRUNCATED:
            self._heartbeats += 1

    def _judged(self, cut: _Cut) -> HeldSeen:
        status = self._response.status
        if status is not None and not 200 <= status < 300:
            raise NotHeldError(f"HTTP {status}")
        last_seconds = self.clock.monotonic() - self._token_at
        longest_seconds = max(self._longest_seconds, last_seconds)
        end = self._scan.end()
        if end is StreamEnd.COMPLETE:
            if longest_seconds < self.silence_seconds - LATE_SECONDS:
                raise NotHeldError(f"{self.model} did not stay silent")
            return self._seen(survived=True, ended_by="nobody", how=None, seconds=longest_seconds)
        if cut is _Cut.LOST:
            return self._seen(survived=False, ended_by="nobody", how=None, seconds=last_seconds)
        if cut in (_Cut.FIN, _Cut.RST) and not (cut is _Cut.FIN and self._response.ends_with_connection):
            how: Literal["fin", "rst"] = "fin" if cut is _Cut.FIN else "rst"
            return self._seen(survived=False, ended_by="router", how=how, seconds=last_seconds)
        if not self._scan.token_events:
            raise NotHeldError("no token came")
        ended: Literal["error", "truncated"] = "error" if end is StreamEnd.IN_BAND else "truncated"
        return self._seen(survived=False, ended_by="router", how=ended, seconds=last_seconds)

    def _seen(self, survived: bool, ended_by: EndedBy, how: HeldHow, seconds: float) -> HeldSeen:
        return HeldSeen(self.silence_seconds, survived, ended_by, how, seconds, self._heartbeats)
