"""One run of streams of every end: the script, the engine, run.json and /metrics have the same counts."""

from exporter.stack.native import NativeStack
from tests.support.scripted_stream_server import RST, Script, ScriptedStreamServer, chunked
from tests.support.soak_command import Soak, total
from tests.support.stream_events import DONE, ERROR, ROLE, STOP, delta, usage

WORDS = tuple(delta(f"word {place}") for place in range(6))
BY_END: dict[str, Script] = {
    "complete": chunked(ROLE, *WORDS, STOP, usage(11, 60), DONE),
    "truncated": chunked(ROLE, *WORDS, usage(11, 60), DONE),
    "in_band": chunked(ROLE, *WORDS, ERROR, DONE),
    "empty": chunked(ROLE, STOP, usage(11, 0), DONE),
    "disconnect": [*chunked(ROLE, *WORDS, last=b""), RST],
}
WITHOUT_USAGE = chunked(b"".join((ROLE, *WORDS)), STOP, DONE)
REFUSED: Script = [b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"]
CUT: Script = [RST]
TIMES = {"complete": 20, "truncated": 3, "in_band": 4, "empty": 2, "disconnect": 5}
PLAIN_TIMES = 6
SCRIPTS = [
    *(BY_END[end] for end, count in TIMES.items() for _ in range(count)),
    *[WITHOUT_USAGE] * PLAIN_TIMES,
    *[REFUSED] * 7,
    *[CUT] * 2,
]
COMPLETE = TIMES["complete"] + PLAIN_TIMES
ENDS = {**TIMES, "complete": COMPLETE, "stalled": 0, "timeout": 0, "aborted": 0}
FAILURES = {end: count for end, count in TIMES.items() if end != "complete"} | {"read": 2}
TOKENS = 60 * TIMES["complete"] + 6 * PLAIN_TIMES
SERIES = {
    "benchmark_time_to_first_token_seconds_count": COMPLETE,
    "benchmark_time_to_first_output_seconds_count": COMPLETE,
    "benchmark_inter_token_latency_seconds_count": COMPLETE,
    "benchmark_chunk_gap_seconds_count": 5 * TIMES["complete"],
    "benchmark_output_tokens_total": TOKENS,
    "benchmark_input_tokens_total": 11 * TIMES["complete"],
    "benchmark_streams_without_usage_total": PLAIN_TIMES,
    "benchmark_stream_scan_disagreements_total": 0,
    "benchmark_reads_without_stamp_total": 0,
    "benchmark_requests_skipped_total": 0,
}


def test_every_source_has_what_the_script_has(live: NativeStack, soak: Soak) -> None:
    # The connections are each other's: which of them gets which script is chance, how often each is not.
    order = [script for place in range(7) for script in SCRIPTS[place::7]]
    with ScriptedStreamServer(order) as server:
        ended = soak(
            *("--engine", "stream", "--workers", "2", "--connections", "4", "--duration", "60s"),
            *(
                "--max-requests",
                str(len(order)),
                "--target",
                server.url,
                "--label",
                "totals",
                "--watched-elsewhere",
            ),
        ).end()
        assert len(server.exchanges) == len(order), ended.errors

    evidence = ended.document["evidence"]
    answered = COMPLETE + 7
    assert ended.code == 1, ended.errors
    assert evidence["streams"]["ends"] == ENDS
    assert evidence["engine"]["requests"] == answered
    assert evidence["requests"] == {"1xx": 0, "2xx": COMPLETE, "3xx": 0, "4xx": 0, "5xx": 7}
    assert {name: count for name, count in evidence["failures"].items() if count} == FAILURES
    assert {name: each["responses"] for name, each in evidence["counts_by_source"].items()} == dict.fromkeys(
        evidence["counts_by_source"], answered
    )
    assert set(evidence["counts_by_source"]) >= {"engine", "live", "exporter"}
    assert (evidence["streams"]["output_tokens"], evidence["streams"]["input_tokens"]) == (
        TOKENS,
        11 * TIMES["complete"],
    )
    assert {end: total(live, "benchmark_streams_total", end=end) for end in ENDS} == ENDS
    assert {
        reason: total(live, "benchmark_request_failures_total", reason=reason) for reason in FAILURES
    } == (FAILURES)
    assert total(live, "benchmark_requests_total", status_class="2xx") == COMPLETE
    assert total(live, "benchmark_request_duration_seconds_count", status_class="2xx") == COMPLETE
    assert {name: total(live, name) for name in SERIES} == SERIES
    # Each read that brought events: of a stream of events apart, one each.
    reads = {"complete": 10, "truncated": 9, "in_band": 9, "empty": 4, "disconnect": 7}
    expected = sum(reads[end] * count for end, count in TIMES.items()) + 3 * PLAIN_TIMES
    assert total(live, "benchmark_events_per_read_count") == total(live, "benchmark_client_lag_seconds_count")
    assert total(live, "benchmark_events_per_read_count") == expected
