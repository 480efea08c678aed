"""What faults change apart from single answers: leaks, nodes, what hangs or idles, the process."""

from collections.abc import Callable

from exporter.simulator.answer import RefusedError
from exporter.simulator.connection import Connection
from exporter.simulator.exchange import Conditions
from exporter.simulator.faults import (
    ExpireTokens,
    IdleCut,
    LeakFds,
    LeakMemory,
    NodeOffline,
    Parameters,
    Restart,
    WriteRows,
)
from exporter.simulator.leak import FdLeak, MemoryLeak, WrittenFile
from exporter.simulator.node import NodePool

TICK_SECONDS = 0.1
"""how often leaks in time grow, and idle connections are looked for"""


class RouterEffects:
    """Begins and ends faults. `restart` is called with the downtime in seconds."""

    def __init__(
        self,
        conditions: Conditions,
        pool: NodePool,
        connections: set[Connection],
        restart: Callable[[float], None],
        expire_tokens: Callable[[], None],
    ) -> None:
        self.memory = MemoryLeak()
        self.fds = FdLeak()
        self.rows = WrittenFile()
        self._expire_tokens = expire_tokens
        self._conditions = conditions
        self._faults = conditions.faults
        self._pool = pool
        self._connections = connections
        self._restart = restart
        self._last_tick = conditions.clock.monotonic()
        conditions.loop.call_later(TICK_SECONDS, self._tick)

    def begin(self, name: str, parameters: Parameters) -> None:
        """Put a fault in force. Raises RefusedError where its parameters name what is not there."""
        if isinstance(parameters, Restart):
            self._restart(parameters.downtime_seconds)
            return
        if isinstance(parameters, ExpireTokens):
            self._expire_tokens()
            return
        if isinstance(parameters, NodeOffline):
            known = [node.name for node in self._pool.nodes]
            if unknown := sorted(parameters.names - set(known)):
                message = f"there is no {unknown[0]!r}; known are: {', '.join(known)}"
                raise RefusedError(400, f"node_offline.node: {message}")
            self._pool.set_offline(parameters.names)
        if isinstance(parameters, LeakMemory | LeakFds):
            # What the rate before has earned is leaked at the rate before.
            self._grow()
        self._faults.begin(name, parameters, self._conditions.clock.wall())

    def end(self, name: str, release: bool) -> None:
        """End a fault; what hangs because of it is dropped; `release` gives back what leaked."""
        self._grow()
        self._faults.end(name)
        if name == "node_offline":
            self._pool.set_offline(())
        elif name == "hang":
            for exchange in list(self._conditions.hanging):
                exchange.stop_hanging()
        elif name == "stall_stream":
            for stream in list(self._conditions.stalling):
                stream.stop_stalling()
        elif release and name == "leak_memory":
            self.memory.release()
        elif release and name == "leak_fds":
            self.fds.release()
        elif release and name == "write_rows":
            self.rows.release()

    def request(self) -> None:
        """An inference request came: leaks that count requests grow, and what is written of each."""
        self._leak(seconds=0.0, requests=1)
        if rows := self._faults.get(WriteRows):
            self.rows.write(rows.bytes_per_request, rows.limit_bytes)

    def _grow(self) -> None:
        now = self._conditions.clock.monotonic()
        seconds, self._last_tick = now - self._last_tick, now
        self._leak(seconds, requests=0)

    def _leak(self, seconds: float, requests: int) -> None:
        if memory := self._faults.get(LeakMemory):
            count = memory.bytes_per_second * seconds + memory.bytes_per_request * requests
            self.memory.owe(count, memory.limit_bytes)
        if fds := self._faults.get(LeakFds):
            self.fds.owe(fds.per_second * seconds + fds.per_request * requests, fds.limit)

    def _cut_idle(self) -> None:
        cut = self._faults.get(IdleCut)
        if cut is None:
            return
        silent_since = self._conditions.loop.time() - cut.after_seconds
        for connection in list(self._connections):
            if connection.closing or connection.exempt:
                continue
            if connection.last_byte_at <= silent_since:
                self._faults.strike(IdleCut)
                self._conditions.truth.idle_cuts += 1
                connection.cut(reset=cut.mode == "rst")

    def _tick(self) -> None:
        self._grow()
        self._cut_idle()
        self._conditions.loop.call_later(TICK_SECONDS, self._tick)
