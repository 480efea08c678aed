"""exporter.verdict.hosts: the series of one exporter are a run's own, those of several are told apart."""

from exporter.timeseries import Series, SeriesStore
from exporter.verdict.evidence import Watching
from exporter.verdict.finding import Outcome
from exporter.verdict.hosts import HostsView, Target, added
from exporter.verdict.router import judge_router
from tests.support.run_results import evidence

ONE, TWO = Target("exporter", "a:9877"), Target("exporter", "b:9877")


def store_of(*samples: tuple[str, Target, dict[str, str], dict[float, float]]) -> SeriesStore:
    store = SeriesStore()
    for name, target, labels, values in samples:
        for time, value in values.items():
            store.add(name, {**labels, "job": target.job, "instance": target.instance}, time, value)
    return store


def keys(view: SeriesStore) -> set[tuple[str, tuple[tuple[str, str], ...]]]:
    return set(view.keys())


def test_of_one_exporter_its_labels_are_left_out() -> None:
    store = store_of(
        ("router_up", ONE, {}, {1.0: 1}),
        ("observed_process_up", ONE, {"process": "router", "role": "router"}, {1.0: 1}),
        ("go_goroutines", Target("router", "r:8080"), {}, {1.0: 7}),
    )
    view = HostsView(store, [ONE])
    assert view.targets == (ONE,)
    assert keys(view) == {
        ("router_up", ()),
        ("observed_process_up", (("process", "router"), ("role", "router"))),
        ("go_goroutines", (("instance", "r:8080"), ("job", "router"))),
    }
    assert view.last("router_up") == (1.0, 1.0)


def test_what_two_exporters_name_alike_is_told_apart() -> None:
    router = {"process": "router", "role": "router"}
    store = store_of(
        ("observed_process_open_fds", ONE, router, {1.0: 5}),
        ("observed_process_open_fds", TWO, router, {1.0: 6}),
        ("observed_process_open_fds", TWO, {"process": "node", "role": "node"}, {1.0: 9}),
        ("router_node_up", ONE, {"node": "n"}, {1.0: 1}),
        ("router_node_up", TWO, {"node": "n"}, {1.0: 1}),
        ("gpu_memory_used_bytes", ONE, {"gpu": "0"}, {1.0: 1}),
    )
    view = HostsView(store, [])
    found = {each.label("process"): each.values[0] for each in view.each("observed_process_open_fds")}
    assert found == {"router@a:9877": 5, "router@b:9877": 6, "node": 9}
    assert {each.label("node") for each in view.each("router_node_up")} == {"n@a:9877", "n@b:9877"}
    assert [each.label("gpu") for each in view.each("gpu_memory_used_bytes")] == ["0"]
    assert [each.label("instance") for each in view.each("observed_process_open_fds", process="node")] == [
        "b:9877"
    ]


def test_counters_of_a_load_are_summed_over_the_hosts_and_resets_bridged() -> None:
    labels = {"route": "local", "status_class": "2xx"}
    store = store_of(
        ("benchmark_requests_total", ONE, labels, {1.0: 10, 6.0: 20, 11.0: 5}),
        ("benchmark_requests_total", TWO, labels, {2.0: 100, 7.0: 130}),
        ("benchmark_in_flight_requests", ONE, {}, {1.0: 4}),
        ("benchmark_in_flight_requests", TWO, {}, {2.0: 4}),
    )
    [whole] = HostsView(store, [ONE, TWO]).select("benchmark_requests_total")
    assert whole.labels == tuple(sorted(labels.items()))
    assert dict(zip(whole.times, whole.values, strict=True)) == {
        1.0: 110,
        2.0: 110,
        6.0: 120,
        7.0: 150,
        11.0: 155,
    }
    # A gauge is each host's own.
    assert len(HostsView(store, [ONE, TWO]).select("benchmark_in_flight_requests")) == 2


def test_a_load_that_is_not_meant_is_left_out() -> None:
    store = store_of(
        ("benchmark_requests_total", ONE, {}, {1.0: 10}),
        ("benchmark_requests_total", TWO, {}, {1.0: 100}),
    )
    [found] = HostsView(store, [TWO]).select("benchmark_requests_total")
    assert found.values.tolist() == [100]


def test_a_sum_of_gauges_is_of_what_each_was_last() -> None:
    one, two = Series("x", ()), Series("x", ())
    for series, samples in ((one, {1.0: 1, 3.0: 2}), (two, {2.0: 10, 4.0: 20})):
        series.times.extend(samples)
        series.values.extend(samples.values())
    total = added(one, two)
    assert dict(zip(total.times, total.values, strict=True)) == {1.0: 1, 2.0: 11, 3.0: 12, 4.0: 22}
    assert added(None, one) is one


def test_an_outage_that_one_host_sees_fails_and_names_it() -> None:
    good = dict.fromkeys(range(0, 60, 5), 1.0)
    bad = good | {20: 0.0, 25: 0.0}
    store = store_of(
        ("router_up", ONE, {}, {float(time): value for time, value in good.items()}),
        ("router_up", TWO, {}, {time + 1.0: value for time, value in bad.items()}),
    )
    known = evidence(series=HostsView(store, []), watching=Watching("a, b", "http://r:8080", ()))
    found = judge_router(known)
    assert found.outcome == Outcome.FAIL
    assert found.text.startswith("b:9877: it was down: 2 of 12 probes failed")
    # Two that each missed one are no outage.
    for time in (20, 26):
        bad[time] = 0.0
    apart = store_of(
        ("router_up", ONE, {}, {float(time): float(time != 20) for time in good}),
        ("router_up", TWO, {}, {time + 1.0: float(time != 20) for time in good}),
    )
    known = evidence(series=HostsView(apart, []), watching=Watching("a, b", "http://r:8080", ()))
    assert judge_router(known).outcome == Outcome.PASS
