"""Moments of a run as its findings name them: minutes and seconds since the load began."""

from collections.abc import Sequence

from exporter.verdict.evidence import Evidence
from exporter.verdict.finding import Span

MAX_NAMED = 3
"""spans that a sentence names; run.json has all"""


def at(evidence: Evidence, moment: float) -> str:
    """`01:02`, from an hour on `1:01:02`."""
    seconds = max(0, round(moment - evidence.begin))
    hours, minutes = seconds // 3600, seconds // 60 % 60
    return f"{hours}:{minutes:02}:{seconds % 60:02}" if hours else f"{minutes:02}:{seconds % 60:02}"


def from_to(evidence: Evidence, span: Span) -> str:
    """`01:02–01:27`; one moment where both are the same second."""
    since, until = at(evidence, span.since), at(evidence, span.until)
    return since if since == until else f"{since}–{until}"


def times(evidence: Evidence, spans: Sequence[Span]) -> str:
    """The first few, and how many more there are: `01:02–01:27, 03:10, … (7)`."""
    named = [from_to(evidence, span) for span in spans[:MAX_NAMED]]
    more = [f"… ({len(spans)})"] if len(spans) > MAX_NAMED else []
    return ", ".join((*named, *more))


def together(spans: Sequence[Span], gap: float) -> tuple[Span, ...]:
    """The spans in order, those that are no more than `gap` seconds apart as one."""
    found: list[Span] = []
    for span in sorted(spans, key=lambda each: each.since):
        if found and span.since - found[-1].until <= gap:
            found[-1] = Span(found[-1].since, max(found[-1].until, span.until))
        else:
            found.append(Span(span.since, span.until))
    return tuple(found)
