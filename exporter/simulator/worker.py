"""The process that listens and answers."""

import asyncio
import logging
import os
import resource
import signal
import socket
from functools import partial
from pathlib import Path

import uvloop

from exporter.clock import SystemClock
from exporter.simulator.connection import Connection
from exporter.simulator.direct import DirectNode
from exporter.simulator.options import SimulatorOptions
from exporter.simulator.router import Router
from exporter.simulator.truth import Truth

BACKLOG = 4096
RESTART_EXIT_CODE = 75
PROCESS_NAME = "sim-router"
"""as in /proc/PID/comm; the supervisor keeps the name of the command"""
FLUSH_SECONDS = 0.05
"""between the answer to the command to restart and the end"""

_log = logging.getLogger(__name__)


def work(
    options: SimulatorOptions, listeners: list[socket.socket], control: socket.socket, restarts: int
) -> int:
    """Serve until asked to stop: the router at the first listener, a node at the second, if there is one.

    Returns the exit code: 0, or RESTART_EXIT_CODE for a new start.

    SIGTERM or the end of `control`, whose other side the supervisor holds, is the command to stop. Before a
    restart the downtime in seconds is written to `control`.
    """
    _raise_fd_limit()
    _name_process()
    # Ctrl-C reaches the whole foreground group; the supervisor alone acts on it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    loop = uvloop.new_event_loop()
    asyncio.set_event_loop(loop)
    clock = SystemClock()
    exit_code = 0

    def restart(downtime_seconds: float) -> None:
        nonlocal exit_code
        exit_code = RESTART_EXIT_CODE
        control.sendall(repr(downtime_seconds).encode())
        loop.call_later(FLUSH_SECONDS, loop.stop)

    truth = Truth()
    router = Router(options, loop, clock, os.environ, truth, restart, restarts)
    loop.add_signal_handler(signal.SIGTERM, loop.stop)
    loop.add_reader(control, loop.stop)
    doors: tuple[Router | DirectNode, ...] = (router, router.node)
    for listener, door in zip(listeners, doors, strict=False):
        connect = partial(Connection, door.handle, door.truth, loop, clock.wall, door.connections)
        loop.run_until_complete(loop.create_server(connect, sock=listener, backlog=BACKLOG))
    if options.node_port is not None:
        _log.info("node-1 listens on http://%s:%d", options.host, options.node_port)
    _log.info("simulated router listens on http://%s:%d (PID %d)", options.host, options.port, os.getpid())
    loop.run_forever()
    # The process ends now and takes its connections with it, as that of a real router would.
    return exit_code


def _raise_fd_limit() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _name_process() -> None:
    comm = Path("/proc/self/comm")
    if comm.exists():
        comm.write_text(PROCESS_NAME, encoding="ascii")
