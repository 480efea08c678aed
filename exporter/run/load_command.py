"""The user's own load tool: started, listened to, ended with all that it started."""

import os
import shutil
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Sequence
from contextlib import suppress

from exporter.clock import Clock
from exporter.errors import ConfigurationError, EngineError
from exporter.load.child import end_with_parent
from exporter.load.output import STDERR_BYTES, STDOUT_BYTES, EngineOutput, Lines, PipeReader, Printed, Spool
from exporter.run.interrupt import ignored, uninterrupted
from exporter.settings.hidden_words import HiddenWords, hidden_words
from exporter.verdict.evidence import CommandEnd, EndedBy

TERM_SECONDS = 10.0
"""after SIGTERM, before SIGKILL"""
POLL_SECONDS = 0.05
MAX_WAITING = 2000
"""lines that wait to be shown; of more the oldest are left out"""
_WRAPPER = b"setpriv: failed to execute"


def check_command(command: Sequence[str]) -> None:
    """Raise ConfigurationError where there is no such program."""
    if shutil.which(command[0]) is None:
        shown = hidden_words(command).words[0]
        raise ConfigurationError(
            f"{shown}: cannot be started: there is no such program, or it may not be executed; everything "
            "behind -- is the load command"
        )


class LoadCommand:
    """One command from its start on, in a session of its own: Ctrl-C is for this program, which ends it.

    It reads nothing (/dev/null). What it prints is kept within a bound, without the secrets of its command
    line. Raises EngineError where it cannot be started.
    """

    def __init__(self, command: Sequence[str], clock: Clock) -> None:
        self._clock = clock
        self.hidden: HiddenWords = hidden_words(command)
        self._stdout, self._stderr = Spool(STDOUT_BYTES), Spool(STDERR_BYTES)
        self._said: deque[str] = deque(maxlen=MAX_WAITING)
        self._lock = threading.Lock()
        self._lines = [_Redrawn(self._say), _Redrawn(self._say)]
        self._code: int | None = None
        try:
            with uninterrupted():
                self._process = subprocess.Popen(
                    end_with_parent(command),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    start_new_session=True,
                )
        except OSError as error:
            raise EngineError(f"{self.hidden.words[0]}: cannot be started ({error.strerror})") from error
        assert self._process.stdout
        assert self._process.stderr
        self._pipes = PipeReader(
            {
                self._process.stdout: lambda data: self._take(self._stdout, self._lines[0], data),
                self._process.stderr: lambda data: self._take(self._stderr, self._lines[1], data),
            }
        )

    def poll(self) -> int | None:
        """Its exit code as a shell has it, None while it runs; raises EngineError where it never began."""
        if self._code is None and self._has_ended():
            self._end()
            if bytes(self._stderr.printed).startswith(_WRAPPER):
                raise EngineError(f"{self.hidden.words[0]}: cannot be started")
        return self._code

    def stop(self, by: EndedBy) -> CommandEnd:
        """How it ended; where it still runs it is ended, and all that it has started."""
        code = self.poll()
        if code is not None:
            return CommandEnd(code, EndedBy.ITSELF)
        with ignored():
            self._signal(signal.SIGTERM)
            until = self._clock.monotonic() + TERM_SECONDS
            while not self._has_ended() and self._clock.monotonic() < until:
                self._clock.sleep(POLL_SECONDS)
            self._end()
        return CommandEnd(self._code or 0, by)

    def said(self) -> list[str]:
        """The lines that it has printed since the last call, without its secrets; of many the newest."""
        with self._lock:
            lines = list(self._said)
            self._said.clear()
        return lines

    @property
    def output(self) -> EngineOutput:
        """All that it has printed, within the bounds, without its secrets."""
        return EngineOutput(self._hidden(self._stdout.printed), self._hidden(self._stderr.printed))

    def _hidden(self, printed: Printed) -> Printed:
        hide = self.hidden.hide
        return Printed(hide(printed.head), hide(printed.tail), printed.cut)

    def _take(self, spool: Spool, lines: "_Redrawn", data: bytes) -> None:
        spool.write(data)
        lines.write(data)

    def _say(self, line: str) -> None:
        with self._lock:
            self._said.append(self.hidden.hide(line.encode()).decode(errors="replace"))

    def _has_ended(self) -> bool:
        """Whether it has; it is not reaped by this, so its number stays its own, and its group's."""
        if self._process.returncode is not None:
            return True
        ended = os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        return ended is not None

    def _end(self) -> None:
        """Nothing that it has started loads the router any longer, and what it printed is read."""
        self._signal(signal.SIGKILL)
        code = self._process.wait()
        self._pipes.finish()
        for lines in self._lines:
            lines.end()
        self._code = 128 - code if code < 0 else code

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)


class _Redrawn(Lines):
    """Lines as a terminal would show them in the end: what follows a carriage return replaces the line."""

    def write(self, data: bytes) -> None:
        """Take what was printed."""
        pieces = [_newest(each) for each in data.split(b"\n")]
        if pieces[0] != data.split(b"\n", 1)[0].rstrip(b"\r"):
            self._rest = b""  # it was drawn over
        super().write(b"\n".join(pieces))


def _newest(line: bytes) -> bytes:
    return line.rstrip(b"\r").rpartition(b"\r")[2]
