"""The idle keep-alive connection: who closes it, how, and after how many seconds of silence."""

import asyncio

from exporter.clock import Clock
from exporter.live.long_seen import Closed, IdleSeen
from exporter.load.stream.own_request import Connection, answer_of, connected
from exporter.load.workload import Workload
from exporter.settings.router_api import API_VERSION, api_prefix

MAX_CONNECTIONS = 50
"""one after the other: with more nothing new is learnt"""
MAX_ANSWER_BYTES = 4 << 20
PAUSE_SECONDS = 1.0
"""between two connections"""
ANSWER_SECONDS = 30.0


class IdleConnection:
    """Keeps a connection silent after one GET of the models, and opens another when it was closed."""

    def __init__(self, workload: Workload, clock: Clock) -> None:
        self._workload = workload
        self._clock = clock
        self._path = f"{api_prefix(workload.endpoint)}{API_VERSION}/models"
        self._closed: list[tuple[float, Closed]] = []
        self._silent_since: float | None = None

    async def watch(self, after_seconds: float = 0.0) -> None:
        """Watch from so many seconds on until it is cancelled, or nothing more can be learnt."""
        await asyncio.sleep(after_seconds)
        for _ in range(MAX_CONNECTIONS):
            try:
                async with connected(self._workload) as connection:
                    self._silent_since = await self._answered_at(connection)
                    if self._silent_since is None:
                        return
                    await self._stay_silent(connection, self._silent_since)
            except (OSError, TimeoutError):
                # No answer, which is the load's to tell; the next one may have one.
                pass
            self._silent_since = None
            await asyncio.sleep(PAUSE_SECONDS)

    def seen(self) -> IdleSeen | None:
        """What was seen so far; None: no connection was idle yet."""
        if self._closed:
            how: Closed = "rst" if any(how == "rst" for _, how in self._closed) else "fin"
            return IdleSeen(min(seconds for seconds, _ in self._closed), "router", how, len(self._closed))
        silent_since = self._silent_since
        return (
            None if silent_since is None else IdleSeen(self._clock.monotonic() - silent_since, "nobody", None)
        )

    async def _answered_at(self, connection: Connection) -> float | None:
        """When the last byte of an answer came; None where the connection does not stay open, as it says."""
        async with asyncio.timeout(ANSWER_SECONDS):
            await connection.get(self._path)
            response, at = await answer_of(connection, MAX_ANSWER_BYTES, self._clock)
        return at if response.keeps_alive else None

    async def _stay_silent(self, connection: Connection, silent_since: float) -> None:
        ended_at: float | None = None
        how: Closed = "fin"
        count = 0
        try:
            # What comes unasked, as a 408, is a server's way to announce that it closes.
            while data := await connection.read():
                ended_at = ended_at or self._clock.monotonic()
                count += len(data)
                if count > MAX_ANSWER_BYTES:
                    return
        except OSError:
            how = "rst"
        self._closed.append(((ended_at or self._clock.monotonic()) - silent_since, how))
