"""exporter.load.wrk: what is made of what wrk prints and how it ends, with a program in wrk's place."""

from pathlib import Path

import pytest

from exporter.errors import EngineError
from exporter.live.message import FailureReason
from exporter.load.engine import LoadPlan, LoadResult
from exporter.load.model_label import ModelSource
from exporter.load.workload import make_workload
from exporter.load.wrk import LIVE_SCRIPT, RunningWrk, WrkEngine
from tests.support.live_messages import token_of
from tests.support.waiting import wait_for

SUMMARY = """cat >"$SOAK_SUMMARY_FILE" <<END
{"requests": 7, "duration_us": 2000000, "percentiles_us": {"50": 1500}, "stopped_after_us": [500000],
 "errors": {"connect": 1, "read": 2, "write": 3, "status": 4, "timeout": 5}}
END
"""
BLOCK = """echo '  Thread Stats   Avg      Stdev     Max   +/- Stdev
  7 requests in 2.00s, 1.23KB read
Requests/sec:      3.50
Transfer/sec:      0.61KB'
"""


def started(
    folder: Path, program: str, said: list[str], model_source: ModelSource = ModelSource.DEFAULT
) -> RunningWrk:
    """A load whose wrk is this shell script."""
    wrk = folder / "wrk"
    wrk.write_text(f"#!/bin/bash\n{program}")
    wrk.chmod(0o755)
    workload = make_workload("http://127.0.0.1:1", "/", "the-model", model_source=model_source)
    return WrkEngine(str(wrk)).start(
        LoadPlan(token_of(), workload, 1, 2, "127.0.0.1", 9, folder, say=said.append)
    )


def ended(folder: Path, program: str) -> tuple[LoadResult, list[str]]:
    """What such a load leaves, and what is said of it."""
    said: list[str] = []
    running = started(folder, program, said)
    wait_for("its end", lambda: running.poll() is not None)
    return running.result(), said


def problem(folder: Path, program: str) -> tuple[str, list[str]]:
    """Why such a load cannot measure, and what is said of it."""
    said: list[str] = []
    running = started(folder, program, said)
    with pytest.raises(EngineError) as error:
        wait_for("its end", lambda: running.poll() is not None)
    running.stop()
    running.result()
    return str(error.value), said


def test_what_wrk_counts_is_read_and_its_time_outs_are_no_failures(tmp_path: Path) -> None:
    totals = ended(tmp_path, SUMMARY)[0].totals
    assert totals is not None
    assert (totals.requests, totals.duration_seconds, totals.non_2xx) == (7, 2.0, 4)
    assert totals.socket_errors == {"connect": 1, "read": 2, "write": 3, "timeout": 5}
    assert totals.failures == {FailureReason.CONNECT: 1, FailureReason.READ: 2, FailureReason.WRITE: 3}
    assert totals.stopped_after_seconds == (0.5,)


def test_what_follows_wrks_own_block_is_of_done(tmp_path: Path) -> None:
    result, _ = ended(
        tmp_path, f"echo before\n{BLOCK}{SUMMARY}echo '  7 requests in mine'; echo -e '\\e[1mend'"
    )
    assert result.report == "  7 requests in mine\nend\n"
    assert bytes(result.output).startswith(b"before\n  Thread Stats ")


def test_without_wrks_block_nothing_is_of_done(tmp_path: Path) -> None:
    for number, program in enumerate((f"{SUMMARY}echo a body", f"{BLOCK}echo a body")):
        (folder := tmp_path / str(number)).mkdir()
        assert ended(folder, program)[0].report == ""


def test_of_a_done_that_prints_more_than_is_kept_the_first_of_its_end_is_shown(tmp_path: Path) -> None:
    result, _ = ended(tmp_path, f"{BLOCK}{SUMMARY}yes mine | head -c 9000000")
    assert set(result.report.split()) <= {"mine", "ine", "ne", "e", "m", "mi", "min"}
    assert len(result.report) == 100_000
    assert result.output.stdout.cut > 1_000_000


def test_lines_on_standard_error_are_said_up_to_a_bound_and_counted_beyond_it(tmp_path: Path) -> None:
    result, said = ended(tmp_path, "seq 1 1025 >&2; printf 'no newline' >&2")
    assert said == [*map(str, range(1, 21)), "1,006 more lines came on standard error"]
    assert bytes(result.output).endswith(b"1025\nno newline")
    assert result.totals is None


def test_only_wrks_own_complaint_that_it_cannot_load_the_script_ends_a_load(tmp_path: Path) -> None:
    text, said = problem(tmp_path, f"echo warming up >&2; echo '{LIVE_SCRIPT}: bad' >&2; sleep 600")
    assert text == f"wrk: {LIVE_SCRIPT}: bad"
    assert "warming up" in said
    _, harmless = ended(tmp_path, f"echo 'see {LIVE_SCRIPT}: fine' >&2; echo 'unable to connect' >&2")
    assert harmless == [f"see {LIVE_SCRIPT}: fine", "unable to connect"]


@pytest.mark.parametrize(
    ("program", "why", "said"),
    [
        ("echo one >&2; echo the reason >&2; exit 2", "wrk: the reason", ["one"]),
        ("exit 3", "wrk: ended with exit code 3 and no message", []),
        ("kill -9 $$", "wrk: was ended by SIGKILL", []),
    ],
)
def test_an_exit_code_is_explained_by_the_last_line_and_that_is_said_once(
    tmp_path: Path, program: str, why: str, said: list[str]
) -> None:
    assert problem(tmp_path, program) == (why, said)


def test_the_model_of_the_option_is_the_scripts_own_variable_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WRK_MODEL", raising=False)
    for source, printed in ((ModelSource.OPTION, b"the-model\n"), (ModelSource.DEFAULT, b"none\n")):
        running = started(tmp_path, "echo ${WRK_MODEL:-none}", [], source)
        assert bytes(running.result().output) == printed
