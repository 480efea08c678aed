"""exporter.cli.run_view: what a run shows while it goes on."""

import io
import re
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from exporter.cli.run_course import Course, RateMeter, Sparkline
from exporter.cli.run_view import UNKNOWN, TerminalView, facts_of, verdict_so_far
from exporter.live.message import Phase, WorkerCounts
from exporter.live.runs import LiveRuns
from exporter.live.status import RunStatus
from exporter.run.view import Moment, Surroundings
from exporter.verdict.finding import Finding, Outcome, verbatim
from exporter.verdict.judgement import Judgement
from tests.support.clocks import FakeClock
from tests.support.live_messages import RUN, answered, message, register
from tests.support.run_results import quantiles, stream_counts


def status_after(*messages: WorkerCounts, seconds: float = 0.0) -> RunStatus:
    clock = FakeClock()
    runs = LiveRuns(clock)
    register(runs)
    for each in messages:
        runs.apply(each)
    clock.advance(seconds)
    return replace(RunStatus.of(runs.runs[RUN], clock.monotonic()), longest_request=None)


def moment(status: RunStatus | None, memory: float | None = None, **changes: Any) -> Moment:
    fields = {"phase": Phase.LOAD, "elapsed_seconds": 65.4, "planned_seconds": 3725.0, **changes}
    return Moment(status=status, router_memory_bytes=memory, **fields)


def shown(seen: Moment, *before: Moment) -> dict[str, str]:
    """The facts of a moment by name, after others a second apart."""
    course = Course()
    for second, each in enumerate((*before, seen)):
        course.see(float(second), each)
    return {name: text for name, text, _ in facts_of(seen, course)}


def console(**changes: Any) -> tuple[Console, io.StringIO]:
    written = io.StringIO()
    settings = {"width": 200, "force_terminal": False, "highlight": False, **changes}
    return Console(file=written, **settings), written


def findings(*outcomes: tuple[str, Outcome]) -> Judgement:
    """A judgement so far."""
    found = tuple(Finding(check, outcome, verbatim(f"what of {check}")) for check, outcome in outcomes)
    return Judgement(Outcome.PASS, found)


def test_before_the_first_answer_nothing_is_known_and_nothing_is_zero() -> None:
    assert shown(moment(status_after())) == {
        "success": f"{UNKNOWN}  0 in all",
        "failed": "none",
        "p50/p95/p99/max": f"{UNKNOWN} / {UNKNOWN} / {UNKNOWN} / {UNKNOWN} ms",
        "router memory": UNKNOWN,
    }


def test_an_exporter_without_an_answer_is_said_beside_what_was_scraped() -> None:
    facts = shown(moment(None, 7.0))
    assert facts["exporter"].startswith("gives no answer")
    assert facts["router memory"] == "7 B"
    assert "success" not in facts


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
    around = Surroundings(
        router_memory_at_start_bytes=2**30,
        router_memory_bytes_per_hour=30 * 2**20,
        router_cpu_cores=0.5,
        host_cpu_ratio=0.25,
        nodes_online=1,
        nodes_known=2,
        router_down_seconds=12.4,
        alerts=("NodeOffline",),
    )
    facts = shown(moment(status, 1536 * 2**20, around=around), moment(status_after()))
    assert facts == {
        "success": "100/s  100 in all",
        "failed": "1,503/s  1,503 in all (read 1,500, disconnect 2, 404 1)  the last just now",
        "p50/p95/p99/max": f"0.2 / 0.2 / 4,997 / {UNKNOWN} ms",
        "stalled": "1 of 3 connections",
        "router memory": "1.5 GiB, +512 MiB since the start, 30 MiB/h",
        "CPU": "router 0.50 cores, host 25%",
        "nodes": "1 of 2 online",
        "router": "down since 0:12",
        "alerts": "NodeOffline",
    }


def test_streams_show_their_first_token_tokens_and_goodput() -> None:
    def streaming(tokens: int, goodput: str | None = "ttft < 1 s", **changes: Any) -> Moment:
        counts = stream_counts(output_tokens=tokens, **changes)
        return moment(replace(status_after(), streams=counts), goodput=goodput)

    facts = shown(streaming(1500), streaming(1000))
    assert facts["first token"] == "200 / 400 ms (p50/p99)  500/s tokens  goodput 95 %"
    assert shown(streaming(0, None))["first token"] == "200 / 400 ms (p50/p99)"
    none = shown(streaming(0, ends={"complete": 0}, first_token=quantiles(None)))
    assert none["first token"] == f"{UNKNOWN} / {UNKNOWN} ms (p50/p99)  goodput {UNKNOWN}"


def test_without_load_no_rate_of_it_is_shown() -> None:
    status = status_after(answered({"2xx": [200] * 98}))
    facts = shown(moment(status, phase=Phase.DRAIN), moment(status_after()))
    assert facts["success"] == "no load  98 in all"
    assert "p50/p95/p99/max" not in facts


def test_when_the_last_failure_was_is_shown() -> None:
    failed = status_after(answered({"2xx": [200]}, failures={"read": 1}))
    facts = shown(moment(failed), *[moment(failed)] * 70)
    assert facts["failed"] == "0/s  1 in all (read 1)  the last 1:10 ago"


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


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ([], ""),
        ([5.0], ""),
        ([100.0, 101.0, 102.0], "▁▁▂"),
        ([0.0, 50.0, 100.0], "▁▅█"),
        ([0.0, None, 100.0], "▁ █"),
        ([0.0, 0.0], "▁▁"),
    ],
)
def test_a_sparkline_shows_the_course_and_no_mountain_of_noise(values: list[float | None], line: str) -> None:
    spark = Sparkline()
    for place, value in enumerate(values):
        spark.add(2.0 * place, value)
    assert str(spark) == line


def test_a_sparkline_keeps_the_last_minute() -> None:
    spark = Sparkline()
    for second in range(300):
        spark.add(float(second), float(second))
    assert len(str(spark)) == 30


@pytest.mark.parametrize(
    ("outcomes", "text", "style"),
    [
        ((), "not judged yet", None),
        ((("memory", Outcome.NOT_JUDGED),), "not judged yet", None),
        ((("answers", Outcome.PASS), ("memory", Outcome.NOT_JUDGED)), "pass so far", Outcome.PASS),
        (
            (("answers", Outcome.PASS), ("alerts", Outcome.WARNING)),
            "pass so far, with a warning: alerts: what of alerts",
            Outcome.WARNING,
        ),
        (
            (("totals", Outcome.INCONCLUSIVE), ("stalls", Outcome.FAIL), ("nodes", Outcome.FAIL)),
            "failing: stalls: what of stalls (and nodes)",
            Outcome.FAIL,
        ),
    ],
)
def test_the_verdict_so_far_names_its_first_reason(
    outcomes: tuple[tuple[str, Outcome], ...], text: str, style: Outcome | None
) -> None:
    assert verdict_so_far(findings(*outcomes)) == (text, style)


def test_where_there_is_no_terminal_the_state_is_a_line_with_the_time_of_day() -> None:
    out, written = console()
    with TerminalView(out, "a title", FakeClock()) as view:
        view.warn("a word")
        view.update(moment(status_after()))
    word, line = written.getvalue().splitlines()
    assert word == "a word"
    assert line[2::3][:2] == "::"
    assert line[8:] == (
        f"  load 1:05/1:02:05  not judged yet  success {UNKNOWN}  0 in all  failed none  "
        f"p50/p95/p99/max {UNKNOWN} / {UNKNOWN} / {UNKNOWN} / {UNKNOWN} ms  router memory {UNKNOWN}"
    )


def test_a_change_of_the_verdict_is_a_line_at_once_where_nothing_is_drawn() -> None:
    out, written = console()
    with TerminalView(out, "a title", FakeClock()) as view:
        for outcome in (Outcome.PASS, Outcome.PASS, Outcome.FAIL, Outcome.FAIL):
            view.judged(replace(findings(("stalls", outcome)), outcome=outcome))
    assert [line[10:] for line in written.getvalue().splitlines()] == ["failing: stalls: what of stalls"]


@pytest.mark.parametrize("variable", [("TERM", "dumb"), ("NO_COLOR", "1")])
def test_a_terminal_that_is_not_to_be_drawn_on_gets_lines(
    monkeypatch: pytest.MonkeyPatch, variable: tuple[str, str]
) -> None:
    monkeypatch.setenv(*variable)
    out, written = console(force_terminal=True, color_system=None, legacy_windows=False)
    with TerminalView(out, "a title", FakeClock()) as view:
        view.update(moment(status_after()))
    assert "\x1b" not in written.getvalue()
    assert "load 1:05/1:02:05" in written.getvalue()


def test_on_a_terminal_the_state_is_drawn_and_markup_in_names_is_not_obeyed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    out, written = console(width=100, force_terminal=True, color_system=None, legacy_windows=False)
    with TerminalView(out, "[bold]model[/] at http://x") as view:
        view.judged(findings(("[red]x", Outcome.FAIL)))
        view.update(moment(None, None, phase=Phase.DRAIN, elapsed_seconds=5.0, planned_seconds=10.0))
    assert "[bold]model[/] at http://x" in written.getvalue()
    assert "failing: [red]x: what of [red]x" in written.getvalue()
    assert "0:05 of 0:10, 0:05 left" in written.getvalue()
    assert "gives no answer" in written.getvalue()


def test_a_step_says_which_it_is_and_what_came_of_it() -> None:
    out, written = console()
    with TerminalView(out, "20 connections", FakeClock(), step=(2, 4)) as view:
        view.update(moment(status_after(answered({"2xx": [200] * 98}, failures={"read": 1}))))
    lines = written.getvalue().splitlines()
    assert lines[0] == "step 2 of 4: 20 connections"
    assert lines[-1] == "step 2 of 4 ended: 98 succeeded, 1 failed, 20 connections"


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


def watched(**changes: Any) -> Moment:
    """A moment of a watch, 65 s after its begin, with these surroundings."""
    around = Surroundings(**changes)
    return moment(status_after(), 2.0**25, planned_seconds=0.0, sends=False, around=around)


def test_a_watch_shows_what_the_router_counts_and_nothing_of_a_load() -> None:
    found = shown(watched(requests=1234.0, failures=2.0, requests_per_second=25.4))
    assert found["requests"] == "25/s  1,234 in all (router)"
    assert found["failed"] == "2"
    assert not {"success", "p50/p95/p99/max"} & found.keys()
    assert shown(watched())["requests"] == f"{UNKNOWN} (the router counts none)"


def test_what_has_no_planned_end_has_no_bar_and_is_called_a_watch() -> None:
    for terminal in (False, True):
        output, written = console(force_terminal=terminal)
        with TerminalView(output, "t", FakeClock()) as view:
            view.update(watched())
        text = re.sub(r"\x1b\[[^a-zA-Z]*[a-zA-Z]", "", written.getvalue())
        assert "watch 1:05" in text
        assert "left" not in text


def test_what_a_load_command_prints_is_text_above_the_picture_and_much_of_it_is_counted() -> None:
    output, written = console()
    with TerminalView(output, "t", FakeClock()) as view:
        view.printed(["[red]one[/red]", "two"])
        view.printed([f"line {number}" for number in range(100)])
    lines = written.getvalue().splitlines()
    assert lines[:2] == ["  │ [red]one[/red]", "  │ two"]
    assert lines[2] == "  │ … 80 lines more: command-output.txt has them"
    assert lines[3:] == [f"  │ line {number}" for number in range(80, 100)]
