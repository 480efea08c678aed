"""exporter.exposition.live_page and live_state: what the live page is sent, and how many may look."""

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.resources import files
from typing import Any

import pytest
import requests

from exporter.exposition import live_page
from exporter.exposition.live_page import CSP, MAX_VIEWERS
from exporter.live.findings import Outcome, PublishedAround, PublishedFinding, RunFindings
from exporter.live.histogram import Histogram
from exporter.live.message import STREAM_ENGINE, Phase
from exporter.live.runs import MAX_RUNS, LiveRuns
from tests.support.clocks import FakeClock
from tests.support.live_messages import RUN, answered, register, streamed, token_of
from tests.support.run_results import watch_info
from tests.support.served_app import ServedApp
from tests.support.served_exporter import Served, announcement, serve_app, serve_exporter
from tests.support.waiting import wait_for

server = pytest.fixture(scope="module")(serve_app)
served = pytest.fixture(serve_exporter)

HOSTILE = "</script><script>alert('&')</script>"
OTHER = "f" * 16
FILES = ("live.js", "figures.js", "curves.js", "live.css", "uPlot.js", "uPlot.css", "uPlot-LICENSE")


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_page, "EVERY_SECONDS", 0.01)


class Events:
    """The events of a stream, in order."""

    def __init__(self, answer: requests.Response) -> None:
        self.answer = answer
        self._lines = answer.iter_lines(chunk_size=1, decode_unicode=True)

    def next(self, wanted: str) -> Any:
        """The data of the next event of that name."""
        name = None
        for line in self._lines:
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: ") and name == wanted:
                return json.loads(line.removeprefix("data: "))
        raise AssertionError(f"the stream ended before an event {wanted}")

    def ended(self) -> bool:
        """Whether it comes to its end."""
        return all(True for _ in self._lines)


@contextmanager
def viewer(served: Served, query: str = "") -> Iterator[Events]:
    with requests.get(f"{served.url}/live/events{query}", stream=True, timeout=10) as answer:
        assert answer.status_code == 200, answer.text
        yield Events(answer)


def publish(runs: LiveRuns, outcome: Outcome = Outcome.FAIL, run: str = RUN, **changes: Any) -> None:
    finding = PublishedFinding("answers", outcome, "5 % were not 2xx", 0.05, 0.01, "ratio")
    fields: dict[str, Any] = {
        "run": run,
        "at": 1_764_000_030.0,
        "so_far": True,
        "outcome": outcome,
        "findings": (finding,),
        "around": PublishedAround(("RouterDown",), 4e7, 1e6, 12.0),
    }
    runs.publish(token_of(run), RunFindings(**{**fields, **changes}))


def state(served: Served, query: str = "") -> Any:
    with viewer(served, query) as events:
        return events.next("state")


def test_the_page_and_its_files_are_strict_and_of_this_exporter_alone(served: Served) -> None:
    page = served.get("/live")
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    links = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert {each for each in links if each not in ("data:,", "./")} == {
        "live/uPlot.css",
        "live/live.css",
        "live/uPlot.js",
        "live/live.js",
        "live/uPlot-LICENSE",
        "runbook/",
    }
    for path in ("/live", "/", *(f"/live/{name}" for name in FILES)):
        answer = served.get(path)
        assert answer.status_code == 200, path
        assert answer.headers["Content-Security-Policy"] == CSP
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "unsafe" not in CSP
    assert "http" not in CSP
    for page_text in (page.text, served.get("/").text):
        assert not re.search(r"<style|style=|\son[a-z]+=|<script(?![^>]* src=)", page_text)


def test_no_script_puts_text_in_as_anything_but_text() -> None:
    for name in ("live.js", "figures.js", "curves.js"):
        script = (files("exporter.exposition") / "page" / name).read_text("utf-8")
        assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(|Function\(", script)


def test_uplot_has_its_notice_and_the_version_that_is_named(served: Served) -> None:
    assert "The MIT License" in served.get("/live/uPlot-LICENSE").text
    assert "Leon Sorokin" in served.get("/live/uPlot-LICENSE").text
    assert "(v1.6.32)" in served.get("/live/uPlot.js").text[:100]


def test_without_a_run_there_is_none_and_it_says_what_it_watches(served: Served) -> None:
    found = state(served)
    assert (found["run"], found["runs"], found["takes_runs"]) == (None, [], True)
    assert (found["router"], found["scrape"]) == ("http://127.0.0.1:8080", None)
    assert (found["since"], found["now"]) == (1_764_000_000, 1_764_000_000)


def test_a_run_under_way_has_its_rates_verdict_surroundings_and_the_time_left(
    served: Served, clock: FakeClock
) -> None:
    register(served.runs, start_timestamp_seconds=clock.wall())
    for second in range(1, 6):
        clock.advance(1)
        report = answered({"2xx": [20_000] * 100 * second, "5xx": [10] * 3 * second}, {503: 3 * second})
        served.runs.apply(report.__class__(**{**_fields(report), "sequence": second}))
        served.runs.tick()
    publish(served.runs)
    run = state(served)["run"]
    assert (run["active"], run["phase"], run["left_seconds"]) == (True, "load", 55)
    assert (run["successes_per_second"], run["failures_per_second"]) == (100, 3)
    assert (run["successes"], run["statuses"], run["failures"]) == (500, {"503": 15}, {})
    assert run["quantiles"]["0.99"] == pytest.approx(0.02, rel=0.01)
    assert run["verdict"]["outcome"] == "fail"
    assert run["verdict"]["findings"][0]["text"] == "5 % were not 2xx"
    assert run["verdict"]["around"] == {
        "alerts": ["RouterDown"],
        "router_memory_at_start_bytes": 4e7,
        "router_memory_bytes_per_hour": 1e6,
        "router_down_seconds": 12,
    }


def _fields(report: Any) -> dict[str, Any]:
    return {name: getattr(report, name) for name in report.__slots__}


def test_a_rest_is_no_part_of_the_load_that_is_left(served: Served, clock: FakeClock) -> None:
    def left(phase: Phase) -> tuple[float, float]:
        register(served.runs, phase=phase)
        clock.advance(10)
        register(served.runs, phase=phase)
        run = state(served)["run"]
        return run["elapsed_seconds"], run["left_seconds"]

    assert left(Phase.LOAD) == (10, 50)
    assert left(Phase.REST) == (10, 50)
    assert left(Phase.LOAD) == (20, 40)
    register(served.runs, phase=Phase.DRAIN)
    clock.advance(2)
    assert state(served)["run"]["left_seconds"] is None


def test_a_run_that_has_ended_stays_with_its_verdict_and_when_it_ended(
    served: Served, clock: FakeClock
) -> None:
    register(served.runs)
    served.runs.apply(answered({"2xx": [20_000] * 10}))
    publish(served.runs, Outcome.PASS, so_far=False)
    clock.advance(45)
    register(served.runs, phase=Phase.FINISHED)
    clock.advance(3600)
    run = state(served)["run"]
    assert (run["active"], run["ended"]) == (False, 1_764_000_045)
    assert (run["left_seconds"], run["successes_per_second"]) == (None, None)
    assert (run["verdict"]["outcome"], run["verdict"]["so_far"]) == ("pass", False)
    assert run["quantiles"]["0.5"] == pytest.approx(0.02, rel=0.01)


def test_a_run_whose_command_was_killed_has_been_silent_since(served: Served, clock: FakeClock) -> None:
    register(served.runs)
    clock.advance(100)
    run = state(served)["run"]
    assert (run["active"], run["ended"], run["silent_since"]) == (False, None, 1_764_000_000)


def test_a_verdict_that_an_earlier_exporter_showed_is_shown_alone(served: Served) -> None:
    served.runs.restore_findings(
        RunFindings(
            RUN, 1_764_000_000.0, False, Outcome.PASS, (PublishedFinding("nodes", Outcome.PASS, "2"),)
        )
    )
    run = state(served)["run"]
    assert (run["info"], run["verdict"]["outcome"]) == (None, "pass")
    assert "pass" in served.get("/").text


def test_of_several_runs_one_can_be_chosen_and_the_newest_is_shown_else(
    served: Served, clock: FakeClock
) -> None:
    register(served.runs, label="first", start_timestamp_seconds=clock.wall())
    publish(served.runs)
    clock.advance(5)
    register(served.runs, run=OTHER, label="second", start_timestamp_seconds=clock.wall())
    found = state(served)
    assert found["run"]["info"]["label"] == "second"
    assert [(each["run"], each["label"], each["outcome"]) for each in found["runs"]] == [
        (OTHER, "second", None),
        (RUN, "first", "fail"),
    ]
    assert state(served, f"?run={RUN}")["run"]["info"]["label"] == "first"
    answer = served.get("/live/events?run=0000000000000000")
    assert (answer.status_code, answer.text) == (404, "no such run\n")


def test_who_looks_at_a_run_that_makes_room_for_others_is_sent_to_ask_again(
    served: Served, clock: FakeClock
) -> None:
    register(served.runs)
    with viewer(served, f"?run={RUN}") as events:
        events.next("state")
        for number in range(MAX_RUNS):
            register(served.runs, run=f"{number:016x}", phase=Phase.FINISHED)
            clock.advance(40)
        assert events.ended()
    assert served.get(f"/live/events?run={RUN}").status_code == 404


def test_points_follow_as_others_scrape_and_the_page_itself_scrapes_nothing(
    served: Served, clock: FakeClock
) -> None:
    register(served.runs)
    with viewer(served) as events:
        assert events.next("hour") == {"run": RUN, "times": [], "columns": {}}
        assert events.next("state")["scrape"] is None
        clock.advance(5)
        served.get("/metrics")
        assert events.next("points")["times"] == [1_764_000_005]
        while (found := events.next("state")["scrape"]) is None:
            clock.advance(1)
        assert (found["at"], [each["name"] for each in found["collectors"]]) == (1_764_000_005, ["stub"])
        # A run that begins is followed, with its own hour.
        register(served.runs, run=OTHER)
        assert events.next("hour") == {"run": OTHER, "times": [], "columns": {}}


def test_more_viewers_than_there_are_places_are_told_so_and_scrapes_are_answered_all_the_same(
    served: Served,
) -> None:
    with ExitStack() as stack:
        for _ in range(MAX_VIEWERS):
            stack.enter_context(viewer(served)).next("state")
        refused = served.get("/live/events")
        assert refused.status_code == 503
        assert refused.headers["Retry-After"] == "10"
        assert refused.text.startswith(f"{MAX_VIEWERS} viewers are here already; ")
        assert refused.text.count("\n") == 1
        assert requests.head(served.url + "/live/events", timeout=10).status_code == 503
        assert served.get("/live").status_code == 200
        for _ in range(3):
            assert "stub_value 7.0" in served.get("/metrics").text

    def place() -> bool:
        return requests.head(served.url + "/live/events", timeout=10).status_code == 200

    wait_for("a place that is free again", place)
    with viewer(served) as events:
        events.next("state")


def test_other_methods_and_pages_of_other_sites_are_refused(served: Served) -> None:
    for path in ("/live", "/live/events", "/live/live.js"):
        assert requests.post(served.url + path, timeout=10).status_code == 405
        head = requests.head(served.url + path, timeout=10)
        assert (head.status_code, head.content) == (200, b"")
    answer = served.get("/live/events", **{"Sec-Fetch-Site": "cross-site"})
    assert (answer.status_code, answer.text) == (403, "the live page is not for a web page of another site\n")


@pytest.mark.parametrize("text", [HOSTILE, '"\\data: ', "語"])
def test_text_of_others_comes_as_a_string_in_one_line(served: Served, text: str) -> None:
    assert served.put(announcement(model=text, label=text, target=text)).status_code == 200
    with requests.get(served.url + "/live/events", stream=True, timeout=10) as answer:
        lines = answer.iter_lines(chunk_size=1, decode_unicode=True)
        data = next(line for line in lines if line.startswith("data: ") and '"takes_runs"' in line)
    info = json.loads(data.removeprefix("data: "))["run"]["info"]
    assert (info["label"], info["target"], info["pairs"][0]["model"]) == (text, text, text)
    assert data.isascii()


@pytest.mark.parametrize("text", ["a\u202eb", "a\x1bb", "a\u2028b"])
def test_text_that_acts_is_not_taken_from_the_start(served: Served, text: str) -> None:
    assert served.put(announcement(model=text)).status_code == 400
    assert state(served)["run"] is None


def test_the_landing_page_leads_there_and_shows_the_main_figures(served: Served, clock: FakeClock) -> None:
    assert '<a href="live">Live page</a>' in served.get("/").text
    register(served.runs)
    served.runs.tick()
    served.runs.apply(answered({"2xx": [20_000] * 1500, "5xx": [10] * 3}, {503: 3}))
    clock.advance(1)
    served.runs.tick()
    publish(served.runs)
    clock.advance(5)
    cells = dict(re.findall("<th>(.*?)</th><td>(.*?)</td>", served.get("/").text))
    assert cells["verdict"] == "fail so far"
    assert cells["fails: answers"] == "5 % were not 2xx"
    assert cells["success"] == "1,500/s, 1,500 in all"
    assert cells["failed"] == "3/s, 503: 3"
    assert cells["p50 / p95 / p99"] == "20 / 20 / 20 ms, last 10 s"
    assert cells["router memory"] == "–"


def test_streams_end_when_the_exporter_stops(served: Served) -> None:
    with ServedApp(served.app) as server:
        answer = requests.get(server.url + "/live/events", stream=True, timeout=10)
        events = Events(answer)
        events.next("state")
    assert events.ended()


def streaming(served: Served, clock: FakeClock, lag_us: int = 50) -> None:
    """A run of streams of which one was truncated."""
    register(
        served.runs,
        engine=STREAM_ENGINE,
        goodput="ttft < 500 ms",
        start_timestamp_seconds=clock.wall(),
    )
    ends = {"end_complete": 8, "end_truncated": 1, "end_aborted": 2, "good": 6, "output_tokens": 400}
    observed = {Histogram.FIRST_TOKEN: [100_000] * 8, Histogram.CLIENT_LAG: [lag_us] * 40}
    clock.advance(1)
    served.runs.apply(streamed(ends, observed))
    served.runs.tick()


def test_a_run_of_streams_has_their_figures(served: Served, clock: FakeClock) -> None:
    streaming(served, clock)
    found = state(served)["run"]["streams"]
    assert (found["complete"], found["ends"], found["aborted"]) == (8, {"truncated": 1}, 2)
    assert (found["output_tokens"], found["tokens_per_second"]) == (400, 400)
    assert found["goodput"] == pytest.approx(6 / 9)
    assert found["first_token"]["p50"] == pytest.approx(0.1, rel=0.004)
    assert found["client_lag"] == 50e-6
    assert (found["send_lateness"], found["is_late"]) == (None, False)
    assert found["late_bound"] == pytest.approx(0.005, rel=0.004)
    assert found["overhead"] is None
    # Nobody has scraped yet.
    assert found["recent_first_token"] == {"p50": None, "p99": None}


def test_what_the_router_adds_is_told_with_its_interval(served: Served) -> None:
    register(served.runs, engine=STREAM_ENGINE)
    served.runs.apply(streamed({}, {Histogram.FIRST_TOKEN_OVER: [100, 110, 120, 130, 140, 150, 160]}))
    found = state(served)["run"]["streams"]["overhead"]
    assert found == {"pairs": 7, "median": 130e-6, "low": 100e-6, "high": 160e-6}


def test_a_late_load_generator_is_told(served: Served, clock: FakeClock) -> None:
    streaming(served, clock, lag_us=6_000)
    assert state(served)["run"]["streams"]["is_late"] is True


def test_what_of_streams_is_of_now_is_not_told_of_a_run_that_is_over(
    served: Served, clock: FakeClock
) -> None:
    streaming(served, clock)
    changes = {"start_timestamp_seconds": clock.wall() - 1, "goodput": "ttft < 500 ms"}
    register(served.runs, Phase.FINISHED, engine=STREAM_ENGINE, **changes)
    found = state(served)["run"]["streams"]
    assert (found["complete"], found["tokens_per_second"]) == (8, None)
    assert found["goodput"] == pytest.approx(6 / 9)


def test_a_run_without_streams_has_none_and_one_that_begins_says_that_none_ended(served: Served) -> None:
    register(served.runs)
    assert state(served)["run"]["streams"] is None
    register(served.runs, run=OTHER, engine=STREAM_ENGINE)
    found = state(served, f"?run={OTHER}")["run"]["streams"]
    assert (found["counted"], found["goodput"]) == (False, None)


def test_the_landing_page_has_the_figures_of_streams_as_text(served: Served, clock: FakeClock) -> None:
    register(served.runs, engine=STREAM_ENGINE, goodput=HOSTILE)
    assert "none has ended yet" in served.get("/").text
    register(served.runs, run=OTHER, engine=STREAM_ENGINE, goodput=HOSTILE)
    ends = {"end_complete": 1200, "end_truncated": 1, "good": 6, "output_tokens": 4_000}
    served.runs.apply(streamed(ends, {Histogram.FIRST_TOKEN: [250], Histogram.CLIENT_LAG: [50]}, run=OTHER))
    text = served.get("/").text
    for shown in (
        "1,200 complete, truncated: 1",
        "0.25 / 0.25 ms",
        ">4,000<",
        "0.05 ms",
        "0.5% (&lt;/script",
    ):
        assert shown in text
    assert HOSTILE not in text


def test_the_landing_page_of_a_load_without_streams_names_none(served: Served) -> None:
    register(served.runs)
    served.runs.apply(answered({"2xx": [100]}))
    assert "first token" not in served.get("/").text


def test_a_watch_shows_nothing_of_a_load_and_no_time_left(served: Served) -> None:
    served.runs.register(watch_info(planned_duration_seconds=0.0), token_of(), Phase.LOAD)
    run = state(served)["run"]
    assert (run["phase"], run["active"], run["left_seconds"]) == ("load", True, None)
    assert run["info"]["engine"] == ""
    assert not {"successes", "failures", "quantiles", "stalled", "streams"} & run.keys()
    page = served.get("/").text
    assert "until it is ended" in page
    assert "p50" not in page
