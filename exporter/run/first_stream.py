"""What the first stream of a target shows, before a load is made of a million such."""

from collections.abc import Iterator

from exporter.live.message import StreamEnd
from exporter.load.stream.apis import meaning_of
from exporter.load.stream.done_advice import WITH_DONE
from exporter.load.stream.scan import StreamScan
from exporter.load.stream.shape import Asked
from exporter.load.stream.sse import Event, end_of_event, event_of

EVENT_STREAM = "text/event-stream"
NO_REASON = (
    "a stream that ends with [DONE] and no finish reason, as routers end one that lost its upstream: such "
    "count as truncated; for a server that never sends a reason give --complete-on done"
)


def oddity_of(
    asked: Asked, complete_on_done: bool, content_type: str, body: bytes, whole: bool
) -> tuple[str, str] | None:
    """What is odd in a 2xx answer to a request for a stream, and a part of it to be quoted (may be empty).

    None where nothing is. `whole`: the body came to its clean end.
    """
    if not content_type.strip().lower().startswith(EVENT_STREAM):
        kind = f" ({content_type.partition(';')[0].strip()})" if content_type else ""
        return f"no stream{kind}, though the body asks for one", ""
    scan = StreamScan(asked.api, complete_on_done, check_every=1)
    scan.reset(asked.choices)
    scan.feed(body, 0.0)
    end = scan.end()
    if end is StreamEnd.IN_BAND:
        return "a stream with an error in it", _error_of(asked, body)
    if not whole:
        return None
    if end is StreamEnd.EMPTY:
        return "a stream without a token", ""
    if end is StreamEnd.TRUNCATED:
        is_done = scan.done_seen and asked.api in WITH_DONE
        return NO_REASON if is_done else "a stream that ends without its finish", ""
    return None


def _error_of(asked: Asked, body: bytes) -> str:
    """The data of the event with the error."""
    found = (event for event in _events(body) if meaning_of(asked.api, event).in_band)
    event = next(found, None)
    return "" if event is None else event.data


def _events(body: bytes) -> Iterator[Event]:
    """Those of a whole body, and what stands behind the last of them."""
    start = 0
    while start < len(body):
        end = end_of_event(body, start)
        end = len(body) if end < 0 else end
        event = event_of(body[start:end])
        if event is not None:
            yield event
        start = end
