"""exporter.run.scraped: a load that only its scrapes tell of, held against what was counted each second."""

from dataclasses import replace
from typing import Any

import pytest

from exporter.live.message import FailureReason, Phase
from exporter.results.run_record import picked
from exporter.run.scraped import ScrapedLoad, WindowEvidence
from exporter.run.scraped_counts import Counters
from exporter.run.window import scraped_of
from exporter.run.window_times import Window
from exporter.timeseries import SeriesStore
from exporter.verdict.evidence import Evidence, LoadKnown
from exporter.verdict.finding import Outcome
from exporter.verdict.judgement import judge
from tests.support.run_results import evidence
from tests.support.run_seconds import BEGAN, Stretch, loaded, run_seconds
from tests.support.scraped_window import ScrapedHost, scraped_load, target, window_of
from tests.unit.verdict.test_steadiness import bucket

JUDGED = (Outcome.PASS, Outcome.FAIL, Outcome.WARNING)


def steady(seconds: int, rate: int = 50, milliseconds: float = 100, **more: Any) -> Stretch:
    return Stretch(seconds, rate, durations={bucket(milliseconds): rate}, **more)


def outcomes(known: Evidence) -> dict[str, Outcome]:
    return {each.check: each.outcome for each in judge(known, {}, ()).findings}


def alike(load: ScrapedLoad, *stretches: Stretch, warmup: int) -> dict[str, Outcome]:
    """The outcomes by the scrapes, where the run's own judge the same wherever both judge."""
    seconds = run_seconds(*stretches)
    length = sum(each.seconds for each in stretches)
    own = evidence(
        seconds=seconds,
        planned_seconds=float(length),
        measured_seconds=float(length),
        phases=loaded(length, warmup),
        requests=load.evidence.requests,
        statuses={name.replace("2xx", "200"): count for name, count in load.evidence.statuses.items()},
        failures=load.evidence.failures,
        totals={},
    )
    here, there = outcomes(load.evidence), outcomes(own)
    for check, outcome in here.items():
        if outcome in JUDGED and there[check] in JUDGED:
            assert outcome == there[check], check
    return here


@pytest.mark.parametrize("interval", [1.0, 5.0, 15.0, 30.0, 60.0])
def test_counts_are_exact_whatever_the_interval_is(interval: float) -> None:
    failing = {FailureReason.READ: 2, FailureReason.CONNECT: 1}
    load = scraped_load(
        ScrapedHost(
            run_seconds(
                steady(300), steady(10, statuses={"500": 3, "429": 1}, failures=failing), steady(290)
            ),
            interval=interval,
            before=90.0,
        )
    )
    found = load.evidence
    assert found.load_known == LoadKnown.SCRAPED
    assert (found.successes, found.responses) == (30_000, 30_040)
    assert found.statuses == {"2xx": 30_000, "429": 10, "500": 30}
    assert {reason: count for reason, count in found.failures.items() if count} == {
        FailureReason.READ: 20,
        FailureReason.CONNECT: 10,
    }
    assert found.measured_seconds == 600.0
    total = found.seconds.total
    assert (total.successes, total.statuses.total(), total.failures.total()) == (30_000, 40, 30)
    assert sum(total.durations.values()) == 30_000
    assert list(found.seconds.gaps()) == []
    assert found.scraped is not None
    assert found.scraped.interval_seconds == pytest.approx(interval)
    assert found.scraped.unseen == {}


def test_quantiles_lie_in_the_bucket_of_the_true_ones() -> None:
    load = scraped_load(ScrapedHost(run_seconds(steady(60, milliseconds=110), steady(60, milliseconds=900))))
    assert {name: load.whole_quantiles[name] for name in ("0.5", "0.99")} == {
        "0.5": pytest.approx(0.1125, abs=0.0126),
        "0.99": pytest.approx(0.9, abs=0.1),
    }


def test_after_the_warm_up_it_is_the_first_scrape_in_the_load_from_which_quantiles_count() -> None:
    load = scraped_load(
        ScrapedHost(run_seconds(steady(60, milliseconds=900), steady(540, milliseconds=110)), warmup=60.0)
    )
    assert load.quantiles["0.99"] == pytest.approx(0.1125, abs=0.0126)
    assert load.whole_quantiles["0.99"] == pytest.approx(0.9, abs=0.1)


@pytest.mark.parametrize("interval", [5.0, 15.0, 60.0])
def test_a_steady_load_passes_and_one_that_becomes_slow_fails_as_by_its_own_seconds(interval: float) -> None:
    good = (steady(2700),)
    slow = (steady(1200), steady(1500, rate=17, milliseconds=300))
    found = {}
    for name, stretches in (("good", good), ("slow", slow)):
        host = ScrapedHost(run_seconds(*stretches), interval=interval, warmup=120.0, before=90.0)
        found[name] = alike(scraped_load(host), *stretches, warmup=120)
    assert (found["good"]["latency"], found["good"]["throughput"]) == (Outcome.PASS, Outcome.PASS)
    assert (found["slow"]["latency"], found["slow"]["throughput"]) == (Outcome.FAIL, Outcome.FAIL)
    assert found["good"]["stalls"] == (Outcome.NOT_JUDGED if interval > 30 else Outcome.PASS)


def test_what_is_slower_by_about_the_bound_is_neither_a_pass_nor_a_fail() -> None:
    # By 1.55 times: within the width of a bucket nobody knows.
    stretches = (steady(1200, milliseconds=100), steady(1500, milliseconds=155))
    found = scraped_load(ScrapedHost(run_seconds(*stretches), warmup=120.0)).evidence
    [latency] = [each for each in judge(found, {}, ()).findings if each.check == "latency"]
    assert latency.outcome == Outcome.INCONCLUSIVE
    assert "the buckets are too wide to tell" in latency.text


def test_a_short_load_that_is_scraped_too_seldom_is_not_judged_by_windows() -> None:
    found = scraped_load(ScrapedHost(run_seconds(steady(60)), warmup=6.0)).evidence
    judged = outcomes(found)
    assert (judged["latency"], judged["throughput"], judged["answers"]) == (
        Outcome.NOT_JUDGED,
        Outcome.NOT_JUDGED,
        Outcome.PASS,
    )


@pytest.mark.parametrize("interval", [5.0, 15.0, 60.0])
@pytest.mark.parametrize(
    ("bad", "expected"),
    [
        (Stretch(20, 0, statuses={"500": 50}), Outcome.FAIL),
        (Stretch(3, 25, statuses={"500": 25}), Outcome.PASS),
        (Stretch(60, 40, statuses={"500": 10}), Outcome.FAIL),
    ],
)
def test_a_bad_minute_is_found_or_it_is_said_that_it_cannot_be(
    bad: Stretch, expected: Outcome, interval: float
) -> None:
    stretches = (steady(300), bad, steady(600))
    host = ScrapedHost(run_seconds(*stretches), interval=interval, before=90.0)
    answers = alike(scraped_load(host), *stretches, warmup=0)["answers"]
    assert answers in (expected, Outcome.INCONCLUSIVE)
    if interval <= 5:
        assert answers == expected


def test_a_gap_is_missing_evidence_and_no_zero() -> None:
    host = ScrapedHost(run_seconds(steady(1200)), is_scraped=lambda at: not 300 < at < 500)
    found = scraped_load(host).evidence
    # What was counted meanwhile is known as a whole.
    assert found.successes == 60_000
    assert [until - since for since, until in found.seconds.gaps()] == [205]
    assert found.seconds.window(BEGAN + 300, BEGAN + 500).known == 0
    assert found.failed_scrapes == 40
    judged = outcomes(found)
    assert judged["throughput"] == Outcome.INCONCLUSIVE
    assert judged["answers"] == Outcome.PASS


def test_where_a_third_of_the_scrapes_is_missing_nothing_passes() -> None:
    host = ScrapedHost(run_seconds(steady(600)), is_scraped=lambda at: not 200 < at < 420)
    found = judge(scraped_load(host).evidence, {}, ())
    assert {each.outcome for each in found.findings} <= {Outcome.INCONCLUSIVE, Outcome.NOT_JUDGED}
    [answers] = [each for each in found.findings if each.check == "answers"]
    assert answers.text.endswith("; scrapes are missing: load-1:9877 35%")


def test_a_counter_that_was_reset_is_bridged() -> None:
    first = ScrapedHost(run_seconds(steady(300)))
    store = SeriesStore()
    first.add_to(store)
    series = next(store.each("benchmark_requests_total", status_class="2xx"))
    half = len(series.values) // 2
    at = series.values[half - 1]
    for place in range(half, len(series.values)):
        series.values[place] -= at
    window = Window(first.begin - 0.5, first.end + 20)
    counters = Counters(store, scraped_of(store, target("load-1:9877"), window), window)
    assert counters.rise("benchmark_requests_total", status_class="2xx") == 15_000


def test_an_exporter_that_began_with_its_run_is_counted_from_its_first_scrape_and_that_is_said() -> None:
    host = ScrapedHost(run_seconds(steady(300)), before=-4.0)
    load = scraped_load(host)
    assert load.evidence.successes == 15_000 - 4 * 50
    assert load.evidence.scraped is not None
    [note] = load.evidence.scraped.notes
    assert note.english == (
        "load-1:9877 was first scraped 5 s after its load began: what it counted before is not known"
    )


def test_hosts_are_summed_and_their_load_is_what_all_do_together() -> None:
    hosts = [
        ScrapedHost(
            run_seconds(Stretch(0), steady(600, rate=50, statuses={"500": number})),
            instance=f"load-{number}:9877",
            offset=0.3 + number,
            warmup=60.0,
            run=f"{number:016x}",
        )
        for number in range(3)
    ]
    load = scraped_load(*hosts, run="nightly")
    found = load.evidence
    assert (found.successes, found.statuses["500"], found.connections) == (90_000, 600 + 1200, 12)
    assert found.instances == {"load-0:9877", "load-1:9877", "load-2:9877"}
    assert [each.phase for each in found.phases] == [Phase.WARMUP, Phase.LOAD, Phase.DRAIN]
    middle = found.seconds.window(BEGAN + 100, BEGAN + 500)
    assert (middle.known, middle.successes) == (400, 150 * 400)
    merged = found.series.select("benchmark_requests_total", status_class="2xx")
    assert [each.increase() for each in merged] == [pytest.approx(90_000, rel=0.01)]
    [record] = picked(iter(found.series)).select("benchmark_requests_total", status_class="2xx")
    assert record.increase() == pytest.approx(90_000, rel=0.01)


def test_of_a_run_that_is_named_the_loads_of_others_are_not_counted() -> None:
    meant = ScrapedHost(run_seconds(steady(300)), run="a" * 16)
    other = ScrapedHost(run_seconds(steady(300)), instance="load-2:9877", label="else", run="b" * 16)
    found = scraped_load(meant, other, run="nightly").evidence
    assert found.successes == 15_000
    assert [
        each.increase() for each in found.series.select("benchmark_requests_total", status_class="2xx")
    ] == [15_000]
    assert scraped_load(meant, other, run="a" * 16).evidence.successes == 15_000
    assert scraped_load(meant, other).evidence.successes == 30_000


def test_hosts_that_differ_are_said() -> None:
    one = ScrapedHost(run_seconds(steady(300)), run="a" * 16)
    other = ScrapedHost(
        run_seconds(steady(300)),
        instance="load-2:9877",
        run="b" * 16,
        version="2",
        bounds=(0.05, 0.1, 0.2, 0.5, 1.0),
    )
    load = scraped_load(one, other)
    assert load.evidence.scraped is not None
    assert [each.english for each in load.evidence.scraped.notes] == [
        "the load hosts have different buckets: quantiles are of the bounds that all have",
        "the load hosts differ in their version: load-1:9877 1, load-2:9877 2",
    ]
    assert load.whole_quantiles["0.5"] == pytest.approx(0.1, abs=0.1)
    assert load.evidence.successes == 30_000


def test_loads_one_after_the_other_are_not_held_against_each_other() -> None:
    first = ScrapedHost(run_seconds(steady(300)), run="a" * 16)
    second = ScrapedHost(
        run_seconds(Stretch(600, known=False), steady(300, rate=10)), run="b" * 16, label="later", before=-1.0
    )
    judged = judge(scraped_load(first, second).evidence, {}, ())
    [throughput] = [each for each in judged.findings if each.check == "throughput"]
    assert throughput.outcome == Outcome.NOT_JUDGED
    assert throughput.text == "more than one load, one after the other; choose one (--run)"


def test_a_window_in_the_middle_of_a_load_is_judged_by_what_is_in_it() -> None:
    host = ScrapedHost(run_seconds(steady(3600)), warmup=60.0)
    found = scraped_load(host, since=BEGAN + 600.0, until=BEGAN + 1800.0).evidence
    assert found.measured_seconds == pytest.approx(1200, abs=6)
    assert found.successes == pytest.approx(60_000, abs=300)
    assert [each.phase for each in found.phases] == [Phase.LOAD]


def test_what_is_planned_and_whether_the_sources_agree_is_not_judged() -> None:
    judged = {
        each.check: each
        for each in judge(scraped_load(ScrapedHost(run_seconds(steady(300)))).evidence, {}, ()).findings
    }
    assert (judged["totals"].outcome, judged["completeness"].outcome) == (
        Outcome.NOT_JUDGED,
        Outcome.NOT_JUDGED,
    )
    assert judged["totals"].text == "there is one source, the Prometheus"
    assert judged["completeness"].text == (
        "a window of a Prometheus does not tell what was planned; "
        "65 of 65 scrapes are there, scraped every 5 s"
    )


MIB = 2**20


def watching(growth: float) -> Any:
    """A scrape that has a router's process, too, whose memory grows by so many bytes a second."""

    def more(host: ScrapedHost, store: SeriesStore, time: float) -> None:
        labels = {"process": "router", "role": "router"}
        host.put(store, "observed_process_up", time, 1, **labels)
        host.put(store, "observed_process_restarts_total", time, 0, **labels)
        host.put(store, "observed_process_start_time_seconds", time, BEGAN - 9000, **labels)
        grown = 200 * MIB + growth * (time - host.begin)
        host.put(store, "observed_process_anonymous_memory_bytes", time, grown, **labels)
        host.put(store, "observed_process_swap_bytes", time, 0, **labels)

    return more


@pytest.mark.parametrize("interval", [5.0, 30.0])
def test_a_leak_is_found_where_it_is_and_its_host_is_named(interval: float) -> None:
    seconds = run_seconds(steady(2700))
    hosts = [
        ScrapedHost(seconds, interval, name, 120.0, before=90.0, run=name[0] * 16, more=watching(growth))
        for name, growth in (("a:9877", 4 * MIB / 60), ("b:9877", 0.0))
    ]
    judged = {each.check: each for each in judge(scraped_load(*hosts).evidence, {}, ()).findings}
    assert judged["memory"].outcome == Outcome.FAIL
    assert judged["memory"].text.startswith("router@a:9877")
    assert "router@b:9877" not in judged["memory"].text
    alone = judge(scraped_load(hosts[1]).evidence, {}, ()).findings
    [memory] = [each for each in alone if each.check == "memory"]
    assert memory.outcome == Outcome.PASS


def test_a_window_without_a_load_is_judged_by_what_is_watched() -> None:
    host = ScrapedHost(run_seconds(steady(2700)), more=watching(4 * MIB / 60))
    read = window_of(host)
    kept = SeriesStore()
    for series in read.store:
        if not series.name.startswith("benchmark_"):
            kept.put(series)
    found = WindowEvidence(replace(read, store=kept))
    assert not found.has_load
    known = found.watched("http://prom:9090", None, False, {})
    assert (known.load_known, known.measured_seconds) == (LoadKnown.NOTHING, read.window.seconds)
    judged = {each.check: each.outcome for each in judge(known, {}, ()).findings}
    assert judged["router"] == Outcome.PASS
    assert judged["alerts"] == Outcome.NOT_JUDGED
    assert {judged[check] for check in ("answers", "latency", "streams", "totals")} == {Outcome.NOT_JUDGED}
    assert judged["memory"] in (Outcome.FAIL, Outcome.INCONCLUSIVE)
