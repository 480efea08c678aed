"""The scan against a plain reading of the same streams, cut between any two bytes."""

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.load.stream.apis import Api
from exporter.load.stream.event_shape import EventShapes
from exporter.load.stream.scan import StreamScan
from tests.support.stream_bodies import bodies
from tests.support.stream_reference import end_of, reading_of


def _feed(scan: StreamScan, body: bytes, cuts: list[int]) -> list[float]:
    """Feed the body in pieces, the n-th at the second n; returns the second at which each byte came."""
    seconds: list[float] = []
    for second, (start, end) in enumerate(zip([0, *cuts], [*cuts, len(body)], strict=True)):
        scan.feed(body[start:end], float(second))
        seconds += [float(second)] * (end - start)
    return seconds


def _hold(api: Api, body: bytes, cuts: list[int], asked: int, shapes: EventShapes, check_every: int) -> None:
    scan = StreamScan(api, complete_on_done=False, check_every=check_every, shapes=shapes)
    scan.reset(asked)
    seconds = _feed(scan, body, cuts)
    expected = reading_of(api, body)

    arrivals = [seconds[place] for place in expected.token_events]
    assert scan.events == expected.events
    assert scan.token_events == len(expected.token_events)
    assert scan.first_token_at == (arrivals[0] if arrivals else None)
    assert scan.last_token_at == (arrivals[-1] if arrivals else None)
    assert scan.first_output_at == (seconds[expected.output_events[0]] if expected.output_events else None)
    assert sum(scan.gaps.values()) == max(len(set(arrivals)) - 1, 0)
    assert scan.gap_sum_us == (round((arrivals[-1] - arrivals[0]) * 1e6) if arrivals else 0)
    assert (scan.input_tokens, scan.output_tokens) == (expected.input_tokens, expected.output_tokens)
    assert (scan.in_band, scan.done_seen, scan.broken) == (
        expected.in_band,
        expected.done,
        expected.broken,
    )
    assert scan.disagreed == 0
    assert scan.end() is end_of(api, expected, asked)


def _test_of(api: Api) -> Any:
    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(data=st.data())
    def holds(data: st.DataObject) -> None:
        body = data.draw(bodies(api))
        cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=6)))
        asked = data.draw(st.sampled_from((1, 1, 2, 3)))
        check_every = data.draw(st.sampled_from((1, 2, 1000)))
        shapes = EventShapes()
        for _ in range(2):
            _hold(api, body, cuts, asked, shapes, check_every)
        _hold(api, body, [], asked, shapes, check_every)

    return holds


test_chat_completions = _test_of(Api.CHAT)
test_completions = _test_of(Api.COMPLETIONS)
test_messages = _test_of(Api.MESSAGES)
test_responses = _test_of(Api.RESPONSES)
