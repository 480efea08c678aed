"""exporter.run.window and window_runs: what is asked of a Prometheus, in pieces, and which run is meant."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from exporter.errors import ConfigurationError, QueryError
from exporter.run.prometheus_client import PrometheusClient, RefusedQueryError, TooMuchError
from exporter.run.spool import SpooledStore
from exporter.run.window import exporters_in, read_window
from exporter.run.window_runs import window_of_run
from exporter.run.window_times import Window
from exporter.settings.login import HttpClient, HttpClientConfig
from exporter.verdict.finding import Span
from exporter.verdict.hosts import Target
from tests.support.local_http import Answer, Asked, LocalHttp

SINCE = 1_764_000_000.0
TARGET = Target("exporter", "a:9877")
LABELS = {"job": "exporter", "instance": "a:9877"}


def matrix(*series: tuple[dict[str, str], list[tuple[float, str]]]) -> dict[str, Any]:
    result = [{"metric": metric, "values": [list(each) for each in values]} for metric, values in series]
    return {"status": "success", "data": {"resultType": "matrix", "result": result}}


def asked_of(asked: Asked) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(asked.body.decode()).items()}


@pytest.fixture
def store() -> Iterator[SpooledStore]:
    def opened() -> int:
        descriptor, name = tempfile.mkstemp()
        os.unlink(name)  # noqa: PTH108
        return descriptor

    found = SpooledStore([opened])
    yield found
    found.close()


def test_samples_are_those_later_than_the_begin_and_no_markers() -> None:
    document = matrix(
        ({"__name__": "up"}, [(10, "1"), (15, "NaN"), (20, "0")]), ({"__name__": "x"}, [(10, "1")])
    )
    with LocalHttp(lambda asked: (200, document)) as server:
        [found] = PrometheusClient(server.url).samples('{job="a"}', 10.0, 25.5)
    assert (found.name, found.times.tolist(), found.values.tolist()) == ("up", [20.0], [0.0])
    assert asked_of(server.asked[0]) == {"query": '{job="a"}[15500ms]', "time": "25.500"}


def test_it_logs_in_by_the_header_of_its_file() -> None:
    config = HttpClientConfig.model_validate({"authorization": {"credentials": "geheim"}})
    with LocalHttp(lambda asked: (200, matrix())) as server:
        PrometheusClient(server.url, HttpClient(config, Path())).query("up")
    assert server.asked[0].headers["Authorization"] == "Bearer geheim"


def test_a_login_that_is_wanted_is_said() -> None:
    with (
        LocalHttp(lambda asked: (401, "no")) as server,
        pytest.raises(QueryError, match=r"--prometheus\.config"),
    ):
        PrometheusClient(server.url).query("up")


@pytest.mark.parametrize(
    ("kind", "error"),
    [("bad_data", RefusedQueryError), ("execution", TooMuchError), ("422", TooMuchError)],
)
def test_what_the_server_refuses_and_what_is_too_much_differ(kind: str, error: type[QueryError]) -> None:
    document = {"status": "error", "errorType": kind, "error": "no"}
    with LocalHttp(lambda asked: (422, document)) as server, pytest.raises(error):
        PrometheusClient(server.url).query("up")


def test_a_window_is_read_in_pieces_and_in_smaller_ones_where_it_is_too_much(store: SpooledStore) -> None:
    times = [SINCE - 5 + 5 * number for number in range(122)]

    def answer(asked: Asked) -> Answer:
        query = asked_of(asked)
        end, length = float(query["time"]), float(query["query"].rpartition("[")[2][:-3]) / 1000
        if 'job="router"' in query["query"]:
            return 200, matrix()
        if length > 100 and end > SINCE + 1:
            return 422, {"status": "error", "errorType": "execution", "error": "too many samples"}
        # Prometheus 2 gives the sample at the begin of the range, too.
        inside = [time for time in times if end - length <= time <= end]
        build = {"__name__": "exporter_build_info", "version": "1", **LABELS}
        total = {"__name__": "benchmark_requests_total", **LABELS}
        return 200, matrix(
            (build, [(time, "1") for time in inside]), (total, [(time, str(time - SINCE)) for time in inside])
        )

    window, told = Window(SINCE, SINCE + 600), list[float]()
    with LocalHttp(answer) as server:
        read = read_window(PrometheusClient(server.url), window, [TARGET], [], store, told.append)
    [scraped] = read.exporters
    assert (scraped.scrapes, scraped.failed, scraped.interval, scraped.gaps) == (120, 0, 5.0, ())
    # With the last one before the window, from which counters rise.
    [counter] = read.store.select("benchmark_requests_total")
    assert counter.times.tolist() == times[1:]
    assert told == sorted(told)
    assert told[-1] == 1.0
    assert len(server.asked) < 25


def test_a_gap_is_found_and_counted(store: SpooledStore) -> None:
    times = [SINCE + each for each in (5, 10, 15, 40, 45, 50)]
    document = matrix(({"__name__": "exporter_build_info", **LABELS}, [(time, "1") for time in times]))
    with LocalHttp(
        lambda asked: (200, document if "a:9877" in asked_of(asked)["query"] else matrix())
    ) as server:
        window = Window(SINCE, SINCE + 52)
        read = read_window(PrometheusClient(server.url), window, [TARGET], [], store, lambda _: None)
    [scraped] = read.exporters
    assert (scraped.gaps, scraped.failed) == ((Span(SINCE + 15, SINCE + 40),), 4)


def test_where_there_is_no_exporter_it_is_evidence_that_is_missing() -> None:
    with (
        LocalHttp(lambda asked: (200, matrix())) as server,
        pytest.raises(QueryError, match="has no series of"),
    ):
        exporters_in(PrometheusClient(server.url), Window(SINCE, SINCE + 60), [])


def info(label: str, run: str, times: list[float], instance: str = "a:9877") -> tuple[dict[str, str], Any]:
    metric = {"label": label, "run": run, "job": "exporter", "instance": instance}
    return metric, [(time, "1") for time in times]


def runs_at(*known: tuple[dict[str, str], Any], starts: list[tuple[float, str]] | None = None) -> LocalHttp:
    """A server that has these runs."""

    def answer(asked: Asked) -> Answer:
        query = asked_of(asked)["query"]
        if "benchmark_run_start" in query:
            return 200, matrix(({**LABELS, "__name__": "s"}, starts or []))
        found = [
            each
            for each in known
            if "=" not in query.partition("{")[2].partition("}")[0]
            or f'"{each[0]["label"]}"' in query
            or each[0]["run"] in query
        ]
        return 200, matrix(*found)

    return LocalHttp(answer)


SEARCH = Window(SINCE - 3600, SINCE + 3600)


def test_a_run_is_from_its_own_begin_to_the_scrape_after_its_last() -> None:
    times = [SINCE + 5 * number for number in range(10)]
    with runs_at(
        info("nightly", "a" * 16, times), starts=[(time, str(SINCE - 2)) for time in times]
    ) as server:
        window = window_of_run(PrometheusClient(server.url), "nightly", SEARCH, [])
    assert window == Window(SINCE - 2, SINCE + 45 + 7.5)


def test_where_the_next_run_follows_at_once_its_counts_are_left_out() -> None:
    times = [SINCE + 5 * number for number in range(10)]
    starts = [(time, str(SINCE - 2)) for time in times] + [(SINCE + 50, str(SINCE + 47))]
    with runs_at(info("nightly", "a" * 16, times), starts=starts) as server:
        window = window_of_run(PrometheusClient(server.url), "nightly", SEARCH, [])
    assert window.until == SINCE + 45


def test_runs_of_one_label_side_by_side_are_one() -> None:
    times = [SINCE + 5 * number for number in range(10)]
    both = (info("soak", "a" * 16, times), info("soak", "b" * 16, [time + 2 for time in times], "b:9877"))
    with runs_at(*both) as server:
        window = window_of_run(PrometheusClient(server.url), "soak", SEARCH, [])
    assert window == Window(SINCE, SINCE + 47 + 7.5)


def test_several_runs_of_a_label_are_listed() -> None:
    runs = [
        info("nightly", letter * 16, [SINCE + at, SINCE + at + 5]) for letter, at in (("a", 0), ("b", 900))
    ]
    with runs_at(*runs) as server, pytest.raises(ConfigurationError) as refused:
        window_of_run(PrometheusClient(server.url), "nightly", SEARCH, [])
    text = str(refused.value)
    assert text.startswith("--run: 'nightly' is 2 runs in 2025-11-24T15:00:00Z to 2025-11-24T17:00:00Z: ")
    assert ("a" * 16 in text, "b" * 16 in text) == (True, True)
    with runs_at(*runs) as server:
        assert window_of_run(PrometheusClient(server.url), "b" * 16, SEARCH, []).since == SINCE + 900


def test_a_run_that_is_not_there_is_refused_with_those_that_are() -> None:
    with (
        runs_at(info("nightly", "a" * 16, [SINCE])) as server,
        pytest.raises(ConfigurationError, match=r"no run 'else' in .*; there are nightly 2025-11-24T1"),
    ):
        window_of_run(PrometheusClient(server.url), "else", SEARCH, [])
    with (
        runs_at() as server,
        pytest.raises(ConfigurationError, match="there is no run of this project at all"),
    ):
        window_of_run(PrometheusClient(server.url), "else", SEARCH, [])
