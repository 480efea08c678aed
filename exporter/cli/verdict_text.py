"""A run that has ended, in the terminal: findings, figures, files, verdict."""

from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from exporter.cli.run_view import UNKNOWN, duration_text, milliseconds
from exporter.cli.terminal import STYLES
from exporter.results.run_result import RunResult
from exporter.verdict.finding import Finding, Outcome

IN_FULL = (Outcome.FAIL, Outcome.INCONCLUSIVE, Outcome.WARNING)


def print_verdict(console: Console, result: RunResult, files: dict[str, Path]) -> None:
    """What was run, what was found, the figures, the files; the verdict is the last line.

    What is not a pass is said in full; a pass has one line, as long as the terminal is wide.
    """
    _print_run(console, result)
    _print_findings(console, result.judgement.findings)
    rps = result.requests_per_second
    latency = " / ".join(milliseconds(result.quantiles[q]) for q in ("0.5", "0.95", "0.99"))
    console.print(f"\n{UNKNOWN if rps is None else f'{rps:,.1f}'} successes/s, p50/p95/p99 {latency} ms")
    if result.alerts:
        console.print(Text(f"alerts that fired: {', '.join(result.alerts)}", style="red"))
    for path in files.values():
        console.print(Text(str(path)), soft_wrap=True)
    verdict = result.judgement.outcome
    console.print(Text(f"\nverdict: {result.judgement.said.english}", style=STYLES[verdict]), soft_wrap=True)


def _print_run(console: Console, result: RunResult) -> None:
    inputs, evidence = result.inputs, result.evidence
    what = (
        f"model {inputs.model} ({inputs.model_source.text}), route {result.info.route.value}, "
        f"at {result.info.target}: {inputs.connections} connections, "
        f"{duration_text(evidence.measured_seconds)} of load"
    )
    console.print(Text(what, style="dim"), soft_wrap=True)


def _print_findings(console: Console, findings: tuple[Finding, ...]) -> None:
    width = max((len(each.check) for each in findings), default=0)
    passes = Table.grid(padding=(0, 2))
    passes.add_column(width=4)
    passes.add_column(width=width, no_wrap=True)
    passes.add_column(no_wrap=True, overflow="ellipsis")
    not_judged: dict[str, list[str]] = {}
    for finding in findings:
        if finding.outcome == Outcome.NOT_JUDGED:
            not_judged.setdefault(finding.text, []).append(finding.check)
        elif finding.outcome == Outcome.PASS:
            passes.add_row(Text("pass", style=STYLES[Outcome.PASS]), finding.check, Text(finding.text))
    if passes.row_count:
        console.print(passes)
    for finding in findings:
        if finding.outcome in IN_FULL:
            said = Text(finding.outcome.value, style=STYLES[finding.outcome])
            said.append(f"  {finding.check}: {finding.text}", style="default")
            console.print(said, soft_wrap=not console.is_terminal)
    for text, checks in not_judged.items():
        console.print(Text(f"not judged: {', '.join(checks)}: {text}", style=STYLES[Outcome.NOT_JUDGED]))
