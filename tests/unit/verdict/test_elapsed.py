"""exporter.verdict.elapsed: times as findings name them."""

import pytest

from exporter.live.message import Phase
from exporter.live.seconds import SecondCounts, Seconds
from exporter.timeseries import SeriesStore
from exporter.verdict.elapsed import at, from_to, times, together
from exporter.verdict.evidence import PhaseSpan
from exporter.verdict.finding import Span
from tests.support.run_results import evidence

RUN = evidence(phases=(PhaseSpan(1000.4, 1010.4, Phase.WARMUP), PhaseSpan(1010.4, 5000.0, Phase.LOAD)))


@pytest.mark.parametrize(
    ("moment", "text"),
    [(1000.4, "00:00"), (1062.4, "01:02"), (1062.8, "01:02"), (4661.4, "1:01:01"), (900.0, "00:00")],
)
def test_a_moment_is_minutes_and_seconds_since_the_load_began(moment: float, text: str) -> None:
    assert at(RUN, moment) == text


def test_a_span_within_a_second_is_one_moment() -> None:
    assert from_to(RUN, Span(1010.4, 1035.4)) == "00:10–00:35"
    assert from_to(RUN, Span(1010.4, 1010.6)) == "00:10"


def test_of_many_spans_a_few_are_named() -> None:
    spans = [Span(1000.4 + 60 * number, 1010.4 + 60 * number) for number in range(5)]
    assert times(RUN, spans[:2]) == "00:00–00:10, 01:00–01:10"
    assert times(RUN, spans) == "00:00–00:10, 01:00–01:10, 02:00–02:10, … (5)"


def test_spans_a_moment_apart_are_one() -> None:
    spans = [Span(20, 25), Span(10, 12), Span(11, 13), Span(15, 16)]
    assert together(spans, 2.0) == (Span(10, 16), Span(20, 25))


def test_without_phases_the_counts_or_the_record_say_when_it_began() -> None:
    seconds, store = Seconds(), SeriesStore()
    seconds.append(SecondCounts(1200, 1))
    seconds.append(SecondCounts(1300, 1))
    store.add("router_up", {}, 1100.0, 1.0)
    assert evidence(seconds=seconds, series=store).under_load == (Span(1200, 1301),)
    assert evidence(seconds=seconds, series=store).begin == 1200
    assert evidence(series=store).begin == 1100.0
    assert (evidence(series=SeriesStore()).under_load, evidence(series=SeriesStore()).begin) == ((), 0.0)


def test_a_rest_parts_the_load_and_a_warm_up_does_not() -> None:
    known = evidence(
        phases=(
            PhaseSpan(0.0, 60.0, Phase.WARMUP),
            PhaseSpan(60.0, 600.0, Phase.LOAD),
            PhaseSpan(780.0, 1320.0, Phase.LOAD),
            PhaseSpan(1320.0, 1330.0, Phase.DRAIN),
        )
    )
    assert known.under_load == (Span(0.0, 600.0), Span(780.0, 1320.0))
