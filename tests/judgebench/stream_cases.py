"""What the streaming engine sees, in simulated time: streams that are cut off, held back, wrong inside."""

from dataclasses import replace
from typing import Any

from exporter.live.long_seen import HeldSeen, IdleSeen, LongSeen
from exporter.live.message import FailureReason, StreamEnd
from exporter.live.overhead import Overhead
from exporter.verdict.evidence import Evidence
from tests.judgebench.case import Case, simulated
from tests.judgebench.load_cases import (
    FAIL,
    INCONCLUSIVE,
    LONG,
    NOT_JUDGED,
    PASS,
    SERVICE,
    WARNING,
    clean,
    fails,
)
from tests.judgebench.right import Cause, Right
from tests.judgebench.scene import Scene
from tests.support.run_results import quantiles, stream_counts

MINUTE = 60
ON_STREAMS = ("streams", "buffering", "idle")
KEPT = LongSeen(IdleSeen(float(LONG), "nobody", None), (HeldSeen(60.0, True, "nobody", None, 60.0, 0),))


def streaming(
    scene: Scene, seen: LongSeen | None = KEPT, others: dict[str, Any] | None = None, **counts: Any
) -> Evidence:
    """A scene of which every request was a stream; what failed in it are the ends of its streams."""
    known = scene.evidence()
    ends = {
        end.value: known.failures.get(FailureReason(end.value), 0)
        for end in StreamEnd
        if end.value in set(FailureReason)
    }
    ends["complete"] = known.successes
    fields = {"output_tokens": 40 * known.successes, "shaped": known.successes, **counts}
    streams = stream_counts(ends, **fields)
    return replace(known, engine="stream", streams=streams, long_seen=seen, **(others or {}))


CASES: tuple[Case, ...] = (
    simulated(
        "streams-clean",
        "45 min",
        "8 streams a second, nothing happens",
        clean(*SERVICE, *ON_STREAMS, "generator"),
        lambda: streaming(Scene(LONG, rate=8, median=0.9)),
    ),
    simulated(
        "stream-truncated-once",
        "45 min",
        "one stream of 20,000 ends properly in mid-sentence",
        fails(
            Cause("streams", FAIL, ("1 of ", "truncated: 1"), (20 * MINUTE, 20 * MINUTE + 1)),
            Cause("disconnects", FAIL, ("truncated: 1",), (20 * MINUTE, 20 * MINUTE + 1)),
        ),
        lambda: streaming(
            Scene(LONG, rate=8, median=0.9).fails(20 * MINUTE, 20 * MINUTE + 1, FailureReason.TRUNCATED, 0.13)
        ),
    ),
    simulated(
        "streams-stalled",
        "45 min",
        "one stream in ten falls silent for a minute",
        fails(
            Cause("streams", FAIL, ("stalled: ",), (600, 660)),
            Cause("disconnects", FAIL, ("stalled: ",), (600, 660)),
            Cause("answers", FAIL, ("stalled: ",), (600, 660)),
        ),
        lambda: streaming(Scene(LONG, rate=8, median=0.9).fails(600, 660, FailureReason.STALLED, 0.1)),
    ),
    simulated(
        "streams-error-inside",
        "45 min",
        "3 % of the streams have an error inside",
        fails(Cause("answers", FAIL, ("in_band: ",))),
        lambda: streaming(Scene(LONG, rate=8, median=0.9).fails(0, LONG, FailureReason.IN_BAND, 0.03)),
    ),
    simulated(
        "streams-few-errors-inside",
        "45 min",
        "0.3 % of the streams have an error inside: a pass by their share",
        clean(*SERVICE, *ON_STREAMS),
        lambda: streaming(Scene(LONG, rate=8, median=0.9).fails(0, LONG, FailureReason.IN_BAND, 0.003)),
    ),
    simulated(
        "streams-left-by-the-client",
        "45 min",
        "a tenth of the streams is left by the client: in no ratio",
        clean(*SERVICE, *ON_STREAMS),
        lambda: _left(streaming(Scene(LONG, rate=8, median=0.9))),
    ),
    simulated(
        "streams-buffered",
        "45 min",
        "the router holds every stream back to its end",
        Right(PASS, (Cause("buffering", WARNING, ("the router buffers",)),)),
        lambda: _buffered(None),
    ),
    simulated(
        "streams-buffered-by-the-node",
        "45 min",
        "the node itself answers at the end, as --direct tells",
        clean(*SERVICE, *ON_STREAMS, but=(Cause("buffering", PASS, ("not the router's doing",)),)),
        lambda: _buffered(Overhead(pairs=400, median=0.004, low=0.003, high=0.005)),
    ),
    simulated(
        "idle-connection-cut",
        "45 min",
        "an idle connection is closed after 5 s, a stream silent for 60 s is cut",
        Right(PASS, (Cause("idle", WARNING, ("after 5 s (FIN)", "silence that survived was 30 s")),)),
        lambda: streaming(
            Scene(LONG, rate=8, median=0.9),
            LongSeen(
                IdleSeen(5.0, "router", "fin", 40),
                (
                    HeldSeen(30.0, True, "nobody", None, 30.0, 0),
                    HeldSeen(60.0, False, "router", "fin", 50.0, 0),
                ),
            ),
        ),
    ),
    simulated(
        "stream-client-late",
        "45 min",
        "the client reads up to 40 ms late, the first token comes after 200 ms",
        Right(
            INCONCLUSIVE,
            (Cause("generator", INCONCLUSIVE, ("40 ms", "bound 10 ms")), Cause("latency", INCONCLUSIVE)),
        ),
        lambda: streaming(Scene(LONG, rate=8, median=0.9), client_lag=quantiles(0.02)),
    ),
    simulated(
        "stream-scan-wrong",
        "45 min",
        "the fast scan of events disagrees with a parser once",
        Right(INCONCLUSIVE, (Cause("streams", INCONCLUSIVE, ("1 of 90",)),)),
        lambda: streaming(Scene(LONG, rate=8, median=0.9), disagreed=1),
    ),
    simulated(
        "open-load-that-skips",
        "45 min",
        "a tenth of an open load is not sent: its latency is not known",
        Right(
            INCONCLUSIVE,
            (
                Cause("latency", INCONCLUSIVE, ("were not sent for --max-in-flight",)),
                Cause("completeness", INCONCLUSIVE, ("requests that were due (10.",)),
            ),
        ),
        lambda: streaming(Scene(LONG, rate=8, median=0.9), others={"requests_per_second": 9.0}, skipped=2400),
    ),
    simulated(
        "streams-for-a-minute",
        "60 s",
        "a minute of streams: silent connections are not judged, and said so",
        clean(*SERVICE[:2], "streams", "buffering", but=(Cause("idle", NOT_JUDGED),)),
        lambda: streaming(Scene(60, rate=8, median=0.9), LongSeen(IdleSeen(58.0, "nobody", None))),
    ),
)


def _left(known: Evidence) -> Evidence:
    assert known.streams is not None
    ends = {**known.streams.ends, StreamEnd.ABORTED: known.successes // 9}
    return replace(known, streams=replace(known.streams, ends=ends))


def _buffered(overhead: Overhead | None) -> Evidence:
    known = streaming(
        Scene(LONG, rate=8, median=0.9),
        first_token=quantiles(0.9),
        events_per_read=quantiles(20.0),
        overhead_first_token=overhead,
    )
    assert known.streams is not None
    return replace(known, streams=replace(known.streams, buffered=known.streams.shaped))
