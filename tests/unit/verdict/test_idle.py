"""exporter.verdict.idle: what becomes of a connection on which nothing comes."""

from typing import Literal

import pytest

from exporter.live.long_seen import HeldSeen, IdleSeen, LongSeen
from exporter.verdict.finding import Finding, Outcome
from exporter.verdict.idle import judge_idle
from exporter.verdict.judgement import judge
from tests.support.run_results import evidence, streamed


def judged(idle: IdleSeen | None = None, *held: HeldSeen) -> Finding:
    return judge_idle(evidence(**streamed(), long_seen=LongSeen(idle=idle, held=held)))


def kept(seconds: float, heartbeats: int = 0) -> HeldSeen:
    return HeldSeen(seconds, True, "nobody", None, seconds, heartbeats)


def cut(seconds: float, after: float) -> HeldSeen:
    return HeldSeen(seconds, False, "router", "fin", after, 0)


@pytest.mark.parametrize(
    ("seconds", "how", "outcome"),
    [
        (600.0, None, Outcome.PASS),
        (59.9, None, Outcome.NOT_JUDGED),
        (5.0, "fin", Outcome.FAIL),
        (59.9, "fin", Outcome.FAIL),
        (60.0, "fin", Outcome.PASS),
        (300.0, "rst", Outcome.FAIL),
    ],
)
def test_an_idle_connection_is_kept_for_a_minute_and_never_reset(
    seconds: float, how: Literal["fin", "rst"] | None, outcome: Outcome
) -> None:
    finding = judged(IdleSeen(seconds, "router" if how else "nobody", how))
    assert finding.outcome == outcome
    assert (f"({how.upper()})" if how else "stayed open") in finding.text


def test_a_silent_stream_that_is_cut_is_told_with_the_longest_silence_that_was_survived() -> None:
    finding = judged(None, kept(15.0, 2), kept(30.0, 3), cut(60.0, 45.5), cut(100.0, 45.6))
    assert (finding.outcome, finding.figure) == (Outcome.FAIL, 45.5)
    assert finding.text == (
        "a stream that was to be silent for 60 s was cut after 45.5 s (FIN), 2 of 4; "
        "the longest silence that survived was 30 s, 5 heartbeats came"
    )


def test_silent_streams_that_were_all_kept_pass() -> None:
    finding = judged(IdleSeen(20.0, "nobody", None), kept(15.0))
    assert (finding.outcome, finding.text) == (
        Outcome.PASS,
        "an idle connection stayed open for 20 s; the longest silence that survived was 15 s, "
        "without heartbeats",
    )


def test_that_no_silent_stream_was_held_is_said() -> None:
    assert judged(IdleSeen(75.0, "router", "fin")).text == (
        "the router closed an idle connection after 75 s (FIN); no silent stream was held (--hold-model)"
    )


def test_why_no_silent_stream_was_held_is_said() -> None:
    seen = LongSeen(IdleSeen(75.0, "router", "fin"), (), "the model answered 404")
    assert judge_idle(evidence(**streamed(), long_seen=seen)).text.endswith(
        "; no silent stream was held (--hold-model): the model answered 404"
    )


def test_nothing_seen_is_not_judged() -> None:
    assert (judged().outcome, judged().text) == (Outcome.NOT_JUDGED, "no idle connection was watched")
    assert judge_idle(evidence()).text == "only --engine stream looks into streams"


@pytest.mark.parametrize(("require", "code"), [((), 0), (("idle",), 1)])
def test_it_is_a_warning_unless_it_is_required(require: tuple[str, ...], code: int) -> None:
    seen = LongSeen(idle=IdleSeen(5.0, "router", "rst"), held=())
    assert judge(evidence(**streamed(), long_seen=seen), {}, (), (), require).exit_code == code
