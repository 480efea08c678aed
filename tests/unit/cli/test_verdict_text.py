"""exporter.cli.verdict_text: what a run that has ended shows."""

import io
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from exporter.cli.run_view import UNKNOWN
from exporter.cli.terminal import STYLES
from exporter.cli.verdict_text import print_verdict
from exporter.verdict.finding import Finding, Outcome, verbatim
from exporter.verdict.judgement import Judgement, judge
from tests.support.run_results import (
    alert_spans,
    evidence,
    failures_by_reason,
    quantiles,
    run_result,
    streamed,
)

NOT_JUDGED = (
    "leaks, written_files not judged: 60 s of load; "
    "streams, buffering, idle not judged: only --engine stream looks into streams; "
    "latency, throughput not judged: no counts by the second are known; "
    "nodes not judged: no node is watched; generator not judged: not known"
)


def console() -> tuple[Console, io.StringIO]:
    written = io.StringIO()
    return Console(file=written, width=200, force_terminal=False, highlight=False), written


def test_the_verdict_is_the_last_line_behind_findings_figures_and_files() -> None:
    out, written = console()
    result = run_result(evidence(failures=failures_by_reason(read=2)))
    print_verdict(out, result, {"csv": Path("results/x.csv"), "record": Path("results/x.md")})
    lines = [line.rstrip() for line in written.getvalue().splitlines()]
    [failed] = [line.split(maxsplit=2) for line in lines if line.startswith("fail ")]
    assert failed[1] == "disconnects:"
    assert "(read: 2)" in failed[2]
    assert "16.7 successes/s, p50/p95/p99 20.1 / 40.6 / 61.2 ms" in lines
    assert lines[-4:] == ["results/x.csv", "results/x.md", "", f"verdict: fail: disconnects; {NOT_JUDGED}"]


def test_checks_that_are_not_judged_for_the_same_reason_share_one_line() -> None:
    out, written = console()
    print_verdict(out, run_result(), {})
    lines = [line for line in written.getvalue().splitlines() if line.startswith("not judged: ")]
    assert lines[0] == "not judged: streams, buffering, idle: only --engine stream looks into streams"
    assert lines[1] == "not judged: latency, throughput: no counts by the second are known"
    assert lines[2] == "not judged: nodes: no node is watched"
    assert lines[3].startswith("not judged: memory, file_descriptors, threads, connections, gpu_memory: ")
    assert lines[4].startswith("not judged: written_files: growth of files is told from 2 minutes of load on")
    assert lines[5] == "not judged: generator: not known"
    assert lines[6] == "not judged: alerts: no Prometheus was asked"
    assert len(lines) == 7


def test_of_streams_their_figures_are_a_line_of_their_own() -> None:
    out, written = console()
    print_verdict(out, run_result(evidence(**streamed(), goodput="ttft < 500 ms")), {})
    line = (
        "first token p50/p99 200 / 400 ms, 21 ms a token (p50), 666.7 tokens/s, goodput 95 % (ttft < 500 ms)"
    )
    assert line in written.getvalue().splitlines()
    out, written = console()
    print_verdict(
        out, run_result(evidence(**streamed({"complete": 0, "empty": 1}, first_token=quantiles(None)))), {}
    )
    assert f"first token p50/p99 {UNKNOWN} / {UNKNOWN} ms, 21 ms a token" in written.getvalue()
    assert "goodput" not in written.getvalue()


def test_every_outcome_has_a_style_of_its_own() -> None:
    assert set(STYLES) == set(Outcome)
    assert len(set(STYLES.values())) == len(STYLES)


def test_a_warning_is_shown_as_such_and_the_run_passes() -> None:
    out, written = console()
    judgement = judge(evidence(failures=failures_by_reason(read=2)), {}, {"disconnects"})
    print_verdict(out, replace(run_result(), judgement=judgement), {})
    lines = written.getvalue().splitlines()
    assert [line.split()[1] for line in lines if line.startswith("warning ")] == ["disconnects:"]
    assert lines[-1] == f"verdict: pass; warning: disconnects; {NOT_JUDGED}"


def test_markup_in_a_finding_is_not_obeyed() -> None:
    out, written = console()
    finding = Finding("errors of [red]x[/red]", Outcome.FAIL, verbatim("route [/bold] failed"))
    result = replace(run_result(), judgement=Judgement(Outcome.FAIL, (finding,)))
    print_verdict(out, result, {})
    assert "fail  errors of [red]x[/red]: route [/bold] failed" in written.getvalue()


def test_a_verdict_without_figures_shows_them_as_unknown() -> None:
    out, written = console()
    unknown: dict[str, float | None] = dict.fromkeys(("0.5", "0.95", "0.99"))
    print_verdict(out, run_result(evidence(measured_seconds=0.0), quantiles=unknown), {})
    assert f"{UNKNOWN} successes/s, p50/p95/p99 {UNKNOWN} / {UNKNOWN} / {UNKNOWN} ms" in written.getvalue()


def test_alerts_that_fired_are_named() -> None:
    out, written = console()
    print_verdict(
        out, run_result(evidence(alerts=alert_spans("RouterDown", "NodeOffline", "RouterDown"))), {}
    )
    assert "alerts that fired: NodeOffline, RouterDown\n" in written.getvalue()


def test_the_verdict_says_which_model_is_the_label_and_where_that_is_from() -> None:
    out, written = console()
    result = run_result()
    print_verdict(out, result, {})
    assert written.getvalue().splitlines()[0] == (
        "model gpt-oss:20b (the default), route local, at http://127.0.0.1:8080: 4 connections, 1:00 of load"
    )


def test_a_pass_is_one_line_however_long_and_a_failure_is_said_in_full() -> None:
    written = io.StringIO()
    narrow = Console(file=written, width=60, force_terminal=True, color_system=None, highlight=False)
    long = "word " * 40 + "end"
    found = (Finding("answers", Outcome.PASS, verbatim(long)), Finding("nodes", Outcome.FAIL, verbatim(long)))
    print_verdict(narrow, replace(run_result(), judgement=Judgement(Outcome.FAIL, found)), {})
    text = written.getvalue()
    assert text.replace("\n", " ").count("word end") == 1
    assert text.splitlines()[1].startswith("pass  answers  word word")
    assert "…" in text
