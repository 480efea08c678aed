"""`soak run --engine stream` and an exporter that is killed in the midst: totals exact to the token."""

from exporter.stack.native import NativeStack
from tests.support.soak_command import Soak, fault, metrics, running, total


def test_a_killed_and_restarted_exporter_loses_and_doubles_no_stream_and_no_token(
    live: NativeStack, soak: Soak
) -> None:
    fault(live, "truncate_cleanly", ratio=0.2)
    run = soak("--engine", "stream", "--duration", "10s", "--connections", "20", "--abort-ratio", "0.1")
    running(live, 40)
    before = metrics(live)
    live.kill("exporter")
    live.start_exporter()
    after = metrics(live)
    counters = [
        key
        for key in before
        if key[0].startswith("benchmark_") and key[0].endswith(("_total", "_bucket", "_count", "_sum"))
    ]
    assert {"benchmark_streams_total", "benchmark_output_tokens_total"} <= {name for name, _ in counters}
    assert [key for key in counters if after.get(key, -1.0) < before[key]] == []
    streams = run.end().document["evidence"]["streams"]
    ends = {end: total(live, "benchmark_streams_total", end=end) for end in streams["ends"]}
    assert ends == streams["ends"]
    assert total(live, "benchmark_output_tokens_total") == streams["output_tokens"]
    assert total(live, "benchmark_time_to_first_token_seconds_count") == ends["complete"]
    assert ends["truncated"] > 0
    assert ends["complete"] > 40
