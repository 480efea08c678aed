"""exporter.run.warmup: percentiles of what came after the warm-up, from what the exporter had at its end."""

from collections import Counter
from dataclasses import replace

import pytest

from exporter.live.histogram import BUCKETS, Histogram, bucket_of
from exporter.live.message import Phase
from exporter.live.run import Run
from exporter.live.run_durations import RunDurations
from exporter.live.runs import LiveRuns
from exporter.live.status import RunStatus
from exporter.live.wire import VERSION
from exporter.run.exporter_client import ExporterClient
from exporter.run.registration import Registration
from exporter.run.warmup import WarmUp
from tests.support.clocks import FakeClock
from tests.support.live_messages import RUN, answered, message, register, run_info
from tests.support.local_http import Answer, Asked, LocalHttp


class Exporter:
    """An exporter that has what a test gives it."""

    def __init__(self) -> None:
        self.runs = LiveRuns(FakeClock())
        register(self.runs)
        self.away = False

    @property
    def run(self) -> Run:
        return self.runs.runs[RUN]

    def has(self, *durations_us: int) -> None:
        """All that was answered so far."""
        self.runs.apply(answered({"2xx": list(durations_us)}, sequence=len(durations_us)))

    def streams(self, sequence: int, **times_us: list[int]) -> None:
        """All that was measured of streams so far, by the histogram's name."""
        counts = Counter(
            Histogram[name.upper()] * BUCKETS + bucket_of(each)
            for name, all_of in times_us.items()
            for each in all_of
        )
        counters = {"end_complete": sequence}
        self.runs.apply(message(counts, counters=counters, sequence=sequence))

    def __call__(self, asked: Asked) -> Answer:
        if asked.method == "PUT":
            return 200, {"version": VERSION, "ingest_port": 9}
        if self.away:
            return 503, "away"
        assert asked.path == f"/api/runs/{RUN}/durations"
        return 200, RunDurations.of(self.run).to_json().decode()


@pytest.fixture
def exporter() -> Exporter:
    return Exporter()


def test_what_came_before_the_end_of_the_warm_up_is_in_no_percentile(exporter: Exporter) -> None:
    with LocalHttp(exporter) as server:
        warm_up = WarmUp(Registration(run_info(), ExporterClient(server.url), FakeClock(), Phase.LOAD))
        exporter.has(50, 50, 60)
        assert warm_up.end()
        exporter.has(50, 50, 60, 50, 90, 91)
        assert warm_up.quantiles_after(exporter.run) == warm_up.quantiles_after(None)
        found = warm_up.quantiles_after(None)
    assert found is not None
    assert (found["0.5"], found["0.999"]) == pytest.approx((90e-6, 91e-6))


def test_times_of_streams_are_those_after_it_and_their_counts_are_all(exporter: Exporter) -> None:
    with LocalHttp(exporter) as server:
        warm_up = WarmUp(Registration(run_info(), ExporterClient(server.url), FakeClock(), Phase.LOAD))
        exporter.streams(1, first_token=[900], chunk_gap=[70])
        assert warm_up.end()
        exporter.streams(2, first_token=[900, 90, 90], chunk_gap=[70], time_per_token=[8])
        whole = RunStatus.of(exporter.run, 0.0).streams
        found = warm_up.streams_after(None, whole)
        assert warm_up.streams_after(exporter.run, whole) == found
        assert warm_up.streams_after(exporter.run, None) is None
    assert whole is not None and found is not None
    assert (whole.first_token["0.999"], found.first_token["0.999"]) == pytest.approx(
        (900e-6, 90e-6), rel=0.01
    )
    assert found.time_per_token["0.5"] == pytest.approx(8e-6)
    # No gap came after it: that of the whole load stands. What nobody measured is not known.
    assert found.chunk_gap == whole.chunk_gap
    assert found.chunk_gap["0.5"] == pytest.approx(70e-6)
    assert found.first_output["0.5"] is None
    assert replace(found, first_token=whole.first_token) == whole


def test_an_exporter_that_is_away_has_to_be_asked_again(exporter: Exporter) -> None:
    with LocalHttp(exporter) as server:
        warm_up = WarmUp(Registration(run_info(), ExporterClient(server.url), FakeClock(), Phase.LOAD))
        exporter.away = True
        assert not warm_up.end()
        exporter.has(50)
        assert warm_up.quantiles_after(exporter.run) is None
        exporter.away = False
        assert warm_up.end()
        assert warm_up.quantiles_after(None) is None  # nothing came after it
        exporter.has(50, 70)
        found = warm_up.quantiles_after(exporter.run)
    assert found is not None
    assert found["0.5"] == pytest.approx(70e-6)


def test_what_the_exporter_had_and_the_workers_have_not_is_not_known(exporter: Exporter) -> None:
    with LocalHttp(exporter) as server:
        warm_up = WarmUp(Registration(run_info(), ExporterClient(server.url), FakeClock(), Phase.LOAD))
        exporter.has(50, 60)
        assert warm_up.end()
        others = Exporter()
        others.has(60, 61, 62)
        assert warm_up.quantiles_after(others.run) is None
