"""The terminal: what is written to it never acts on it by chance, and may outlast it."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from typing import Any, TextIO, cast

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from exporter.plain_text import plain_json, plain_lines
from exporter.verdict.finding import Outcome

STYLES = {
    Outcome.PASS: "bold green",
    Outcome.FAIL: "bold red",
    Outcome.WARNING: "yellow",
    Outcome.INCONCLUSIVE: "bold yellow",
    Outcome.NOT_JUDGED: "dim",
}


class Lasting:
    """An output that may end before the command does: a closed pipe or terminal swallows what is written.

    From then on its descriptor is /dev/null, so that nothing else fails on it, the end of Python included.
    A character that its encoding lacks is written as a question mark.
    """

    def __init__(self, file: TextIO | None) -> None:
        # Python has none where the descriptor was closed from the start.
        self._file = file or open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
        if isinstance(self._file, TextIOWrapper):
            self._file.reconfigure(errors="replace")

    def write(self, text: str) -> int:
        with self._tolerant():
            self._file.write(text)
        return len(text)

    def flush(self) -> None:
        with self._tolerant():
            self._file.flush()

    def __getattr__(self, name: str) -> Any:
        # Who has the bytes' writer writes past this one.
        if name == "buffer":
            raise AttributeError(name)
        return getattr(self._file, name)

    @contextmanager
    def _tolerant(self) -> Iterator[None]:
        try:
            yield
        except OSError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._file.fileno())
            os.close(nowhere)


class PlainOutput(Lasting):
    """Shows all text as text: no text of others acts on the terminal."""

    def write(self, text: str | bytes) -> int:
        # click hands the shell's completions over as bytes.
        self.write_acting(plain_lines(text if isinstance(text, str) else text.decode()))
        return len(text)

    def write_acting(self, text: str) -> int:
        """Write what may move the cursor and set colours."""
        return super().write(text)


class _ActingOutput:
    """The same output for rich, which acts on the terminal."""

    def __init__(self, output: PlainOutput) -> None:
        self._output = output
        self.write = output.write_acting

    def __getattr__(self, name: str) -> Any:
        return getattr(self._output, name)


class PlainConsole(Console):
    """Colours and redraws, and shows what it is given to show as text, like `PlainOutput`."""

    def __init__(self, stderr: bool = False) -> None:
        output = sys.stderr if stderr else sys.stdout
        acting = cast(TextIO, _ActingOutput(output)) if isinstance(output, PlainOutput) else output
        super().__init__(file=acting, highlight=False)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterator[Segment]:
        """As rich does, but for the text."""
        for each in super().render(renderable, options):
            yield each if each.control else each._replace(text=plain_lines(each.text))


def make_outputs_last() -> None:
    """Standard output and standard error may go away, and are plain, for all that this process writes."""
    sys.stdout = cast(TextIO, PlainOutput(sys.stdout))
    sys.stderr = cast(TextIO, PlainOutput(sys.stderr))


def print_json(text: str) -> None:
    """JSON on standard output, which is UTF-8 in every locale."""
    output = sys.stdout
    if isinstance(output, Lasting):
        output.reconfigure(encoding="utf-8", errors="backslashreplace")
    output.write(plain_json(text))
    output.flush()
