"""What an engine and the user's script print: kept within a bound, however much it is."""

import contextlib
import fcntl
import os
import re
import selectors
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import IO

from exporter.plain_text import plain_lines

STDOUT_BYTES, STDERR_BYTES = 8_000_000, 1_900_000
"""kept of each, half of it from the begin and half from the end"""
PIPE_BYTES = 1 << 20
"""what the kernel holds between two reads, so that a script that prints much does not wait for us"""
READ_BYTES = 1 << 17
WAIT_SECONDS = 0.1
LINE_BYTES = 1000
_CONTROL_SEQUENCE = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b\n]*(?:\x07|\x1b\\)?|[ -/]*[0-~])|\x9b[0-?]*[ -/]*[@-~]"
)


def plain(text: str) -> str:
    """`text` for a terminal: without control sequences, and with U+FFFD for what cannot be printed."""
    shown = _CONTROL_SEQUENCE.sub("", text).replace("\r\n", "\n").expandtabs()
    return plain_lines(shown)


@dataclass(frozen=True)
class Printed:
    """One stream of an engine's: all of it, or its begin and its end."""

    head: bytes = b""
    tail: bytes = b""
    cut: int = 0
    """bytes left out between the two"""

    def __bytes__(self) -> bytes:
        if not self.cut:
            return self.head + self.tail
        return self.head + b"\n[... %s bytes are left out here ...]\n" % f"{self.cut:,}".encode() + self.tail


@dataclass(frozen=True)
class EngineOutput:
    """What an engine printed, as `engine-output.txt` keeps it: at most 10 MB."""

    stdout: Printed = Printed()
    stderr: Printed = Printed()

    def __add__(self, later: "EngineOutput") -> "EngineOutput":
        """That of two loads, one after the other, within the same bounds."""
        return EngineOutput(
            _one_after_the_other(self.stdout, later.stdout, STDOUT_BYTES),
            _one_after_the_other(self.stderr, later.stderr, STDERR_BYTES),
        )

    def __bytes__(self) -> bytes:
        stdout, stderr = bytes(self.stdout), bytes(self.stderr)
        return stdout + (b"\n[standard error]\n" + stderr if stderr else b"")


def _one_after_the_other(first: Printed, second: Printed, max_bytes: int) -> Printed:
    spool = Spool(max_bytes)
    spool.write(bytes(first))
    spool.write(bytes(second))
    return spool.printed


class Spool:
    """Keeps the begin and the end of what is written to it, in memory: no full disk loses it."""

    def __init__(self, max_bytes: int) -> None:
        self._half = max_bytes // 2
        self._head = bytearray()
        self._tail = bytearray()
        self._written = 0

    def write(self, data: bytes) -> None:
        """Take what was printed."""
        self._written += len(data)
        room = self._half - len(self._head)
        self._head += data[:room]
        self._tail += data[room:]
        # Not at every write: the end is moved to the begin of the buffer.
        if len(self._tail) > 2 * self._half:
            del self._tail[: -self._half]

    @property
    def printed(self) -> Printed:
        """What is kept so far."""
        head, tail = bytes(self._head), bytes(self._tail[-self._half :])
        return Printed(head, tail, self._written - len(head) - len(tail))


class Lines:
    """Splits what is written to it into lines; of a line longer than LINE_BYTES the begin is kept."""

    def __init__(self, take: Callable[[str], None]) -> None:
        self._take = take
        self._rest = b""

    def write(self, data: bytes) -> None:
        """Take what was printed; a line that is not empty goes to `take` when it ends."""
        *ended, rest = data.split(b"\n")
        if ended:
            ended[0] = self._rest + ended[0]
            self._rest = b""
            for line in ended:
                self._give(line)
        self._rest = (self._rest + rest)[:LINE_BYTES]

    def end(self) -> None:
        """What was printed last needs no newline."""
        self._give(self._rest)
        self._rest = b""

    def _give(self, line: bytes) -> None:
        text = plain(line[:LINE_BYTES].rstrip().decode(errors="replace"))
        if text.strip():
            self._take(text)


class PipeReader:
    """Reads a child's pipes in a thread of its own until they end, or the child has."""

    def __init__(self, pipes: Mapping[IO[bytes], Callable[[bytes], None]]) -> None:
        self._selector = selectors.DefaultSelector()
        for pipe, take in pipes.items():
            os.set_blocking(pipe.fileno(), False)
            # A user's share of pipes may be used up: then it stays as small as it is.
            with contextlib.suppress(OSError):
                fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
            self._selector.register(pipe, selectors.EVENT_READ, take)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="engine-output", daemon=True)
        self._thread.start()

    def finish(self) -> None:
        """The child has ended: read what it left in its pipes, and close them.

        No more than that: a process that it started may hold them open and print for ever.
        """
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        left = dict.fromkeys(self._selector.get_map(), PIPE_BYTES)
        while self._selector.get_map():
            ended = self._ended.is_set()
            ready = self._selector.select(0 if ended else WAIT_SECONDS)
            for key, _ in ready:
                data = os.read(key.fd, READ_BYTES)
                if data:
                    key.data(data)
                left[key.fd] -= len(data) if ended else 0
                if not data or left[key.fd] <= 0:
                    self._close(key)
            if ended and not ready:
                break
        for key in list(self._selector.get_map().values()):
            self._close(key)
        self._selector.close()

    def _close(self, key: selectors.SelectorKey) -> None:
        self._selector.unregister(key.fileobj)
        key.fileobj.close()  # type: ignore[union-attr]
