"""exporter.run.router_metrics: what the router tells of itself, within bounds, under no name of ours."""

import re
from collections.abc import Callable

import pytest

from exporter.run.recorder import Recorder
from exporter.run.router_metrics import MAX_SAMPLES, OWN_NAMES, PATHS, RouterMetrics
from exporter.run.spool import SpooledStore
from exporter.settings.login import NO_LOGIN
from exporter.settings.router_api import RouterApi
from tests.support.checkout import CHECKOUT
from tests.support.clocks import FakeClock
from tests.support.local_http import Answer, Asked, LocalHttp
from tests.support.waiting import wait_for

GO = (
    "# TYPE go_gc_duration_seconds summary\n"
    "go_gc_duration_seconds_sum 1.5\ngo_gc_duration_seconds_count 7\n"
    'go_memstats_heap_inuse_bytes{job="mine",instance="x",a="b"} 1e6\n'
)


def at(path: str, text: str) -> Callable[[Asked], Answer]:
    """A router that has its metrics there, and nothing else."""
    return lambda asked: (200, text) if asked.path == path else (404, "no")


def recorded(
    server: LocalHttp, clock: FakeClock, prefix: str = "", headers: tuple[tuple[str, str], ...] = ()
) -> SpooledStore:
    """What one round of questions brings."""
    store = SpooledStore([])
    recorder = Recorder(server.url, 5.0, clock, NO_LOGIN.session(), store)
    api = RouterApi(url=server.url + prefix)
    metrics = RouterMetrics(api, headers, clock, recorder, store)
    for url in metrics._urls:
        if metrics._record(url):
            break
    return store


@pytest.mark.parametrize("path", PATHS)
def test_metrics_are_found_where_a_router_has_them(clock: FakeClock, path: str) -> None:
    with LocalHttp(at(path, GO)) as server:
        store = recorded(server, clock)
        instance = server.url.removeprefix("http://")
    target = {"job": "router", "instance": instance}
    (pauses,) = store.select("go_gc_duration_seconds_sum", **target)
    assert (pauses.times.tolist(), pauses.values.tolist()) == ([1_764_000_000.0], [1.5])
    (heap,) = store.select("go_memstats_heap_inuse_bytes")
    assert dict(heap.labels) == {**target, "exported_job": "mine", "exported_instance": "x", "a": "b"}


def test_below_a_prefix_they_are_looked_for_with_it_and_without(clock: FakeClock) -> None:
    with LocalHttp(at("/metrics", GO)) as server:
        store = recorded(server, clock, prefix="/llm")
        assert [asked.path for asked in server.asked] == [*(f"/llm{path}" for path in PATHS), "/metrics"]
    assert len(store.select("go_gc_duration_seconds_count")) == 1


def test_the_key_is_sent_along_and_no_other_header(clock: FakeClock) -> None:
    headers = (("Authorization", "Bearer abc"), ("X-Tenant", "a"))
    with LocalHttp(at("/metrics", GO)) as server:
        recorded(server, clock, headers=headers)
        sent = {name.lower(): value for name, value in server.asked[0].headers.items()}
    assert sent["authorization"] == "Bearer abc"
    assert "x-tenant" not in sent


def test_a_name_that_we_go_by_is_not_the_routers_to_write(clock: FakeClock) -> None:
    text = "".join(
        f"{name} 1\n"
        for name in (
            "benchmark_requests_total",
            "router_up",
            "up",
            "ALERTS",
            "a:b:c",
            "observed_process_up",
            "x",
        )
    )
    with LocalHttp(at("/metrics", text)) as server:
        store = recorded(server, clock)
    ours, theirs = sorted(store, key=lambda series: series.name)
    assert (theirs.name, list(ours.values)) == ("x", [1.0]), "up is written by us, as a Prometheus does"
    assert (ours.name, ours.label("job")) == ("up", "router")


def test_the_names_left_out_are_those_of_prometheus() -> None:
    text = (CHECKOUT / "prometheus" / "prometheus.yml").read_text(encoding="utf-8")
    (regex,) = set(re.findall(r"action: drop\n +source_labels: \[__name__\]\n +regex: (.+)\n", text))
    assert OWN_NAMES.pattern == regex


@pytest.mark.parametrize(
    "text",
    [
        "<html>hello</html>",
        '{"data": []}',
        "x" * 20_000 + " 1\n",
        "".join(f'x{{a="{i}"}} 1\n' for i in range(MAX_SAMPLES + 1)),
        "x{a= 1\n",
        "",
    ],
    ids=range(6),
)
def test_what_is_no_metrics_or_too_much_is_not_recorded(clock: FakeClock, text: str) -> None:
    with LocalHttp(at("/metrics", text)) as server:
        assert list(recorded(server, clock)) == []


def test_a_series_that_nothing_could_read_back_is_left_out(clock: FakeClock) -> None:
    many = ",".join(f'l{i}="x"' for i in range(40))
    text = f'x{{a="{"y" * 1000}"}} 1\nx{{{many}}} 1\nx{{a="b"}} 1\n'
    with LocalHttp(at("/metrics", text)) as server:
        (series,) = recorded(server, clock).select("x")
    assert series.label("a") == "b"


def test_labels_that_change_with_every_answer_are_bounded(clock: FakeClock) -> None:
    count = 0

    def answer(_asked: Asked) -> Answer:
        nonlocal count
        count += 1
        return 200, "".join(f'x{{a="{count}-{i}"}} 1\n' for i in range(MAX_SAMPLES - 1000))

    store = SpooledStore([])
    with LocalHttp(answer) as server:
        recorder = Recorder(server.url, 5.0, clock, NO_LOGIN.session(), store)
        metrics = RouterMetrics(RouterApi(url=server.url), (), clock, recorder, store)
        for _ in range(2):
            assert metrics._record(server.url)
            clock.advance(15)
    assert sum(series.name == "x" for series in store) == MAX_SAMPLES


def test_up_says_when_the_router_gave_its_metrics_and_when_not(clock: FakeClock) -> None:
    answers = iter([(200, "x 1\n"), (500, ""), (200, "x 2\n")])
    store = SpooledStore([])
    with LocalHttp(lambda _asked: next(answers)) as server:
        recorder = Recorder(server.url, 5.0, clock, NO_LOGIN.session(), store)
        metrics = RouterMetrics(RouterApi(url=server.url), (), clock, recorder, store)
        for _ in range(3):
            metrics._record(server.url)
            clock.advance(15)
    (up,) = store.select("up", job="router")
    assert list(up.values) == [1.0, 0.0, 1.0]


def test_a_thread_asks_until_it_is_stopped_and_a_router_that_hangs_holds_nobody(clock: FakeClock) -> None:
    store = SpooledStore([])
    with LocalHttp(at("/metrics", GO)) as server:
        recorder = Recorder(server.url, 5.0, clock, NO_LOGIN.session(), store)
        metrics = RouterMetrics(RouterApi(url=server.url), (), clock, recorder, store)
        metrics.start()
        wait_for("the first samples", lambda: bool(list(store.keys())))
        metrics.stop()
    assert not metrics._thread.is_alive()


def test_one_that_was_never_started_can_be_stopped(clock: FakeClock) -> None:
    store = SpooledStore([])
    recorder = Recorder("http://127.0.0.1:9", 5.0, clock, NO_LOGIN.session(), store)
    RouterMetrics(RouterApi(), (), clock, recorder, store).stop()
    assert list(store) == []
