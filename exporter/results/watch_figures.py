"""The figures of a watch: nobody here counted its requests, so they are those of router and command."""

from collections.abc import Iterator

from exporter.results.report_tables import UNKNOWN
from exporter.results.run_document import RunDocument
from exporter.verdict.evidence import CommandEnd, EndedBy


def watch_figures(document: RunDocument) -> Iterator[tuple[str, str]]:
    """Name and figure; what is not known is a dash."""
    evidence = document.evidence
    yield "watched", f"{evidence.measured_seconds:,.0f} s"
    traffic = evidence.traffic
    yield "requests, the router's count", UNKNOWN if traffic is None else f"{traffic.requests:,.0f}"
    failures = None if traffic is None else traffic.failures
    yield "failures, the router's count", UNKNOWN if failures is None else f"{failures:,.0f}"
    if evidence.command_end is not None:
        yield "load command", command_end_text(evidence.command_end)


def command_end_text(end: CommandEnd) -> str:
    """How it ended, in a few words."""
    match end.by:
        case EndedBy.DURATION:
            return "ended at the duration"
        case EndedBy.USER:
            return "ended by the user"
    return f"exit code {end.exit_code}"
