"""exporter.run.killed_run: a run that was killed is judged and written by what it had noted."""

import json
import os
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from exporter.errors import ConfigurationError
from exporter.live.findings import Outcome, PublishedFinding, RunFindings
from exporter.live.message import Phase
from exporter.live.run import Run
from exporter.live.runs import LiveRuns
from exporter.live.status import RunStatus
from exporter.results.folder import PARTIAL
from exporter.results.run_result import WatchInputs
from exporter.run.killed_notes import (
    COURSE,
    PLAN,
    CourseFile,
    NotedCourse,
    NotedPlan,
    note_plan,
    noted_course,
)
from exporter.run.killed_run import is_killed, under_way, write_killed
from exporter.run.spool import NAME, SpooledStore
from exporter.verdict.evidence import GapKind, PhaseSpan, TimeGap
from exporter.verdict.finding import Span
from tests.support.clocks import FakeClock
from tests.support.live_messages import RUN, answered, register, run_info
from tests.support.run_results import (
    evidence,
    run_inputs,
    run_result,
    stream_counts,
    watch_info,
    watch_result,
    watched_router,
)
from tests.support.schemas import check_document

BEGAN = 1_764_000_000.0


def live_run(count: int, **errors: Any) -> Run:
    """A run under way with so many 2xx."""
    runs = LiveRuns(FakeClock())
    register(runs)
    runs.apply(answered({"2xx": [20_000] * count}, **errors))
    return runs.runs[RUN]


def course(count: int = 1000, **changes: Any) -> NotedCourse:
    """What is noted half a minute after the begin."""
    fields: dict[str, Any] = {
        "at": BEGAN + 30,
        "load_seconds": 30.0,
        "status": RunStatus.of(live_run(count), 1000.0),
        "scrapes": 7,
        "failed_scrapes": 0,
        "phases": (PhaseSpan(BEGAN, BEGAN + 6, Phase.WARMUP), PhaseSpan(BEGAN + 6, BEGAN + 30, Phase.LOAD)),
        "time_gaps": (TimeGap(GapKind.CLOCK_SET, BEGAN, BEGAN + 1, 9.0),),
        "success_gaps": (Span(BEGAN + 1.25, BEGAN + 2.5),),
    }
    return NotedCourse(**{**fields, **changes})


def plan() -> NotedPlan:
    result = run_result()
    return NotedPlan(
        info=run_info(),
        inputs=run_inputs(result),
        soak_command=result.soak_command,
        command=("wrk",),
        instance=result.instance,
        watching=evidence().watching,
        versions={"wrk": "4.1.0"},
        preflight=None,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a run that was killed after two notes."""
    found = tmp_path / "20251124-nightly"
    partial = found / PARTIAL
    partial.mkdir(parents=True)
    note_plan(partial, plan())
    file = CourseFile(partial)
    file.add(course(500))
    file.add(course(1000))
    with closing(SpooledStore([lambda: os.open(partial / NAME, os.O_RDWR | os.O_CREAT)])) as store:
        for series in watched_router(30):
            for time, value in zip(series.times, series.values, strict=True):
                store.add(series.name, dict(series.labels), time, value)
        store.flush()
    return found


def document(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    return found


def test_a_killed_run_is_written_with_all_that_was_noted_and_is_inconclusive(folder: Path) -> None:
    assert is_killed(folder)
    written = write_killed(folder)
    assert written.problem == ""
    assert not is_killed(folder)
    assert not (folder / PARTIAL).exists()
    found = document(folder)
    assert found["incomplete"] == "the run was killed; what is known of it ends here"
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "<b>Incomplete:</b> the run was killed; what is known of it ends here." in page
    assert found["verdict"]["outcome"] == "inconclusive"
    assert found["evidence"]["requests"]["2xx"] == 1000
    assert found["evidence"]["measured_seconds"] == 30
    assert [each["phase"] for each in found["evidence"]["phases"]] == ["warmup", "load"]
    outcomes = {each["check"]: each["outcome"] for each in found["verdict"]["findings"]}
    assert outcomes["completeness"] == outcomes["totals"] == "inconclusive"
    assert outcomes["answers"] == outcomes["router"] == "pass"
    assert found["soak_command"] == plan().soak_command
    assert Path(f"{folder}.csv").read_text("utf-8").splitlines()[1].endswith(",0,0,1000,30.00")
    assert Path(f"{folder}.md").exists()


def test_the_streams_of_a_killed_run_are_known_as_far_as_they_were_counted(folder: Path) -> None:
    noted = replace(plan(), info=run_info(engine="stream", goodput="ttft < 1 s"))
    note_plan(folder / PARTIAL, noted)
    counts = stream_counts({"truncated": 2})
    CourseFile(folder / PARTIAL).add(course(status=replace(course().status, streams=counts)))
    document = json.loads(write_killed(folder).files["run"].read_text(encoding="utf-8"))
    streams = document["evidence"]["streams"]
    assert (streams["ends"]["truncated"], streams["output_tokens"]) == (2, 40_000)
    assert (streams["goodput"], streams["goodput_ratio"]) == ("ttft < 1 s", 950 / 1002)
    found = {each["check"]: each for each in document["verdict"]["findings"]}
    assert found["streams"]["text"] == "2 of 1,002 streams were cut off (truncated: 2)"
    assert document["verdict"]["outcome"] == "fail"


def test_a_failure_that_was_found_stands_though_the_record_does_not_show_it(folder: Path) -> None:
    lost = PublishedFinding("memory", Outcome.FAIL, "router grew steadily", 30.0, 20.0, "bytes_per_hour")
    own = PublishedFinding("objective-p99", Outcome.FAIL, "p99 < 50ms: 61 ms")
    answers = PublishedFinding("answers", Outcome.WARNING, "5 % were not 2xx")
    findings = RunFindings(RUN, BEGAN + 30, True, Outcome.FAIL, (answers, lost, own))
    (folder / PARTIAL / COURSE).unlink()
    CourseFile(folder / PARTIAL).add(course(findings=findings))
    write_killed(folder)
    found = document(folder)
    assert found["verdict"]["outcome"] == "fail"
    by_check = {each["check"]: each for each in found["verdict"]["findings"]}
    assert (by_check["memory"]["outcome"], by_check["memory"]["text"]) == ("fail", "router grew steadily")
    assert by_check["memory"]["figure"] == 30
    assert by_check["objective-p99"]["outcome"] == "fail"
    assert by_check["answers"]["outcome"] == "pass"


def test_a_course_that_is_cut_off_anywhere_counts_to_its_last_whole_line(folder: Path) -> None:
    path = folder / PARTIAL / COURSE
    whole = path.read_bytes()
    first = whole.index(b"\n") + 1
    for size in (*range(0, len(whole), 7), first - 1, first, first + 1, len(whole) - 1, len(whole)):
        path.write_bytes(whole[:size])
        found = noted_course(folder / PARTIAL)
        counts = None if found is None else found.status.successes
        assert counts == (None if size < first else 500 if size < len(whole) else 1000)


@pytest.mark.parametrize(
    "line", [b"{}\n", b"[" * 100_000 + b"\n", b"\xff\n", b'{"at": 1}\n', b"x" * (1 << 20)]
)
def test_a_spoilt_line_ends_what_is_known(folder: Path, line: bytes) -> None:
    path = folder / PARTIAL / COURSE
    path.write_bytes(path.read_bytes() + line)
    found = noted_course(folder / PARTIAL)
    assert found is not None
    assert found.status.successes == 1000


def test_without_series_or_seconds_the_counts_stand(folder: Path) -> None:
    (folder / PARTIAL / NAME).unlink()
    write_killed(folder)
    found = document(folder)
    assert found["evidence"]["requests"]["2xx"] == 1000
    assert found["verdict"]["outcome"] == "inconclusive"


def test_a_run_that_had_counted_nothing_says_so_and_keeps_what_is_there(folder: Path) -> None:
    (folder / PARTIAL / COURSE).unlink()
    with pytest.raises(ConfigurationError, match="killed before anything was counted"):
        write_killed(folder)
    assert is_killed(folder)


@pytest.mark.parametrize("text", [b"", b"{", b"{}", b'{"info": 1}', b"\xff", b"[" * 100_000])
def test_a_plan_that_is_none_is_refused_in_one_line(folder: Path, text: bytes) -> None:
    (folder / PARTIAL / PLAN).write_bytes(text)
    with pytest.raises(ConfigurationError, match="not the plan of a run") as refused:
        write_killed(folder)
    assert "\n" not in str(refused.value)


def test_a_run_that_goes_on_is_left_alone(folder: Path) -> None:
    with under_way(folder / PARTIAL):
        code = (
            "import sys; from pathlib import Path; from exporter.errors import ConfigurationError\n"
            "from exporter.run.killed_run import write_killed\n"
            "try: write_killed(Path(sys.argv[1]))\n"
            "except ConfigurationError as error: print(error)\n"
        )
        other = subprocess.run(
            [sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=False
        )
        assert "this run goes on" in other.stdout, other.stderr
    assert is_killed(folder)
    write_killed(folder)
    assert not is_killed(folder)


def test_a_file_of_notes_that_cannot_grow_stays_as_it_was(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = CourseFile(folder / PARTIAL)
    (folder / PARTIAL / COURSE).unlink()
    file.add(course(1))
    size = (folder / PARTIAL / COURSE).stat().st_size

    def full(_descriptor: int) -> None:
        raise OSError(28, os.strerror(28))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fdatasync", full)
        with pytest.raises(OSError, match="No space left"):
            file.add(course(2))
    assert (folder / PARTIAL / COURSE).stat().st_size == size
    file.add(course(3))
    found = noted_course(folder / PARTIAL)
    assert found is not None
    assert found.status.successes == 3


def test_a_name_that_was_taken_meanwhile_is_not_replaced(folder: Path) -> None:
    Path(f"{folder}.csv").write_text("another's\n", encoding="utf-8")
    written = write_killed(folder)
    assert Path(f"{folder}.csv").read_text("utf-8") == "another's\n"
    assert written.files["csv"] != Path(f"{folder}.csv")


def test_what_is_noted_is_read_as_it_was(folder: Path) -> None:
    noted = replace(course(7), others={"f" * 16: "other"})
    (folder / PARTIAL / COURSE).unlink()
    CourseFile(folder / PARTIAL).add(noted)
    assert noted_course(folder / PARTIAL) == noted


def test_a_watch_that_was_killed_is_judged_by_what_the_router_showed(folder: Path) -> None:
    watched = watch_result()
    assert isinstance(watched.inputs, WatchInputs)
    note_plan(
        folder / PARTIAL,
        replace(plan(), info=watch_info(), inputs=watched.inputs, command=watched.inputs.load_command),
    )
    nothing = RunStatus.of(live_run(0), 1.0)
    CourseFile(folder / PARTIAL).add(course(status=nothing, load_seconds=30.0))
    files = write_killed(folder).files
    assert "csv" not in files
    assert "output" not in files, "what the command had printed is not known to be nothing"
    found = json.loads(files["run"].read_text(encoding="utf-8"))
    check_document(found)
    assert (found["evidence"]["load_known"], found["evidence"]["requests"]) == ("nothing", {})
    texts = {each["check"]: each["text"] for each in found["verdict"]["findings"]}
    assert texts["latency"] == "the load is not this project's"
    assert "the run was killed" in texts["completeness"]
    assert texts["disconnects"] == "the router's API counts no failures"
