"""A server as a child process: started in a session of its own, waited for until it answers, and stopped."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

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
    ) -> None:
        self.name = name
        self.url = url
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
        is_its_own: Callable[[Answer], bool] = lambda _answer: True,
    ) -> None:
        """Poll until `path` answers 200; raises SoakError with the end of the log where it does not.

        `check` is called between polls and may raise to end the waiting. `is_its_own` tells the answer of
        this service from that of another at its address.
        """
        clock = SystemClock()
        deadline = clock.monotonic() + READY_SECONDS
        with requests.Session() as session:
            session.trust_env = False
            http = BoundedHttp(session, ANSWER_SECONDS, MAX_ANSWER_BYTES)
            while clock.monotonic() < deadline:
                check()
                with suppress(UnansweredError):
                    answer = http.ask("GET", self.url + path)
                    if answer.status == 200 and is_its_own(answer):
                        return
                with suppress(subprocess.TimeoutExpired):
                    code = self._process.wait(POLL_SECONDS)
                    raise SoakError(f"{self.name}: ended with exit code {code}: {self._log_end()}")
        raise SoakError(f"{self.name}: not ready after {READY_SECONDS:.0f} s: {self._log_end()}")

    def stop(self) -> None:
        """End it: SIGTERM, and SIGKILL where that does not help."""
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.wait()

    def _log_end(self) -> str:
        text = self._log.read_text(encoding="utf-8", errors="replace").strip()
        return " | ".join(text.splitlines()[-3:]) or "it printed nothing"
