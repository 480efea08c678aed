"""What was said beside what is right: for a terminal, and as the table of docs/measured.md."""

from collections.abc import Iterator, Sequence

from tests.judgebench.bench import Played
from tests.judgebench.right import Cause, Found, Right, short_of_cpu

MAX_TEXT = 150


def lines_of(played: Played) -> Iterator[str]:
    """One run: what is right, what was said, what is wrong of it."""
    case = played.case
    mark = "WRONG" if played.wrong else "right"
    busy = (
        ", on CPUs that were too few for the load generator" if short_of_cpu(case.right, played.said) else ""
    )
    yield f"{mark}  {case.name} ({'real' if case.real else 'simulated'}, {case.length}{busy}): {case.what}"
    yield f"       is right: {right_text(case.right)}"
    yield f"       was said: {said_text(played)}"
    for line in played.wrong:
        yield f"       wrong:    {line}"


def right_text(right: Right) -> str:
    """`fail (1): nodes fail, stalls fail`."""
    outcome = right.outcome or "refused"
    causes = ", ".join(_cause(cause) for cause in right.causes)
    return f"{outcome} ({right.exit_code})" + (f": {causes}" if causes else "")


def said_text(played: Played) -> str:
    """`1: nodes: fail: …`."""
    loud = "; ".join(_short(found) for found in played.said.loud)
    return f"{played.said.code}" + (f": {loud}" if loud else "")


def markdown(all_played: Sequence[Played]) -> Iterator[str]:
    """The table of docs/measured.md."""
    yield "| run | length | what happens | right | said by |"
    yield "|---|---|---|---|---|"
    for played in all_played:
        case = played.case
        length = f"{case.length}, real" if case.real else case.length
        by = ", ".join(found.check for found in played.said.loud) or "–"
        outcome = case.right.outcome or "refused"
        mark = f"**no: exit code {played.said.code}**, " if played.wrong else ""
        yield f"| `{case.name}` | {length} | {case.what} | {outcome} | {mark}{by} |"


def _cause(cause: Cause) -> str:
    words = f" {' … '.join(cause.words)!r}" if cause.words else ""
    when = f" {cause.when[0]:.0f}–{cause.when[1]:.0f} s" if cause.when else ""
    return f"{cause.check} {cause.outcome}{words}{when}"


def _short(found: Found) -> str:
    text = found.shown
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"
