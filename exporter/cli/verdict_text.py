"""A run that has ended, in the terminal: findings, figures, files, verdict."""

from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.text import Text

from exporter.cli.ci_options import CiReports
from exporter.cli.run_view import UNKNOWN, duration_text, milliseconds
from exporter.cli.terminal import STYLES, print_json
from exporter.live.stream_counts import StreamCounts
from exporter.results.outcome_report import suite_of_run
from exporter.results.run_document import document_of, load_text
from exporter.results.run_json import run_json
from exporter.results.run_result import JudgeInputs, RunInputs, RunResult
from exporter.results.watch_figures import watch_figures
from exporter.verdict.evidence import Evidence
from exporter.verdict.finding import Finding, Outcome
from exporter.verdict.stream_figures import good_ratio, tokens_per_second
from exporter.verdict.unit import shown

IN_FULL = (Outcome.FAIL, Outcome.INCONCLUSIVE, Outcome.WARNING)


def show_result(
    result: RunResult,
    files: dict[str, Path],
    command: str,
    console: Console,
    ci: CiReports,
    as_json: bool,
) -> int:
    """A result in the terminal or as JSON, and for the CI system; its exit code."""
    if as_json:
        print_json(run_json(result))
    else:
        print_verdict(console, result, files)
    ci.write(command, [suite_of_run(document_of(result))])
    return result.judgement.exit_code


def print_verdict(console: Console, result: RunResult, files: dict[str, Path]) -> None:
    """What was run, what was found, the figures, the files; the verdict is the last line.

    What is not a pass is said in full; a pass has one line, no longer than a terminal is wide.
    """
    _print_run(console, result)
    _print_findings(console, result.judgement.findings)
    if result.has_load:
        rps = result.requests_per_second
        latency = " / ".join(milliseconds(result.quantiles[q]) for q in ("0.5", "0.95", "0.99"))
        console.print(f"\n{UNKNOWN if rps is None else f'{rps:,.1f}'} successes/s, p50/p95/p99 {latency} ms")
    else:
        figures = watch_figures(document_of(result))
        console.print(Text("\n" + ", ".join(f"{name} {figure}" for name, figure in figures)), soft_wrap=True)
    if result.evidence.streams is not None:
        line = ", ".join(_of_streams(result.evidence, result.evidence.streams))
        console.print(Text(line), soft_wrap=True)
    if result.alerts:
        console.print(Text(f"alerts that fired: {', '.join(result.alerts)}", style="red"))
    for path in files.values():
        console.print(Text(str(path)), soft_wrap=True)
    verdict = result.judgement.outcome
    console.print(Text(f"\nverdict: {result.judgement.said.english}", style=STYLES[verdict]), soft_wrap=True)


def _print_run(console: Console, result: RunResult) -> None:
    inputs, evidence, info = result.inputs, result.evidence, result.info
    lasted = duration_text(evidence.measured_seconds)
    what = f"{info.target}, watched for {lasted}"
    if isinstance(inputs, JudgeInputs) and result.has_load:
        models = ", ".join(f"{pair.model} ({pair.route.value})" for pair in info.pairs[:3]) or UNKNOWN
        what = f"{models} at {info.target}: {load_text(None, evidence.connections)}, {lasted} of load"
    elif isinstance(inputs, RunInputs):
        route = UNKNOWN if info.route is None else info.route.value
        what = (
            f"model {inputs.model} ({inputs.model_source.text}), route {route}, "
            f"at {info.target}: {load_text(inputs.rate, inputs.connections)}, {lasted} of load"
        )
    console.print(Text(what, style="dim"), soft_wrap=True)


def _of_streams(evidence: Evidence, streams: StreamCounts) -> Iterator[str]:
    """The figures of streams in one line; goodput where something was asked."""
    first = " / ".join(milliseconds(streams.first_token[q]) for q in ("0.5", "0.99"))
    yield f"first token p50/p99 {first} ms"
    yield f"{milliseconds(streams.time_per_token['0.5'])} ms a token (p50)"
    rate = tokens_per_second(evidence)
    yield f"{UNKNOWN if rate is None else f'{rate:,.1f}'} tokens/s"
    if evidence.goodput is not None:
        ratio = good_ratio(evidence)
        yield f"goodput {UNKNOWN if ratio is None else shown(ratio, 'ratio')} ({evidence.goodput})"


def _print_findings(console: Console, findings: tuple[Finding, ...]) -> None:
    passed = [each for each in findings if each.outcome == Outcome.PASS]
    width = max((len(each.check) for each in passed), default=0)
    for finding in passed:
        line = _said(finding, f"  {finding.check:<{width}}  {finding.text}")
        if console.is_terminal:
            line.truncate(console.width, overflow="ellipsis")
        console.print(line, soft_wrap=True)
    for finding in findings:
        if finding.outcome in IN_FULL:
            line = _said(finding, f"  {finding.check}: {finding.text}")
            console.print(line, soft_wrap=not console.is_terminal)
    not_judged: dict[str, list[str]] = {}
    for finding in findings:
        if finding.outcome == Outcome.NOT_JUDGED:
            not_judged.setdefault(finding.text, []).append(finding.check)
    for text, checks in not_judged.items():
        console.print(Text(f"not judged: {', '.join(checks)}: {text}", style=STYLES[Outcome.NOT_JUDGED]))


def _said(finding: Finding, text: str) -> Text:
    return Text(finding.outcome.value, style=STYLES[finding.outcome]).append(text, style="default")
