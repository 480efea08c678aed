"""`report.html`: one run on one page that opens from disk, without a network and without a script."""

import base64
import hashlib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from markupsafe import Markup

from exporter.plain_text import one_line
from exporter.results.axis import number_text
from exporter.results.curves import Line, Panel
from exporter.results.document_parts import FindingPart
from exporter.results.panels import panels_of
from exporter.results.process_table import file_table, process_table, processes_of
from exporter.results.replacing import replace_file
from exporter.results.report_tables import (
    UNKNOWN,
    Table,
    csv_text,
    failures_table,
    gpus_table,
    nodes_table,
    runtime_table,
    windows_table,
)
from exporter.results.run_document import RunDocument, row_of
from exporter.results.run_record import CPU, RunRecord
from exporter.results.stream_tables import counts_table, figures_table, stream_figures
from exporter.results.svg import events_svg, panel_svg, swatch_svg
from exporter.results.timeline import Timeline, timeline_of
from exporter.results.verdict_line import verdict_sentence
from exporter.results.watch_figures import watch_figures
from exporter.verdict.finding import Outcome
from exporter.verdict.unit import shown

FILE = "report.html"
MAX_TEXT = 2000
"""letters of one text of others"""
MAX_TIMES = 3
"""spans of a finding that its row names"""
MAX_EVENT_ROWS = 100
MAX_FINDINGS = 200
ORDER = (Outcome.FAIL, Outcome.INCONCLUSIVE, Outcome.WARNING, Outcome.PASS, Outcome.NOT_JUDGED)
"""of findings: what is to be looked at first"""
_HERE = Path(__file__).parent


def html_report(record: RunRecord) -> str:
    """The page's text."""
    document, streams = record.document, record.document.evidence.streams
    timeline = timeline_of(record)
    ordered = sorted(document.verdict.findings, key=lambda each: ORDER.index(each.outcome))
    style = (_HERE / "report.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return _rendered(
        policy=f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'",
        style=Markup(style),
        name=record.name,
        subtitle=_subtitle(document),
        outcome=document.verdict.outcome.value,
        sentence=verdict_sentence(document).removeprefix(document.verdict.outcome),
        incomplete=document.incomplete,
        figures=list(_figures(document)),
        findings=[_finding(each, timeline) for each in ordered[:MAX_FINDINGS]],
        findings_not_shown=max(0, len(ordered) - MAX_FINDINGS),
        load_began=_when(timeline.zero),
        events=events_svg(timeline),
        rows_not_shown=timeline.not_shown,
        panels=[_panel(each, timeline) for each in panels_of(record, timeline)],
        event_table=_event_table(timeline),
        streams=None if streams is None else (figures_table(streams), counts_table(streams)),
        has_load=document.evidence.has_load,
        failures=failures_table(record, timeline),
        windows=windows_table(record, timeline),
        processes=process_table(processes := processes_of(record, timeline)),
        written_files=file_table(processes),
        runtime=runtime_table(record),
        nodes=nodes_table(record, timeline),
        gpus=gpus_table(record),
        soak_command=document.soak_command,
        engine_command=" ".join(document.command),
        facts=list(_facts(record)),
        files=[(Path(file).name, quote(file)) for file in record.files],
        version=document.versions.get("llm-router-soak", UNKNOWN),
    )


def write_report(record: RunRecord, folder: Path) -> Path:
    """Make `report.html` in the run's folder again, in one step; raises ConfigurationError."""
    file = folder / FILE
    replace_file(file, html_report(record).encode("utf-8", "backslashreplace"), "the report")
    return file


def _rendered(**values: Any) -> str:
    """The template with these; every text is escaped, stands on one line and is no longer than MAX_TEXT."""
    # The exporter is of the same command, makes no page and shall not carry this.
    from jinja2 import Environment, StrictUndefined, TemplateError  # noqa: PLC0415

    def plain(value: Any) -> Any:
        if isinstance(value, Markup) or not isinstance(value, str):
            return value
        text = one_line(value)
        return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}…"

    environment = Environment(autoescape=True, undefined=StrictUndefined, finalize=plain)
    try:
        template = environment.from_string((_HERE / "report.html.j2").read_text(encoding="utf-8"))
        return template.render(values)
    except TemplateError as error:
        raise ValueError(f"the template of the page: {error}") from error


def _subtitle(document: RunDocument) -> str:
    run, evidence = document.run, document.evidence
    planned = "" if run.planned_duration_seconds is None else f" of {run.planned_duration_seconds:,.0f}"
    return (
        f"{document.title}, {evidence.measured_seconds:,.0f}{planned} s "
        f"{'of load' if evidence.has_load else 'watched'}, began {_when(run.start_timestamp_seconds)}"
    )


def _figures(document: RunDocument) -> Iterator[tuple[str, str]]:
    """As the results CSV has them; of a watch, what the router and the user's command say."""
    if not document.evidence.has_load:
        yield from watch_figures(document)
        return
    row = row_of(document)
    yield "successes a second (rps)", csv_text("rps", row.rps)
    for name in ("p50_ms", "p75_ms", "p90_ms", "p95_ms", "p99_ms"):
        value = csv_text(name, getattr(row, name))
        yield name.removesuffix("_ms"), value if value == UNKNOWN else f"{value} ms"
    yield "responses", csv_text("requests", row.requests)
    yield "not 2xx", csv_text("non2xx", row.non2xx)
    yield "without a response", csv_text("socket_errors", row.socket_errors)
    yield "load", f"{csv_text('duration_s', row.duration_s)} s"
    yield from stream_figures(document.evidence.streams)


def _finding(finding: FindingPart, timeline: Timeline) -> dict[str, str]:
    spans = [
        f"{timeline.elapsed(each.since)}–{timeline.elapsed(each.until)}" for each in finding.spans[:MAX_TIMES]
    ]
    if len(finding.spans) > MAX_TIMES:
        spans.append(f"… ({len(finding.spans)})")
    return {
        "outcome": finding.outcome.value,
        "check": finding.check,
        "text": finding.text,
        "figure": "" if finding.figure is None else shown(finding.figure, finding.unit),
        "bound": "" if finding.bound is None else shown(finding.bound, finding.unit),
        "when": ", ".join(spans),
    }


def _panel(panel: Panel, timeline: Timeline) -> dict[str, Any]:
    return {
        "title": panel.title,
        "unit": f"{panel.unit}, logarithmic" if panel.is_logarithmic else panel.unit,
        "note": panel.note,
        "svg": panel_svg(panel, timeline),
        "lines": [_legend(line, number) for number, line in enumerate(panel.lines)],
    }


def _legend(line: Line, number: int) -> dict[str, Any]:
    values = line.values
    shown = (values[0], values[-1], min(values), max(values)) if values else ()
    return {
        "swatch": swatch_svg(number),
        "name": line.name,
        "figures": [number_text(each) for each in shown] or [UNKNOWN] * 4,
    }


def _event_table(timeline: Timeline) -> Table:
    found = sorted(
        ((event, row) for row in timeline.rows for event in row.events), key=lambda each: each[0].since
    )
    rows = tuple(
        (
            f"{row.name}: {event.text}" if event.text != row.name else row.name,
            *_times(event.since, event.until, timeline),
        )
        for event, row in found[:MAX_EVENT_ROWS]
    )
    more = len(found) - MAX_EVENT_ROWS
    return Table(("what", "from", "to"), rows, f"{more:,} more are not shown." if more > 0 else "")


def _times(since: float, until: float, timeline: Timeline) -> tuple[str, str]:
    return timeline.elapsed(since), timeline.elapsed(until)


def _facts(record: RunRecord) -> Iterator[tuple[str, str]]:
    """Configuration, versions, the exporter's host."""
    document = record.document
    yield "run", document.run.run
    for name, value in document.inputs.items():
        if value is not None and value != [] and name != "command":
            yield name, ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    whole = document.evidence.latency_seconds_2xx_whole_load
    if whole:
        yield "percentiles with the warm-up", ", ".join(_percentile(*each) for each in whole.items())
    for name, value in document.versions.items():
        yield f"version of {name}", value
    watching = document.evidence.watching
    if watching is not None:
        yield "watched by", watching.said.english
    for info in record.series.each("node_uname_info"):
        names = ("nodename", "sysname", "release", "machine")
        yield "host", " ".join(info.label(name) or "" for name in names)
    for total in record.series.each("node_memory_MemTotal_bytes"):
        yield "memory of the host", f"{total.values[-1] / 2**30:,.1f} GiB"
    for each in record.series.each(CPU, mode="all"):
        yield "CPUs of the host", each.label("cpus") or UNKNOWN
    yield "scrapes", f"{document.evidence.scrapes:,} succeeded, {document.evidence.failed_scrapes:,} failed"


def _percentile(quantile: str, seconds: float | None) -> str:
    shown_ms = UNKNOWN if seconds is None else f"{seconds * 1000:.3f} ms"
    return f"{one_line(quantile)}: {shown_ms}"


def _when(time: float) -> str:
    return f"{datetime.fromtimestamp(time).astimezone():%Y-%m-%d %H:%M:%S %Z}"
