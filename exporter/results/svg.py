"""Curves and events as inline SVG, without a script: colours and sizes are classes of the page's style.

All pictures of a page are equally wide and have the same time axis, so that they stand below each other.
"""

import math
from collections.abc import Callable, Iterator

from markupsafe import Markup, escape

from exporter.live.message import Phase
from exporter.plain_text import one_line
from exporter.results.axis import (
    clock_mark,
    elapsed_mark,
    logarithmic_marks,
    number_text,
    time_marks,
    value_marks,
)
from exporter.results.curves import Line, Panel
from exporter.results.timeline import Event, Kind, Row, Timeline

WIDTH, LEFT, RIGHT = 960, 62, 12
HEIGHT, TOP, BOTTOM = 196, 8, 36
"""of a panel; below the curves stand the times"""
ROW = 30
"""of a row of events: its name, and below it its bars"""
MIN_BAR = 2.5
"""a moment is drawn as wide as this"""
LONGEST_TITLE = 300
MARKS = 8
"""on the time axis at most"""


class _Times:
    """The horizontal axis."""

    def __init__(self, timeline: Timeline) -> None:
        self.timeline = timeline
        self._scale = (WIDTH - LEFT - RIGHT) / timeline.seconds

    def x(self, time: float) -> float:
        """The place of a time, within the axis."""
        inside = min(max(time, self.timeline.begin), self.timeline.end)
        return LEFT + (inside - self.timeline.begin) * self._scale

    def bar(self, event: Event) -> tuple[float, float]:
        """Place and width of an event."""
        x = self.x(event.since)
        width = max(self.x(event.until) - x, MIN_BAR)
        return min(x, WIDTH - RIGHT - width), width

    def phases(self, height: float) -> Iterator[str]:
        """The phases that are not load, shaded."""
        for each in self.timeline.phases:
            if each.phase != Phase.LOAD:
                x, width = self.x(each.since), self.x(each.until) - self.x(each.since)
                yield (
                    f'<rect class="phase {each.phase}" x="{x:.1f}" y="{TOP}" width="{width:.1f}" '
                    f'height="{height:g}"><title>{each.phase}</title></rect>'
                )

    def marks(self, bottom: float) -> Iterator[str]:
        """Lines, and below them the times since the load began and of day."""
        timeline = self.timeline
        marks = time_marks(timeline.begin, timeline.end, timeline.zero, MARKS)
        with_seconds = len(marks) > 1 and marks[1] - marks[0] < 60
        for mark in marks:
            x = self.x(mark)
            anchor = "end" if x > WIDTH - RIGHT - 30 else "middle"
            yield f'<path class="grid" d="M{x:.1f} {TOP}V{bottom:g}"/>'
            elapsed, clock = elapsed_mark(mark - timeline.zero), clock_mark(mark, with_seconds)
            yield _text("time", x, bottom + 14, elapsed, anchor)
            yield _text("clock", x, bottom + 28, clock, anchor)


def panel_svg(panel: Panel, timeline: Timeline) -> Markup:
    """The curves of one panel."""
    times, bottom = _Times(timeline), HEIGHT - BOTTOM
    values = [value for line in panel.lines for value in line.values]
    if panel.is_logarithmic:
        marks = logarithmic_marks(min(value for value in values if value > 0), max(values))
        low, high = math.log10(marks[0]), math.log10(marks[-1])

        def y(value: float) -> float:
            share = (math.log10(max(value, marks[0])) - low) / (high - low)
            return bottom - share * (bottom - TOP)
    else:
        marks = value_marks(max(values, default=0.0))

        def y(value: float) -> float:
            return bottom - max(value, 0.0) / marks[-1] * (bottom - TOP)

    parts = [*times.phases(bottom - TOP), *times.marks(bottom), *_marked(times, bottom)]
    for mark in marks:
        at = y(mark)
        parts.append(f'<path class="grid" d="M{LEFT} {at:.1f}H{WIDTH - RIGHT}"/>')
        parts.append(_text("value", LEFT - 6, at + 4, number_text(mark), "end"))
    for number, line in enumerate(panel.lines):
        parts += _curve(line, number, times, y)
    title = f"{panel.title}, {panel.unit}" if panel.unit else panel.title
    return _picture(HEIGHT, title, parts)


def events_svg(timeline: Timeline) -> Markup:
    """What happened when, a row for each kind of it; the phases in the first."""
    times = _Times(timeline)
    bottom = TOP + ROW * (1 + len(timeline.rows))
    parts = [_stripe(TOP + ROW * number) for number in range(0, len(timeline.rows) + 1, 2)]
    parts += [*times.phases(bottom - TOP), *times.marks(bottom)]
    for each in timeline.phases:
        x = times.x(each.since)
        width = max(times.x(each.until) - x, MIN_BAR)
        title = f"{each.phase} {_from_to(timeline, each.since, each.until)}"
        parts.append(_bar(f"phase-{each.phase}", x, TOP + 17, width, title))
    parts.append(_text("name", 8, TOP + 13, "phases"))
    for number, row in enumerate(timeline.rows, 1):
        parts += _row(row, TOP + ROW * number, times)
    return _picture(bottom + BOTTOM, "What happened when", parts)


def swatch_svg(number: int) -> Markup:
    """A short piece of a curve, for a legend."""
    return Markup(
        '<svg class="swatch" viewBox="0 0 28 10" aria-hidden="true">'
        f'<path class="line c{number}" d="M1 5H27"/></svg>'
    )


def _picture(height: float, title: str, parts: list[str]) -> Markup:
    body = "".join(parts)
    return Markup(
        f'<svg class="picture" viewBox="0 0 {WIDTH} {height:g}" role="img" aria-label="{_safe(title)}">'
        f"{body}</svg>"
    )


def _curve(line: Line, number: int, times: _Times, y: Callable[[float], float]) -> Iterator[str]:
    path = []
    for stretch in line.stretches:
        places = [f"{times.x(time):.1f} {y(value):.1f}" for time, value in stretch]
        # A point alone is a line of no length, which round ends make a dot.
        path.append("M" + "L".join(places if len(places) > 1 else places * 2))
    yield f'<path class="line c{number}" d="{"".join(path)}"><title>{_safe(line.name)}</title></path>'


def _marked(times: _Times, bottom: float) -> Iterator[str]:
    """Over every panel: when something failed, and restarts."""
    for row in times.timeline.rows:
        for event in row.events if row.kind in (Kind.FAIL, Kind.RESTART) else ():
            x, width = times.bar(event)
            title = f"<title>{_safe(f'{row.name}: {event.text}')}</title>"
            if row.kind == Kind.FAIL:
                size = f'width="{width:.1f}" height="{bottom - TOP:g}"'
                yield f'<rect class="failed" x="{x:.1f}" y="{TOP}" {size}>{title}</rect>'
            else:
                yield f'<path class="restarted" d="M{x:.1f} {TOP}V{bottom:g}">{title}</path>'


def _row(row: Row, top: float, times: _Times) -> Iterator[str]:
    yield _text("name", 8, top + 13, row.name)
    for event in row.events:
        title = f"{_from_to(times.timeline, event.since, event.until)}: {event.text}"
        x, width = times.bar(event)
        yield _bar(row.kind, x, top + 17, width, title)


def _stripe(top: float) -> str:
    return f'<rect class="stripe" x="0" y="{top:g}" width="{WIDTH}" height="{ROW}"/>'


def _text(kind: str, x: float, y: float, text: str, anchor: str = "start") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{_safe(text)}</text>'


def _bar(kind: str, x: float, y: float, width: float, title: str) -> str:
    return (
        f'<rect class="bar {kind}" x="{x:.1f}" y="{y:g}" width="{width:.1f}" height="9">'
        f"<title>{_safe(title)}</title></rect>"
    )


def _safe(text: str) -> Markup:
    """Text of others, as it may stand in a page."""
    return escape(one_line(text)[:LONGEST_TITLE])


def _from_to(timeline: Timeline, since: float, until: float) -> str:
    first, last = timeline.elapsed(since), timeline.elapsed(until)
    return first if first == last else f"{first}–{last}"
