"""A short Markdown summary of what a command came to, for a CI system's page."""

from collections.abc import Iterator, Sequence

from exporter.results.outcome_report import Suite
from exporter.results.summary import escaped, markdown_table
from exporter.verdict.finding import Outcome

MAX_TEXT = 500
MAX_BYTES = 1 << 20
"""of a step's summary on GitHub: a longer one is refused there"""
_HEADER = ("outcome", "check", "why", "figure", "bound")
_ORDER = (Outcome.FAIL, Outcome.INCONCLUSIVE, Outcome.WARNING, Outcome.PASS, Outcome.NOT_JUDGED)


def summary_text(command: str, suites: Sequence[Suite]) -> str:
    """The text: verdict, figures and a table of the findings for each; what failed stands first."""
    text = "\n".join(line for suite in suites for line in _lines(command, suite))
    return text.encode()[:MAX_BYTES].decode(errors="ignore")


def _lines(command: str, suite: Suite) -> Iterator[str]:
    yield f"### soak {command}: {escaped(suite.name)}"
    yield ""
    yield f"**{escaped(suite.sentence)}**"
    yield ""
    if suite.figures:
        names, values = zip(*suite.figures, strict=True)
        yield markdown_table(names, [[escaped(value) for value in values]], ())
    rows = [
        (
            case.outcome.value.replace("_", " "),
            escaped(case.name),
            escaped(case.text[:MAX_TEXT]),
            escaped(case.figure),
            escaped(case.bound),
        )
        for case in sorted(suite.cases, key=lambda case: _ORDER.index(case.outcome))
    ]
    yield markdown_table(_HEADER, rows, _HEADER[:3])
