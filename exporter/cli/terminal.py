"""A run in the terminal: live progress, then the verdict."""

import os
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import Any, TextIO, cast

from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from exporter.clock import Clock, SystemClock
from exporter.plain_text import plain_json, plain_lines
from exporter.results.run_result import RunResult
from exporter.run.view import Moment
from exporter.verdict.finding import Outcome
from exporter.verdict.judgement import Judgement

LINE_EVERY_SECONDS = 10.0
RATE_SECONDS = 5.0
QUOTED_LINES, QUOTED_LETTERS = 50, 500
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

    def write(self, text: str) -> int:
        self.write_acting(plain_lines(text))
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


class RateMeter:
    """A rate from the last few cumulative counts."""

    def __init__(self) -> None:
        self._points: deque[tuple[float, int]] = deque()

    def rate(self, now: float, count: int) -> float | None:
        """The rate per second over the trailing 5 s, or None before there are two counts."""
        self._points.append((now, count))
        while len(self._points) > 2 and now - self._points[0][0] > RATE_SECONDS:
            self._points.popleft()
        (first, before), (last, after) = self._points[0], self._points[-1]
        return (after - before) / (last - first) if last > first else None


class TerminalView:
    """Shows a run on a console: redrawn in place on a terminal, a line every 10 s elsewhere."""

    def __init__(self, console: Console, title: str, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._console = console
        self._title = title
        self._rate = RateMeter()
        self._last_line = 0.0
        self._judgement: Judgement | None = None
        self._live = (
            Live(console=console, auto_refresh=False, transient=True) if console.is_terminal else None
        )

    def __enter__(self) -> "TerminalView":
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def judged(self, judgement: Judgement) -> None:
        """What the checks have found so far."""
        self._judgement = judgement

    def warn(self, text: str) -> None:
        """One line that stays."""
        self._console.print(Text(text, style="bold red"), soft_wrap=True)

    def quote(self, text: str) -> None:
        """What the script's done() printed, as far as it is no more than a page."""
        lines = text.strip("\n").splitlines()
        if not lines:
            return
        shown = [f"  {line[:QUOTED_LETTERS]}" for line in lines[:QUOTED_LINES]]
        if len(lines) > QUOTED_LINES:
            shown.append("  the rest is in engine-output.txt")
        self._console.print(Text("\n".join(("the script's done() printed:", *shown))), soft_wrap=True)

    def update(self, moment: Moment) -> None:
        """The state now."""
        now = self._clock.monotonic()
        rate = self._rate.rate(now, moment.status.successes) if moment.status else None
        if self._live is not None:
            self._live.update(self._picture(moment, rate), refresh=True)
        elif now - self._last_line >= LINE_EVERY_SECONDS:
            self._last_line = now
            facts = "  ".join(f"{name} {value}" for name, value in self._facts(moment, rate))
            elapsed, planned = _clock_text(moment.elapsed_seconds), _clock_text(moment.planned_seconds)
            self._console.print(Text(f"{moment.phase.value} {elapsed}/{planned}  {facts}"), soft_wrap=True)

    def _facts(self, moment: Moment, rate: float | None) -> list[tuple[str, str]]:
        """What is shown of the run, with what fails it so far."""
        found = self._judgement.findings if self._judgement else ()
        failing = ", ".join(each.check for each in found if each.outcome == Outcome.FAIL)
        return facts_of(moment, rate) + ([("failing", failing)] if failing else [])

    def _picture(self, moment: Moment, rate: float | None) -> Group:
        elapsed, planned = moment.elapsed_seconds, moment.planned_seconds
        head = Table.grid(padding=(0, 1))
        head.add_row(
            Text(moment.phase.value, style="bold"),
            ProgressBar(total=planned, completed=min(elapsed, planned), width=40),
            f"{_clock_text(elapsed)} / {_clock_text(planned)}",
        )
        facts = Table.grid(padding=(0, 2))
        for name, value in self._facts(moment, rate):
            bad = (name == "failures" and value != "none") or name in ("not 2xx", "failing")
            facts.add_row(Text(name, style="dim"), Text(value, style="red" if bad else ""))
        return Group(Text(self._title, style="dim"), head, facts)


def facts_of(moment: Moment, rate: float | None) -> list[tuple[str, str]]:
    """Name and text of what is shown of a run; `rate` is of 2xx a second; what is not known is shown as –."""
    status, memory = moment.status, moment.router_memory_bytes
    if status is None:
        return [("exporter", "gives no answer; the load goes on and its counts follow")]
    latency = " / ".join(_milliseconds(status.recent_quantiles[q]) for q in ("0.5", "0.95", "0.99"))
    failures = ", ".join(f"{reason.value} {count:,}" for reason, count in status.failures.items() if count)
    bad = {code: count for code, count in status.statuses.items() if not code.startswith("2")}
    facts = [
        ("success", "–" if rate is None else f"{rate:,.0f} req/s"),
        ("p50/p95/p99", f"{latency} ms"),
        ("failures", failures or "none"),
    ]
    if bad:
        facts.append(("not 2xx", ", ".join(f"{code}: {count:,}" for code, count in bad.items())))
    if status.stalled:
        facts.append(("stalled", f"{status.stalled} of {status.open} connections"))
    facts.append(("router RSS", "–" if memory is None else f"{memory / 2**20:,.1f} MiB"))
    return facts


def print_verdict(console: Console, result: RunResult, files: dict[str, Path]) -> None:
    """The findings, the figures and the files of a run that has ended."""
    table = Table.grid(padding=(0, 2))
    not_judged: dict[str, list[str]] = {}
    for finding in result.judgement.findings:
        if finding.outcome == Outcome.NOT_JUDGED:
            not_judged.setdefault(finding.text, []).append(finding.check)
        else:
            outcome = Text(finding.outcome.value, style=STYLES[finding.outcome])
            table.add_row(outcome, Text(finding.check), Text(finding.text))
    console.print(table)
    for text, checks in not_judged.items():
        console.print(Text(f"not judged: {', '.join(checks)}: {text}", style=STYLES[Outcome.NOT_JUDGED]))
    rps = result.requests_per_second
    latency = " / ".join(_milliseconds(result.quantiles[q]) for q in ("0.5", "0.95", "0.99"))
    console.print(f"\n{'–' if rps is None else f'{rps:,.1f}'} successes/s, p50/p95/p99 {latency} ms")
    inputs = result.inputs
    console.print(
        Text(f"model {inputs.model} ({inputs.model_source.text}), route {result.info.route.value}"),
        soft_wrap=True,
    )
    if result.alerts:
        console.print(Text(f"alerts that fired: {', '.join(result.alerts)}", style="red"))
    for path in files.values():
        console.print(Text(str(path)), soft_wrap=True)
    verdict = result.judgement.outcome
    console.print(Text(f"\nverdict: {result.judgement.said.english}", style=STYLES[verdict]), soft_wrap=True)


def _clock_text(seconds: float) -> str:
    whole = int(seconds)
    hours, minutes = whole // 3600, whole // 60 % 60
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"


def _milliseconds(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    return f"{seconds * 1000:,.3g}" if seconds < 0.9995 else f"{seconds * 1000:,.0f}"
