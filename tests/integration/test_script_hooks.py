"""A user's wrk script under live.lua: what it sends and what is called of it is as under wrk alone."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from wrk_histogram import expected_us, read_histogram, uncorrected

from exporter.live.message import FIRST_SUM
from tests.support.waiting import need
from tests.support.wrk_process import EVENTS, SCRIPTS, Ran, live_counts, run_wrk
from tests.support.wrk_scripts import wrk_scripts

PANIC = "PANIC: unprotected error in call to Lua API"


@pytest.fixture(autouse=True)
def _wrk() -> None:
    need("wrk")


def both(script: str, folder: Path) -> tuple[Ran, Ran]:
    """The script under wrk alone and under live.lua, side by side."""
    with ThreadPoolExecutor(2) as pool:
        alone = pool.submit(run_wrk, script, folder / "alone", live=False)
        live = pool.submit(run_wrk, script, folder / "live", live=True)
        return alone.result(), live.result()


def check_alike(alone: Ran, live: Ran) -> None:
    """The same end, hooks, arguments and requests; and live.lua's counts are wrk's own."""
    assert live.code == alone.code, live.errors
    assert live.errors.count("PANIC") == alone.errors.count("PANIC")
    assert live.traces.keys() == alone.traces.keys()
    for state, calls in alone.traces.items():
        length = None if alone.stopped and live.stopped else min(len(calls), len(live.traces[state]))
        assert live.traces[state][:length] == calls[:length], state
    length = min(len(alone.asked), len(live.asked))
    assert live.asked[:length] == alone.asked[:length]
    if alone.stopped and live.stopped:
        assert abs(len(live.asked) - len(alone.asked)) <= 1
    if live.code == 0:
        assert live_counts(live) == (live.requests, {})


@settings(max_examples=50, deadline=None, derandomize=True)
@given(wrk_scripts())
def test_any_script_sends_the_same_and_is_called_alike(script: str) -> None:
    with TemporaryDirectory() as folder:
        check_alike(*both(script, Path(folder)))


def case(name: str) -> str:
    return (SCRIPTS / "cases" / f"{name}.lua").read_text("utf-8")


@pytest.mark.parametrize("name", sorted(path.stem for path in (SCRIPTS / "cases").iterdir()))
def test_a_script_of_its_own_ways_is_measured_as_it_runs(name: str, tmp_path: Path) -> None:
    alone, live = both(case(name), tmp_path)
    check_alike(alone, live)
    assert live.code == 0, live.errors
    assert live.stopped
    assert live.errors == alone.errors
    assert live.requests > 5


@pytest.mark.parametrize(
    "name", ["it_logs_in_and_then_asks", "request_is_made_in_init", "response_is_set_in_init"]
)
def test_requests_of_a_script_take_as_long_as_wrk_says(name: str, tmp_path: Path) -> None:
    live = run_wrk(case(name), tmp_path / "run", live=True)
    every_us = expected_us(live.summary["duration_us"], live.requests, 1)
    wrks_own = uncorrected(read_histogram(tmp_path / "run"), every_us)
    live_us = sum(sum(values[FIRST_SUM:]) for each in live.messages for _, values in each.blocks)
    assert sum(count for _, count in wrks_own) == live.requests
    assert live_us == pytest.approx(sum(us * count for us, count in wrks_own), rel=0.3, abs=20_000)


@pytest.mark.parametrize(
    ("script", "name"),
    [
        ("function response() response = nil end", "response"),
        ("function delay() delay = nil return 1 end", "delay"),
        ("function wrk.init() end", "request"),
    ],
)
def test_a_hook_that_the_script_takes_away_ends_wrk_with_its_name(
    script: str, name: str, tmp_path: Path
) -> None:
    alone, live = both(script, tmp_path)
    assert live.code == alone.code == 1
    assert alone.errors.count(PANIC) == 1
    assert live.errors.count(f"{PANIC} (the script has left no {name}(), and wrk calls it)") == 1


@pytest.mark.parametrize("live", [False, True])
def test_several_connections_a_thread_share_what_the_script_does(live: bool, tmp_path: Path) -> None:
    script = """
        local n = 0
        function init()
          request = function() n = n + 1 T("asked", n) return wrk.format(nil, "/r" .. n) end
        end
        function response(status) T("answer", status) end
        """
    ran = run_wrk(script, tmp_path / "run", live=live, options=("-t2", "-c6"), stops=2)
    for state in ("2", "3"):
        calls = ran.traces[state]
        asked = [call for call in calls if call.startswith("asked")]
        assert asked == [f"asked {n + 1}" for n in range(len(asked))]
        assert len(asked) + calls.count("answer 200") >= EVENTS
    if live:
        assert live_counts(ran) == (ran.requests, {})


def test_a_thread_that_the_script_stops_has_no_connection_any_more(tmp_path: Path) -> None:
    script = """
        local answers = 0
        function setup(thread) index = (index or 0) + 1; thread:set("index", index) end
        function response()
          answers = answers + 1
          if index == 1 and answers == 3 then STOP(wrk.thread) end
          if index == 2 and answers % 10 == 0 then T(answers) end
        end
        """
    live = run_wrk(script, tmp_path / "run", live=True, options=("-t3", "-c3"), stops=2)
    first, second, third = live.messages
    assert (first.connections, first.in_flight, first.waiting_ms) == (0, 0, 0)
    assert (second.connections, third.connections) == (0, 1)
    early, late = live.summary["stopped_after_us"]
    assert 0 <= early < late <= live.summary["duration_us"]
    assert live_counts(live) == (live.requests, {})
