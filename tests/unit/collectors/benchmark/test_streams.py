"""exporter.collectors.benchmark.streams and stream_figures: what a streaming engine counts, as series."""

from typing import Any

import pytest
from prometheus_client.core import Metric

from exporter.collectors.benchmark.stream_figures import STREAM_FIGURE_FAMILIES, stream_figure_families
from exporter.collectors.benchmark.streams import STREAM_FAMILIES, stream_families
from exporter.live.histogram import Histogram
from exporter.live.message import STREAM_ENDS, STREAM_ENGINE, Counter, Pair, Phase, Route, StreamEnd
from exporter.live.runs import LiveRuns
from tests.support.clocks import FakeClock
from tests.support.live_messages import LOCAL_MODEL, RUN, answered, register, streamed

LABELS = (("model", "gpt-oss:20b"), ("route", "local"))
HISTOGRAMS = {
    "benchmark_time_to_first_token_seconds": Histogram.FIRST_TOKEN,
    "benchmark_time_to_first_output_seconds": Histogram.FIRST_OUTPUT,
    "benchmark_chunk_gap_seconds": Histogram.CHUNK_GAP,
    "benchmark_inter_token_latency_seconds": Histogram.TIME_PER_TOKEN,
    "benchmark_client_lag_seconds": Histogram.CLIENT_LAG,
    "benchmark_send_lateness_seconds": Histogram.SEND_LATENESS,
}


@pytest.fixture
def runs(clock: FakeClock) -> LiveRuns:
    found = LiveRuns(clock)
    register(found, engine=STREAM_ENGINE, goodput="ttft < 1 s")
    return found


def samples(families: list[Metric]) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def counted(runs: LiveRuns) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return samples(list(stream_families(runs)))


def figures(runs: LiveRuns, clock: FakeClock) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return samples(list(stream_figure_families(runs, clock.monotonic())))


def labelled(name: str, **labels: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    return name, tuple(sorted((*LABELS, *labels.items())))


def by_label(runs: LiveRuns, name: str, label: str) -> dict[str, float]:
    return {dict(labels)[label]: value for (each, labels), value in counted(runs).items() if each == name}


def test_a_load_without_streams_has_none_of_the_families(clock: FakeClock) -> None:
    found = LiveRuns(clock)
    assert list(stream_families(found)) == []
    register(found)
    found.apply(answered({"2xx": [100], "5xx": [9]}, {503: 1}, failures={"read": 1}))
    assert list(stream_families(found)) == []
    assert list(stream_figure_families(found, clock.monotonic())) == []


def test_every_series_is_there_with_zero_once_a_run_of_streams_is_announced(
    runs: LiveRuns, clock: FakeClock
) -> None:
    assert {family.name for family in stream_families(runs)} == {
        name.removesuffix("_total") for name in STREAM_FAMILIES
    }
    found = counted(runs)
    assert set(found.values()) == {0}
    assert by_label(runs, "benchmark_streams_total", "end") == dict.fromkeys(StreamEnd, 0)
    assert by_label(runs, "benchmark_refusals_total", "by") == {"router": 0, "upstream": 0}
    for name in HISTOGRAMS:
        assert found[labelled(f"{name}_count")] == found[labelled(f"{name}_sum")] == 0
    # What is a share or a difference of nothing is not known.
    assert figures(runs, clock) == {}


def test_what_was_counted_stays_when_the_run_is_over_and_forgotten(clock: FakeClock) -> None:
    found = LiveRuns(clock)
    register(found, engine=STREAM_ENGINE)
    found.apply(streamed({"end_complete": 4, "output_tokens": 90}, {}))
    register(found, Phase.FINISHED, engine=STREAM_ENGINE)
    found.runs.clear()
    assert counted(found)[labelled("benchmark_output_tokens_total")] == 90


@pytest.mark.parametrize(("end", "counter"), list(zip(StreamEnd, STREAM_ENDS, strict=True)))
def test_each_end_is_counted_by_its_name(runs: LiveRuns, end: StreamEnd, counter: Counter) -> None:
    runs.apply(streamed({counter: 3}, {}))
    assert by_label(runs, "benchmark_streams_total", "end") == {**dict.fromkeys(StreamEnd, 0), end: 3}


@pytest.mark.parametrize(
    ("counter", "name", "labels"),
    [
        ("output_tokens", "benchmark_output_tokens_total", {}),
        ("input_tokens", "benchmark_input_tokens_total", {}),
        ("without_usage", "benchmark_streams_without_usage_total", {}),
        ("skipped", "benchmark_requests_skipped_total", {}),
        ("shaped", "benchmark_streams_shaped_total", {}),
        ("buffered", "benchmark_streams_buffered_total", {}),
        ("checked", "benchmark_stream_scan_checks_total", {}),
        ("disagreed", "benchmark_stream_scan_disagreements_total", {}),
        ("unstamped", "benchmark_reads_without_stamp_total", {}),
        ("router_refusals", "benchmark_refusals_total", {"by": "router"}),
        ("upstream_refusals", "benchmark_refusals_total", {"by": "upstream"}),
    ],
)
def test_each_counter_is_one_series(runs: LiveRuns, counter: str, name: str, labels: dict[str, str]) -> None:
    runs.apply(streamed({counter: 7}, {}))
    assert {key: value for key, value in counted(runs).items() if value} == {labelled(name, **labels): 7}


@pytest.mark.parametrize(("name", "histogram"), HISTOGRAMS.items())
def test_each_histogram_is_in_seconds(runs: LiveRuns, name: str, histogram: Histogram) -> None:
    runs.apply(streamed({}, {histogram: [900, 1_900, 250_000]}))
    found = counted(runs)
    assert found[labelled(f"{name}_count")] == 3
    assert found[labelled(f"{name}_sum")] == pytest.approx(0.2528)
    assert found[labelled(f"{name}_bucket", le="0.001")] == 1
    assert found[labelled(f"{name}_bucket", le="0.002")] == 2
    assert found[labelled(f"{name}_bucket", le="+Inf")] == 3
    others = [each for each in HISTOGRAMS if each != name]
    assert [found[labelled(f"{each}_count")] for each in others] == [0] * len(others)


def test_events_a_read_are_numbers(runs: LiveRuns) -> None:
    runs.apply(streamed({}, {Histogram.EVENTS_PER_READ: [1, 1, 2, 66]}))
    found = counted(runs)
    name = "benchmark_events_per_read"
    assert found[labelled(f"{name}_sum")] == 70
    assert [found[labelled(f"{name}_bucket", le=le)] for le in ("1.0", "2.0", "63.0", "80.0", "+Inf")] == [
        *(2, 3, 3, 4, 4)
    ]


def test_models_with_streams_stand_beside_those_without(clock: FakeClock) -> None:
    found = LiveRuns(clock)
    register(found)
    other = Pair(Route.OPENAI, "openai:gpt-4o")
    register(found, run="b" * 16, engine=STREAM_ENGINE, pairs=(other,))
    models = {dict(labels)["model"] for _, labels in counted(found)}
    assert (models, {*found.models}) == ({other.model}, {LOCAL_MODEL, other})


def test_goodput_is_the_share_of_the_streams_of_the_trailing_minute(runs: LiveRuns, clock: FakeClock) -> None:
    runs.apply(streamed({"end_complete": 6, "end_stalled": 2, "end_aborted": 5, "good": 4}, {}))
    assert figures(runs, clock) == {labelled("benchmark_goodput_ratio"): 0.5}


def test_without_an_expression_there_is_no_goodput(clock: FakeClock) -> None:
    found = LiveRuns(clock)
    register(found, engine=STREAM_ENGINE)
    found.apply(streamed({"end_complete": 6}, {}))
    assert figures(found, clock) == {}


def test_the_overhead_is_there_by_quantile_and_with_the_interval_of_its_median(
    runs: LiveRuns, clock: FakeClock
) -> None:
    over, under = [100, 120, 140, 160, 180], [50, 60]
    pairs: dict[Histogram, Any] = {
        Histogram.FIRST_TOKEN_OVER: over,
        Histogram.FIRST_TOKEN_UNDER: under,
        Histogram.TOTAL_UNDER: [200, 220],
    }
    runs.apply(streamed({}, pairs))
    found = figures(runs, clock)
    name = "benchmark_router_overhead_seconds"
    assert found[labelled(name, quantile="0.5", of="first_token")] == 120e-6
    assert found[labelled(name, quantile="0.999", of="first_token")] == 180e-6
    assert found[labelled(name, quantile="0.5", of="total")] == -220e-6
    bounds = {
        key: value for key, value in found.items() if key[0] == "benchmark_router_overhead_bound_seconds"
    }
    # Of two pairs there is no interval.
    assert bounds == {
        labelled("benchmark_router_overhead_bound_seconds", bound="low", of="first_token"): -60e-6,
        labelled("benchmark_router_overhead_bound_seconds", bound="high", of="first_token"): 180e-6,
    }


def test_the_figures_are_those_of_the_newest_active_run(runs: LiveRuns, clock: FakeClock) -> None:
    runs.apply(streamed({"end_complete": 4, "good": 4}, {}))
    other = "b" * 16
    register(runs, run=other, engine=STREAM_ENGINE, goodput="ttft < 1 s")
    assert figures(runs, clock) == {}
    runs.apply(streamed({"end_complete": 4, "good": 1}, {}, run=other))
    assert figures(runs, clock) == {labelled("benchmark_goodput_ratio"): 0.25}
    register(runs, Phase.FINISHED, run=other, engine=STREAM_ENGINE, goodput="ttft < 1 s")
    assert figures(runs, clock) == {labelled("benchmark_goodput_ratio"): 1.0}
    register(runs, Phase.FINISHED, run=RUN, engine=STREAM_ENGINE, goodput="ttft < 1 s")
    assert figures(runs, clock) == {}
    assert {*STREAM_FIGURE_FAMILIES}.isdisjoint({name for name, _ in counted(runs)})


def test_a_newer_run_of_another_engine_hides_no_figure(runs: LiveRuns, clock: FakeClock) -> None:
    runs.apply(streamed({"end_complete": 4, "good": 3}, {}))
    register(runs, run="b" * 16)
    assert figures(runs, clock) == {labelled("benchmark_goodput_ratio"): 0.75}


def test_a_counter_never_falls_over_a_restart(runs: LiveRuns, clock: FakeClock) -> None:
    """Two workers; after the restart the first to report had most of what there was to count."""
    runs.apply(streamed({"checked": 60, "disagreed": 4, "end_complete": 9}, {}))
    runs.apply(streamed({"checked": 40, "disagreed": 0, "end_complete": 9}, {}, worker=1))
    before = counted(runs)
    restarted = LiveRuns(clock)
    run = runs.runs[RUN]
    for pair, totals in runs.models.items():
        restarted.restore(pair, totals.copy())
    restarted.restore_run(run.info, run.digest, run.phase, [each.published.copy() for each in run.pairs])
    assert counted(restarted) == before
    for sequence, worker in ((2, 0), (2, 1)):
        restarted.apply(
            streamed({"checked": 70, "disagreed": 9, "end_complete": 9}, {}, worker=worker, sequence=sequence)
        )
        now = counted(restarted)
        assert all(now[key] >= value for key, value in before.items())
        before = now
    assert before[labelled("benchmark_stream_scan_checks_total")] == 140
    assert before[labelled("benchmark_streams_total", end="complete")] == 18
