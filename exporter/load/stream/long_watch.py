"""What shows only over long time, watched beside a load: an idle connection, and streams that are silent.

Its requests are the soak's own probes: one GET of the models for each idle connection and one stream for each
silence of the ladder. None is an attempt of the load, so none is in its counts.
"""

import asyncio
import threading
from collections.abc import Sequence
from dataclasses import replace

from exporter.clock import Clock
from exporter.live.long_seen import HeldSeen, LongSeen
from exporter.load.stream.held_stream import HeldStream, NotHeldError
from exporter.load.stream.idle_connection import IdleConnection
from exporter.load.workload import Workload

LADDER_SECONDS = (15.0, 30.0, 60.0, 100.0, 120.0, 240.0, 300.0)
"""the usual limits of proxies, load balancers and gateways lie between these"""
MARGIN_SECONDS = 5.0
"""a silence is tried where it ends so long before the load"""
IDLE_AFTER_SECONDS = 5.0
"""into the load the idle connection begins, after a quarter of a short one: the load is the first to ask"""
END_SECONDS = 5.0
"""how long the thread may take to end; nothing in it waits for others then"""


class LongWatch:
    """A thread beside a load phase, from `start` to `stop`.

    What the end of the load cuts off is not judged: such a stream is in no list.
    """

    def __init__(
        self,
        workload: Workload,
        hold_model: str | None,
        duration_seconds: float,
        clock: Clock,
        complete_on_done: bool = False,
        ladder: Sequence[float] = LADDER_SECONDS,
    ) -> None:
        """`duration_seconds`: of the load; `hold_model` None: no stream is held."""
        self._idle = IdleConnection(workload, clock)
        self._idle_after_seconds = min(IDLE_AFTER_SECONDS, duration_seconds / 4)
        fitting = [seconds for seconds in ladder if seconds + MARGIN_SECONDS <= duration_seconds]
        self._streams = [
            HeldStream(workload, hold_model, seconds, complete_on_done, clock)
            for seconds in fitting
            if hold_model is not None
        ]
        self._held: list[HeldSeen] = []
        self._not_held: str | None = None
        if hold_model is not None and not fitting:
            self._not_held = f"the load is shorter than {min(ladder) + MARGIN_SECONDS:g} s"
        self._loop = asyncio.new_event_loop()
        self._ending = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="long-watch", daemon=True)

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def stop(self) -> LongSeen:
        """End everything at once; what was seen. To be called once, after `start`."""
        seen = self.seen()
        if self._streams and not seen.held and seen.not_held is None:
            seen = replace(seen, not_held="no silent stream ended before the load did")
        self._loop.call_soon_threadsafe(self._ending.set)
        self._thread.join(END_SECONDS)
        return seen

    def seen(self) -> LongSeen:
        """What was seen so far."""
        held = tuple(sorted(self._held, key=lambda seen: seen.silence_seconds))
        return LongSeen(self._idle.seen(), held, self._not_held)

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._watch())
        finally:
            # A lookup of a name that hangs is not waited for.
            self._loop.close()

    async def _watch(self) -> None:
        tasks = [asyncio.create_task(self._idle.watch(self._idle_after_seconds))]
        tasks += [asyncio.create_task(self._hold(stream)) for stream in self._streams]
        await self._ending.wait()
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        for task in tasks:
            if not task.cancelled():
                # An error of the program itself is shown as such.
                task.result()

    async def _hold(self, stream: HeldStream) -> None:
        try:
            self._held.append(await stream.hold())
        except NotHeldError as error:
            self._not_held = self._not_held or str(error)
