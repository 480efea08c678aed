"""Keeps one worker process listening: starts it, starts another when it ends, and stops it.

Not a Service of the native stack: the worker is forked with the listening socket, reports how it wants to be
replaced, and its death is an event that is waited for."""

import logging
import os
import signal
import socket
import sys
import traceback
from dataclasses import dataclass, field
from typing import NoReturn

from exporter.clock import Clock, SystemClock
from exporter.errors import ConfigurationError, PortTakenError, cannot_listen
from exporter.simulator.options import SimulatorOptions
from exporter.simulator.worker import BACKLOG, RESTART_EXIT_CODE, work

SIGNALS = {signal.SIGINT, signal.SIGTERM, signal.SIGCHLD}
STOP_SECONDS = 3.0
"""a worker that has not ended this long after SIGTERM is killed"""
REBIND_SECONDS = 5.0
"""how long a new worker may wait for its port"""
RETRY_SECONDS = 0.05
QUICK_DEATH_SECONDS = 1.0
QUICK_DEATHS = 3
"""after so many workers in a row that ended within a second the supervisor ends too"""

_log = logging.getLogger(__name__)


def serve(options: SimulatorOptions) -> int:
    """Run the simulated router until SIGINT or SIGTERM; returns the exit code, 0 after either.

    Called from the main thread of a process with no other threads, as it forks. Returns 1 where workers
    keep dying. Raises PortTakenError where the port is in use, ConfigurationError where the address cannot
    be listened on.
    """
    listeners = _listen(options)
    unblocked = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        return _Supervisor(options, unblocked, SystemClock()).run(listeners)
    finally:
        # A second Ctrl-C meanwhile is not for the caller.
        while signal.sigtimedwait(SIGNALS, 0) is not None:
            pass
        signal.pthread_sigmask(signal.SIG_SETMASK, unblocked)


def _listen(options: SimulatorOptions) -> list[socket.socket]:
    """The router's listener, and that of the node that has a port of its own."""
    router = _listen_on(options.host, options.port, "simulated router", "--host or --port")
    if options.node_port is None:
        return [router]
    try:
        return [router, _listen_on(options.host, options.node_port, "simulated node", "--node-port")]
    except ConfigurationError:
        router.close()
        raise


def _listen_on(host: str, port: int, what: str, option: str) -> socket.socket:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise ConfigurationError(f"{what}: {host}: {error.strerror}; check --host") from error
    # `localhost` is often both; the project's URLs say 127.0.0.1.
    family, kind, protocol, _, address = min(found, key=lambda info: info[0] != socket.AF_INET)
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise cannot_listen(what, host, port, option, error) from error
    return listener


@dataclass
class _Supervisor:
    """One worker after the other. All of SIGNALS are blocked here and are waited for instead."""

    options: SimulatorOptions
    worker_mask: set[int | signal.Signals]
    clock: Clock
    _pid: int = field(init=False)
    _control: socket.socket = field(init=False)

    def run(self, listeners: list[socket.socket] | None) -> int:
        restarts, quick_deaths = 0, 0
        while listeners is not None:
            started = self.clock.monotonic()
            self._start(listeners, restarts)
            exit_code = self._wait()
            downtime_seconds = self._downtime_seconds()
            if exit_code is None:
                return 0
            if exit_code != RESTART_EXIT_CODE:
                _log.warning(
                    "the simulated router's worker ended by itself (%d); starting another", exit_code
                )
                quick = self.clock.monotonic() - started < QUICK_DEATH_SECONDS
                quick_deaths = quick_deaths + 1 if quick else 0
                if quick_deaths >= QUICK_DEATHS:
                    return 1
            listeners = None if self._stopped_within(downtime_seconds) else self._listen_again()
            restarts += 1
        return 0

    def _start(self, listeners: list[socket.socket], restarts: int) -> None:
        self._control, workers_end = socket.socketpair()
        self._pid = os.fork()
        if self._pid == 0:
            self._control.close()
            self._become_worker(listeners, workers_end, restarts)
        workers_end.close()
        # The worker alone holds them, so that the ports are its own and free when it ends.
        for listener in listeners:
            listener.close()

    def _become_worker(
        self, listeners: list[socket.socket], control: socket.socket, restarts: int
    ) -> NoReturn:
        exit_code = 1
        try:
            signal.pthread_sigmask(signal.SIG_SETMASK, self.worker_mask)
            exit_code = work(self.options, listeners, control, restarts)
        finally:
            # Nothing of the caller's, whose copy this process is, may run here.
            if sys.exc_info()[1] is not None:
                traceback.print_exc()
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(exit_code)

    def _wait(self) -> int | None:
        """The exit code of a worker that ended by itself; None after a signal to stop."""
        while True:
            if signal.sigwaitinfo(SIGNALS).si_signo != signal.SIGCHLD:
                self._stop()
                return None
            exit_code = self._reap()
            if exit_code is not None:
                return exit_code

    def _reap(self) -> int | None:
        pid, status = os.waitpid(self._pid, os.WNOHANG)
        return None if pid == 0 else os.waitstatus_to_exitcode(status)

    def _stop(self) -> None:
        os.kill(self._pid, signal.SIGTERM)
        deadline = self.clock.monotonic() + STOP_SECONDS
        while self._reap() is None:
            left = deadline - self.clock.monotonic()
            if left <= 0:
                os.kill(self._pid, signal.SIGKILL)
                os.waitpid(self._pid, 0)
                return
            signal.sigtimedwait({signal.SIGCHLD}, left)

    def _downtime_seconds(self) -> float:
        """The downtime in seconds that the worker asked for."""
        # A worker that has ended leaves a message or the end of the stream, so this never blocks.
        message = self._control.recv(64)
        self._control.close()
        return float(message) if message else 0.0

    def _stopped_within(self, seconds: float) -> bool:
        deadline = self.clock.monotonic() + seconds
        while True:
            got = signal.sigtimedwait(SIGNALS, max(0.0, deadline - self.clock.monotonic()))
            if got is None:
                return False
            if got.si_signo != signal.SIGCHLD:
                return True

    def _listen_again(self) -> list[socket.socket] | None:
        """The ports once more, None after a signal to stop; raises PortTakenError where it is taken."""
        deadline = self.clock.monotonic() + REBIND_SECONDS
        while True:
            try:
                return _listen(self.options)
            except PortTakenError:
                if self.clock.monotonic() >= deadline:
                    raise
            if self._stopped_within(RETRY_SECONDS):
                return None
