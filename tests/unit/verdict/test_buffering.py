"""exporter.verdict.buffering: does the router pass streams on as they come?"""

from typing import Any

import pytest

from exporter.live.overhead import Overhead
from exporter.verdict.buffering import judge_buffering
from exporter.verdict.finding import Finding, Outcome
from exporter.verdict.judgement import judge
from tests.support.run_results import evidence, quantiles, streamed


def judged(**changes: Any) -> Finding:
    return judge_buffering(evidence(**streamed(**changes)))


@pytest.mark.parametrize(
    ("shaped", "buffered", "outcome"),
    [
        (19, 19, Outcome.NOT_JUDGED),
        (20, 10, Outcome.PASS),
        (20, 11, Outcome.FAIL),
        (1000, 0, Outcome.PASS),
        (0, 0, Outcome.NOT_JUDGED),
    ],
)
def test_it_buffers_where_most_of_the_long_streams_look_so(
    shaped: int, buffered: int, outcome: Outcome
) -> None:
    finding = judged(shaped=shaped, buffered=buffered)
    assert finding.outcome == outcome
    assert finding.figure == (None if outcome == Outcome.NOT_JUDGED else buffered / shaped)


def test_it_is_said_in_one_sentence() -> None:
    assert judged(buffered=900, events_per_read=quantiles(22.0)).text == (
        "the router buffers: in 900 of 1,000 streams more than 90 % of the time passed before the first "
        "token, and a read brought 22 events (p50)"
    )


@pytest.mark.parametrize(
    ("high", "outcome", "end"),
    [
        (0.019, Outcome.PASS, "and from the node itself as late: not the router's doing"),
        (0.021, Outcome.FAIL, "the router adds 10 ms to the first token (95 %: 5 ms to 21 ms, 30 pairs)"),
    ],
)
def test_where_the_node_itself_is_as_late_it_is_not_the_router(
    high: float, outcome: Outcome, end: str
) -> None:
    overhead = Overhead(pairs=30, median=0.01, low=0.005, high=high)
    finding = judged(buffered=900, first_token=quantiles(0.2), overhead_first_token=overhead)
    assert finding.outcome == outcome
    assert finding.text.endswith(end)


@pytest.mark.parametrize(
    ("warn", "require", "outcome", "code"),
    [
        ((), (), Outcome.WARNING, 0),
        ((), ("buffering",), Outcome.FAIL, 1),
        (("buffering",), ("buffering",), Outcome.WARNING, 0),
        ((), ("idle",), Outcome.WARNING, 3),
    ],
)
def test_it_is_a_warning_unless_it_is_required(
    warn: tuple[str, ...], require: tuple[str, ...], outcome: Outcome, code: int
) -> None:
    judgement = judge(evidence(**streamed(buffered=900)), {}, warn, (), require)
    (finding,) = (each for each in judgement.findings if each.check == "buffering")
    assert (finding.outcome, judgement.exit_code) == (outcome, code)
