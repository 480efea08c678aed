"""exporter.cli.terminal: what a run shows while it lasts and after."""

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from exporter.cli.terminal import STYLES, RateMeter, TerminalView, facts_of, print_verdict
from exporter.live.message import Phase, WorkerCounts
from exporter.live.runs import LiveRuns
from exporter.live.status import RunStatus
from exporter.run.view import Moment
from exporter.verdict.finding import Finding, Outcome, verbatim
from exporter.verdict.judgement import Judgement, judge
from tests.support.clocks import FakeClock
from tests.support.live_messages import RUN, answered, message, register
from tests.support.run_results import evidence, failures_by_reason, run_result

UNKNOWN = "–"


def status_after(*messages: WorkerCounts, seconds: float = 0.0) -> RunStatus:
    clock = FakeClock()
    runs = LiveRuns(clock)
    register(runs)
    for each in messages:
        runs.apply(each)
    clock.advance(seconds)
    return RunStatus.of(runs.runs[RUN], clock.monotonic())


def moment(
    status: RunStatus | None,
    memory: float | None = None,
    phase: Phase = Phase.LOAD,
    elapsed: float = 65.4,
    planned: float = 3725.0,
) -> Moment:
    return Moment(phase, elapsed, planned, status, memory)


NOT_JUDGED = (
    "leaks not judged: 60 s of load; latency, throughput not judged: no counts by the second are known; "
    "nodes not judged: no node is watched"
)


def console() -> tuple[Console, io.StringIO]:
    written = io.StringIO()
    return Console(file=written, width=200, force_terminal=False, highlight=False), written


def test_before_the_first_answer_latency_rate_and_memory_are_unknown_and_not_zero() -> None:
    assert facts_of(moment(status_after()), None) == [
        ("success", UNKNOWN),
        ("p50/p95/p99", f"{UNKNOWN} / {UNKNOWN} / {UNKNOWN} ms"),
        ("failures", "none"),
        ("router RSS", UNKNOWN),
    ]


def test_an_exporter_without_an_answer_is_all_that_is_shown() -> None:
    [(name, text)] = facts_of(moment(None, 7.0), 5.0)
    assert (name, text.split(";")[0]) == ("exporter", "gives no answer")


def test_what_is_known_is_shown_with_its_unit() -> None:
    status = status_after(
        answered(
            {"2xx": [200] * 98 + [5_000_000] * 2, "4xx": [5]},
            {404: 1},
            failures={"read": 1500, "disconnect": 2},
        ),
        message(worker=1, in_flight=1),
        message(worker=2),
        seconds=31,
    )
    assert facts_of(moment(status, 1536 * 2**20), 12345.6) == [
        ("success", "12,346 req/s"),
        ("p50/p95/p99", "0.2 / 0.2 / 4,997 ms"),
        ("failures", "read 1,500, disconnect 2"),
        ("not 2xx", "404: 1"),
        ("stalled", "1 of 3 connections"),
        ("router RSS", "1,536.0 MiB"),
    ]


def test_a_rate_needs_two_counts() -> None:
    meter = RateMeter()
    assert meter.rate(10.0, 0) is None
    assert meter.rate(11.0, 50) == 50
    assert meter.rate(13.0, 350) == pytest.approx(350 / 3)


def test_a_rate_is_that_of_the_trailing_seconds() -> None:
    meter = RateMeter()
    rates = [meter.rate(float(second), min(second, 3) * 100) for second in range(10)]
    assert rates[3] == 100
    assert rates[9] == 0


def test_a_rate_survives_a_clock_that_stands_still() -> None:
    meter = RateMeter()
    assert meter.rate(1.0, 1) is None
    assert meter.rate(1.0, 5) is None


def test_where_there_is_no_terminal_the_state_is_a_line() -> None:
    out, written = console()
    with TerminalView(out, "a title") as view:
        view.warn("a word")
        view.update(moment(status_after()))
    assert written.getvalue() == (
        f"a word\nload 1:05/1:02:05  success {UNKNOWN}  "
        f"p50/p95/p99 {UNKNOWN} / {UNKNOWN} / {UNKNOWN} ms  failures none  router RSS {UNKNOWN}\n"
    )


def test_on_a_terminal_the_state_is_drawn_and_markup_in_names_is_not_obeyed() -> None:
    written = io.StringIO()
    out = Console(file=written, width=100, force_terminal=True, color_system=None, legacy_windows=False)
    with TerminalView(out, "[bold]model[/] at http://x") as view:
        view.update(moment(None, None, Phase.DRAIN, 5.0, 10.0))
    assert "[bold]model[/] at http://x" in written.getvalue()
    assert "0:05 / 0:10" in written.getvalue()
    assert "gives no answer" in written.getvalue()


def test_the_verdict_is_the_last_line_behind_findings_figures_and_files() -> None:
    out, written = console()
    result = run_result(evidence(failures=failures_by_reason(read=2)))
    print_verdict(out, result, {"csv": Path("results/x.csv"), "record": Path("results/x.md")})
    lines = [line.rstrip() for line in written.getvalue().splitlines()]
    [failed] = [line.split(maxsplit=2) for line in lines if line.startswith("fail ")]
    assert failed[1] == "disconnects"
    assert "(read: 2)" in failed[2]
    assert "16.7 successes/s, p50/p95/p99 20.1 / 40.6 / 61.2 ms" in lines
    assert lines[-4:] == ["results/x.csv", "results/x.md", "", f"verdict: fail: disconnects; {NOT_JUDGED}"]


def test_checks_that_are_not_judged_for_the_same_reason_share_one_line() -> None:
    out, written = console()
    print_verdict(out, run_result(), {})
    lines = [line for line in written.getvalue().splitlines() if line.startswith("not judged: ")]
    assert lines[0] == "not judged: latency, throughput: no counts by the second are known"
    assert lines[1] == "not judged: nodes: no node is watched"
    assert lines[2].startswith("not judged: memory, file_descriptors, threads, connections, gpu_memory: ")
    assert len(lines) == 3


def test_every_outcome_has_a_style_of_its_own() -> None:
    assert set(STYLES) == set(Outcome)
    assert len(set(STYLES.values())) == len(STYLES)


def test_a_warning_is_shown_as_such_and_the_run_passes() -> None:
    out, written = console()
    judgement = judge(evidence(failures=failures_by_reason(read=2)), {}, {"disconnects"})
    print_verdict(out, replace(run_result(), judgement=judgement), {})
    lines = written.getvalue().splitlines()
    assert [line.split()[1] for line in lines if line.startswith("warning ")] == ["disconnects"]
    assert lines[-1] == f"verdict: pass; {NOT_JUDGED}"


def test_markup_in_a_finding_is_not_obeyed() -> None:
    out, written = console()
    finding = Finding("errors of [red]x[/red]", Outcome.FAIL, verbatim("route [/bold] failed"))
    result = replace(run_result(), judgement=Judgement(Outcome.FAIL, (finding,)))
    print_verdict(out, result, {})
    assert "fail  errors of [red]x[/red]  route [/bold] failed" in written.getvalue()


def test_a_verdict_without_figures_shows_them_as_unknown() -> None:
    out, written = console()
    unknown: dict[str, float | None] = dict.fromkeys(("0.5", "0.95", "0.99"))
    print_verdict(out, run_result(evidence(measured_seconds=0.0), quantiles=unknown), {})
    assert f"{UNKNOWN} successes/s, p50/p95/p99 {UNKNOWN} / {UNKNOWN} / {UNKNOWN} ms" in written.getvalue()


def test_alerts_that_fired_are_named() -> None:
    out, written = console()
    print_verdict(out, run_result(alerts=["NodeOffline", "RouterDown"]), {})
    assert "alerts that fired: NodeOffline, RouterDown\n" in written.getvalue()


def test_what_the_script_printed_at_its_end_is_quoted_and_a_page_of_it_is_enough() -> None:
    out, written = console()
    with TerminalView(out, "a title") as view:
        view.quote("")
        view.quote("\n".join(f"line {i} [bold]" for i in range(52)) + "\n" + "x" * 900 + "\n")
    lines = written.getvalue().splitlines()
    assert lines[:2] == ["the script's done() printed:", "  line 0 [bold]"]
    assert lines[-2:] == ["  line 49 [bold]", "  the rest is in engine-output.txt"]
    view.quote("x" * 900)
    assert written.getvalue().splitlines()[-1] == "  " + "x" * 500


def test_the_verdict_says_which_model_is_the_label_and_where_that_is_from() -> None:
    out, written = console()
    result = run_result()
    print_verdict(out, result, {})
    assert "model gpt-oss:20b (the default), route local" in written.getvalue().splitlines()
