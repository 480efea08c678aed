"""A server as a child process: started in a session of its own, waited for until it answers, and stopped."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import requests

from exporter.clock import SystemClock
from exporter.errors import SoakError
from exporter.load.child import end_with_parent
from exporter.run.http_answer import Answer, BoundedHttp, UnansweredError

SOAK = (sys.executable, "-P", "-m", "exporter.cli")
"""this project's own command; -P: the folder that it is started in may have an `exporter` of its own"""
READY_SECONDS = 60.0
STOP_SECONDS = 10.0
POLL_SECONDS = 0.05
ANSWER_SECONDS = 1.0
MAX_ANSWER_BYTES = 1 << 20
LOG_END_BYTES = 1 << 14


class EndedError(SoakError):
    """It ended before it was ready."""


class Service:
    """One child that runs from construction to `stop` and answers at `url`.

    What it prints is added to `folder/name.log`; `environment` is added to this process's own.
    """

    def __init__(
        self,
        name: str,
        url: str,
        command: Sequence[str],
        folder: Path,
        environment: Mapping[str, str] | None = None,
        working_folder: Path | None = None,
        stop_seconds: float | None = None,
    ) -> None:
        self.name = name
        self.url = url
        self._stop_seconds = stop_seconds
        self._log = folder / f"{name}.log"
        with self._log.open("ab") as log:
            # A session of its own: Ctrl-C is for this command, which stops its children when it is done.
            self._process = subprocess.Popen(
                end_with_parent(command),
                env={**os.environ, **(environment or {})},
                cwd=working_folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def wait_until_ready(
        self,
        path: str,
        check: Callable[[], None] = lambda: None,
        is_its_own: Callable[[Answer], bool] | None = None,
        seconds: float | None = None,
    ) -> None:
        """Poll until `path` answers 200; raises SoakError with the end of the log where it does not.

        `check` is called between polls and may raise to end the waiting. `is_its_own` tells the answer of
        this service from that of another at its address; by default that is whose port it is.
        """
        clock = SystemClock()
        seconds = READY_SECONDS if seconds is None else seconds
        deadline = clock.monotonic() + seconds
        with requests.Session() as session:
            session.trust_env = False
            http = BoundedHttp(session, ANSWER_SECONDS, MAX_ANSWER_BYTES)
            while clock.monotonic() < deadline:
                check()
                with suppress(UnansweredError):
                    answer = http.ask("GET", self.url + path)
                    own = is_its_own(answer) if is_its_own else self._has_port()
                    if answer.status == 200 and own:
                        return
                with suppress(subprocess.TimeoutExpired):
                    code = self._process.wait(POLL_SECONDS)
                    raise EndedError(f"{self.name}: ended with exit code {code}: {self._log_end()}")
        raise SoakError(f"{self.name}: not ready after {seconds:.0f} s: {self._log_end()}")

    def ended(self) -> str | None:
        """How it has ended by itself, in words; None while it runs."""
        code = self._process.poll()
        if code is None:
            return None
        return f"killed by signal {-code}" if code < 0 else f"exit code {code}: {self._log_end(1)}"

    def stop(self) -> None:
        """End it: SIGTERM, and SIGKILL where that does not help."""
        self._process.terminate()
        try:
            self._process.wait(self._stop_seconds or STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.wait()

    def _has_port(self) -> bool:
        """Whether the port of its URL is its own, or a child's: what answers there may be another's."""
        port = urlsplit(self.url).port
        try:
            process = psutil.Process(self.pid)
            family = [process, *process.children(recursive=True)]
            # Its name in psutil 6 and newer, and before.
            names = [getattr(each, "net_connections", None) or each.connections for each in family]
            found = [socket for connections in names for socket in connections("tcp")]
        except psutil.Error:
            return False
        return any(each.status == psutil.CONN_LISTEN and each.laddr.port == port for each in found)

    def _log_end(self, lines: int = 3) -> str:
        try:
            with self._log.open("rb") as file:
                file.seek(max(0, self._log.stat().st_size - LOG_END_BYTES))
                text = file.read().decode("utf-8", "replace").strip()
        except OSError:
            return "its log cannot be read"
        return " | ".join(text.splitlines()[-lines:]) or "it printed nothing"
