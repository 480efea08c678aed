"""A run in the terminal while it goes on: redrawn in place, or a line every ten seconds."""

import os
from collections.abc import Iterator, Sequence
from datetime import datetime

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from exporter.cli.run_course import Course, counts_text
from exporter.cli.terminal import STYLES
from exporter.clock import Clock, SystemClock
from exporter.live.message import Phase
from exporter.live.stream_counts import StreamCounts
from exporter.run.view import Moment, Surroundings
from exporter.verdict.finding import Outcome
from exporter.verdict.judgement import Judgement
from exporter.verdict.unit import shown

LINE_EVERY_SECONDS = 10.0
QUOTED_LINES, QUOTED_LETTERS = 50, 500
PRINTED_LINES = 20
"""of a load command at a time, five times a second"""
UNKNOWN = "–"
Fact = tuple[str, str, bool]
"""a name, what it is, and whether that is bad"""


class TerminalView:
    """Shows a run on a console; `step` is (this one, of how many) of `soak scale`.

    A terminal that cannot be drawn on (TERM=dumb), one without colours (NO_COLOR) and a pipe get lines with
    the time of day.
    """

    def __init__(
        self, console: Console, title: str, clock: Clock | None = None, step: tuple[int, int] | None = None
    ) -> None:
        self._clock = clock or SystemClock()
        self._console = console
        self._title = title
        self._step = "" if step is None else f"step {step[0]} of {step[1]}"
        self._course = Course()
        self._last_line = 0.0
        self._judgement: Judgement | None = None
        self._said = ""
        self._moment: Moment | None = None
        drawn = console.is_terminal and not console.is_dumb_terminal and not os.environ.get("NO_COLOR")
        self._live = Live(console=console, auto_refresh=False, transient=True) if drawn else None

    def __enter__(self) -> "TerminalView":
        if self._live is not None:
            self._live.start()
        elif self._step:
            self._console.print(Text(f"{self._step}: {self._title}"), soft_wrap=True)
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()
        if self._step and self._moment is not None and self._moment.status is not None:
            status = self._moment.status
            done = f"{self._step} ended: {status.successes:,} succeeded, {self._course.failed:,} failed"
            self._console.print(Text(f"{done}, {self._title}"), soft_wrap=True)

    def judged(self, judgement: Judgement) -> None:
        """What the checks have found so far; where no picture is drawn, a change of it is a line."""
        self._judgement = judgement
        verdict, _ = verdict_so_far(judgement)
        if self._live is None and verdict != self._said and judgement.outcome != Outcome.INCONCLUSIVE:
            if self._said:
                self._console.print(Text(f"{self._time()}  {verdict}"), soft_wrap=True)
            self._said = verdict

    def warn(self, text: str) -> None:
        """One line that stays."""
        self._console.print(Text(text, style="bold red"), soft_wrap=True)

    def printed(self, lines: Sequence[str]) -> None:
        """What the load command printed: above the picture, of much of it the newest."""
        shown = [f"  │ {line[:QUOTED_LETTERS]}" for line in lines[-PRINTED_LINES:]]
        if (more := len(lines) - len(shown)) > 0:
            shown.insert(0, f"  │ … {more:,} lines more: command-output.txt has them")
        self._console.print(Text("\n".join(shown), style="dim"), soft_wrap=True)

    def quote(self, text: str) -> None:
        """What the script's done() printed, as far as it is no more than a page."""
        lines = text.strip("\n").splitlines()
        if not lines:
            return
        shown_lines = [f"  {line[:QUOTED_LETTERS]}" for line in lines[:QUOTED_LINES]]
        if len(lines) > QUOTED_LINES:
            shown_lines.append("  the rest is in engine-output.txt")
        said = "\n".join(("the script's done() printed:", *shown_lines))
        self._console.print(Text(said), soft_wrap=True)

    def update(self, moment: Moment) -> None:
        """The state now."""
        now = self._clock.monotonic()
        self._moment = moment
        self._course.see(now, moment)
        if self._live is not None:
            self._live.update(self._picture(moment), refresh=True)
        elif now - self._last_line >= LINE_EVERY_SECONDS:
            self._last_line = now
            facts = "  ".join(f"{name} {text}" for name, text, _ in facts_of(moment, self._course))
            elapsed = duration_text(moment.elapsed_seconds)
            if moment.planned_seconds:
                elapsed += f"/{duration_text(moment.planned_seconds)}"
            verdict = verdict_so_far(self._judgement)[0].partition(":")[0]
            line = f"{self._time()}  {_phase(moment)} {elapsed}  {verdict}  {facts}"
            self._console.print(Text(line), soft_wrap=True)

    def _time(self) -> str:
        return f"{datetime.fromtimestamp(self._clock.wall()).astimezone():%H:%M:%S}"

    def _picture(self, moment: Moment) -> Group:
        verdict, outcome = verdict_so_far(self._judgement)
        style = "bold" if outcome is None else STYLES[outcome]
        facts = Table.grid(padding=(0, 2))
        for name, text, bad in facts_of(moment, self._course):
            facts.add_row(Text(name, style="dim"), Text(text, style="red" if bad else ""))
        head = self._head(moment, outcome)
        return Group(Text(verdict, style=style), Text(self._title, style="dim"), head, facts)

    def _head(self, moment: Moment, outcome: Outcome | None) -> Table:
        """The phase, and how far it is; what ends when somebody ends it has no bar."""
        elapsed, planned = moment.elapsed_seconds, moment.planned_seconds
        left = duration_text(max(planned - elapsed, 0))
        head = Table.grid(padding=(0, 1))
        phase = Text(f"{self._step}  {_phase(moment)}".strip(), style="bold")
        if not planned:
            head.add_row(phase, duration_text(elapsed))
            return head
        bar = "white" if outcome is None else STYLES[outcome]
        head.add_row(
            phase,
            ProgressBar(
                total=planned,
                completed=min(elapsed, planned),
                width=36,
                complete_style=bar,
                finished_style=bar,
            ),
            f"{duration_text(elapsed)} of {duration_text(planned)}, {left} left",
        )
        return head


def verdict_so_far(judgement: Judgement | None) -> tuple[str, Outcome | None]:
    """The verdict while a run goes on with its first reason, and the outcome whose style it has."""
    if judgement is None or all(each.outcome == Outcome.NOT_JUDGED for each in judgement.findings):
        return "not judged yet", None
    for outcome, said in (
        (Outcome.FAIL, "failing"),
        (Outcome.INCONCLUSIVE, "inconclusive so far"),
        (Outcome.WARNING, "pass so far, with a warning"),
    ):
        found = [each for each in judgement.findings if each.outcome == outcome]
        if found:
            first = f"{found[0].check}: {found[0].text}"
            more = f" (and {', '.join(each.check for each in found[1:])})" if len(found) > 1 else ""
            return f"{said}: {first}{more}", outcome
    return "pass so far", Outcome.PASS


def facts_of(moment: Moment, course: Course) -> list[Fact]:
    """What is shown of a run at one moment; what is not known is shown as –."""
    of_load = _of_load(moment, course) if moment.sends else _of_router(moment)
    return [*of_load, *_of_surroundings(moment)]


def _phase(moment: Moment) -> str:
    """Its name; under the load of somebody else the router is watched."""
    return "watch" if moment.phase == Phase.LOAD and not moment.sends else moment.phase.value


def _of_router(moment: Moment) -> Iterator[Fact]:
    """What the router itself says of the load of somebody else."""
    around = moment.around
    if moment.status is None:
        yield "exporter", "gives no answer; the watch goes on", True
    if around.requests is None:
        yield "requests", f"{UNKNOWN} (the router counts none)", False
        return
    yield "requests", f"{_rate(around.requests_per_second)}  {around.requests:,.0f} in all (router)", False
    if around.failures is not None:
        yield "failed", f"{around.failures:,.0f}" if around.failures else "none", bool(around.failures)


def _of_load(moment: Moment, course: Course) -> Iterator[Fact]:
    status = moment.status
    if status is None:
        yield "exporter", "gives no answer; the load goes on and its counts follow", True
        return
    under_load = moment.phase in (Phase.WARMUP, Phase.LOAD)
    total = f"{status.successes:,} in all"
    rate = _rate(course.success_rate) if under_load else "no load"
    yield "success", "  ".join(filter(None, (rate, str(course.successes), total))), False
    yield "failed", _failed(moment, course), bool(course.failed)
    if under_load:
        quantiles = [milliseconds(status.recent_quantiles[q]) for q in ("0.5", "0.95", "0.99")]
        longest = status.longest_request
        quantiles.append(milliseconds(longest.seconds) if longest else UNKNOWN)
        latency = f"{' / '.join(quantiles)} ms  {course.latency}".rstrip()
        yield "p50/p95/p99/max", latency, False
    if status.streams is not None:
        yield "first token", _of_streams(status.streams, moment.goodput, course), False
    if status.stalled:
        yield "stalled", f"{status.stalled} of {status.open} connections", True


def _of_streams(streams: StreamCounts, goodput: str | None, course: Course) -> str:
    """Over the run so far; the rate of tokens is that of now."""
    first = " / ".join(milliseconds(streams.first_token[q]) for q in ("0.5", "0.99"))
    parts = [f"{first} ms (p50/p99)"]
    if course.token_rate is not None:
        parts.append(f"{_rate(course.token_rate)} tokens")
    if goodput is not None:
        parts.append(f"goodput {shown(streams.good / streams.ended, 'ratio') if streams.ended else UNKNOWN}")
    return "  ".join(parts)


def _failed(moment: Moment, course: Course) -> str:
    status = moment.status
    if status is None or not course.failed:
        return "none"
    codes = ((code, n) for code, n in status.statuses.items() if not code.startswith("2"))
    what = counts_text([*((reason.value, n) for reason, n in status.failures.items()), *codes])
    ago = "" if course.since_failure is None else f"  the last {_ago(course.since_failure)}"
    now = "" if course.failure_rate is None else f"{_rate(course.failure_rate)}  "
    return f"{now}{course.failed:,} in all ({what}){ago}"


def _ago(seconds: float) -> str:
    return "just now" if seconds < 1.5 else f"{duration_text(seconds)} ago"


def _of_surroundings(moment: Moment) -> Iterator[Fact]:
    around = moment.around
    yield "router memory", _memory(moment.router_memory_bytes, around), False
    cpus = []
    if around.router_cpu_cores is not None:
        cpus.append(f"router {around.router_cpu_cores:.2f} cores")
    if around.host_cpu_ratio is not None:
        cpus.append(f"host {around.host_cpu_ratio:.0%}")
    if cpus:
        yield "CPU", ", ".join(cpus), False
    if around.nodes_known:
        online = around.nodes_online or 0
        yield "nodes", f"{online} of {around.nodes_known} online", online < around.nodes_known
    if around.router_down_seconds is not None:
        yield "router", f"down since {duration_text(around.router_down_seconds)}", True
    if around.alerts is not None:
        yield "alerts", ", ".join(around.alerts) or "none fires", bool(around.alerts)


def _memory(now: float | None, around: Surroundings) -> str:
    if now is None:
        return UNKNOWN
    parts = [shown(now, "bytes")]
    if around.router_memory_at_start_bytes is not None:
        grown = now - around.router_memory_at_start_bytes
        parts.append(f"{'+' if grown >= 0 else '−'}{shown(abs(grown), 'bytes')} since the start")
    if around.router_memory_bytes_per_hour is not None:
        parts.append(shown(around.router_memory_bytes_per_hour, "bytes_per_hour"))
    return ", ".join(parts)


def _rate(rate: float | None) -> str:
    return UNKNOWN if rate is None else f"{rate:,.0f}/s" if rate >= 10 or rate == 0 else f"{rate:.1f}/s"


def duration_text(seconds: float) -> str:
    """`1:05`, or `1:02:05`."""
    whole = int(seconds)
    hours, minutes = whole // 3600, whole // 60 % 60
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"


def milliseconds(seconds: float | None) -> str:
    """Three digits; – for what is not known."""
    if seconds is None:
        return UNKNOWN
    return f"{seconds * 1000:,.3g}" if seconds < 0.9995 else f"{seconds * 1000:,.0f}"
