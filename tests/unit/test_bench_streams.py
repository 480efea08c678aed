"""scripts/bench: what the streaming engine's parts of `make bench` make of what they read."""

import json
from pathlib import Path
from typing import Any

import pytest
from paced_server import quantile, sends_of
from peer_loads import PeerRun, parse_aiperf, parse_guidellm, parse_locust
from peers import TOKENIZER, lay_out_tokenizer
from stream_load import StreamRun
from stream_pace import Script, counted_rows, worker_rows
from stream_speed import Turn, speed_rows

from exporter.errors import SoakError
from exporter.live.message import StreamEnd
from exporter.load.stream.apis import Api
from exporter.load.stream.scan import StreamScan

MIB = 1 << 20


def own(
    rate: float = 1000.0, complete: int = 10, tokens: int = 500, first: float = 0.0005, **sources: int
) -> StreamRun:
    counts = {"engine": complete, "live": complete, "exporter": complete, "scraped": complete, **sources}
    return StreamRun(
        {
            "success_requests_per_second": rate,
            "counts_by_source": {name: {"responses": count} for name, count in counts.items()},
            "streams": {
                "ends": {"complete": complete},
                "output_tokens": tokens,
                "time_to_first_token_seconds": {"0.5": first, "0.99": None},
            },
        }
    )


def test_the_figures_of_aiperf_are_in_seconds() -> None:
    document = {"request_throughput": {"avg": 123.5}, "time_to_first_token": {"p50": 157.8}}
    assert parse_aiperf(json.dumps(document)) == PeerRun(123.5, 157.8 / 1e3)
    assert parse_aiperf('{"request_throughput": {"avg": 7}}') == PeerRun(7.0, None)


def guidellm(errored: int = 0) -> str:
    metrics = {
        "request_totals": {"successful": 9, "errored": errored, "incomplete": 1, "total": 10},
        "requests_per_second": {"successful": {"mean": 124.4}},
        "time_to_first_token_ms": {"successful": {"percentiles": {"p50": 40.5}}},
    }
    return json.dumps({"benchmarks": [{"metrics": metrics}]})


def test_the_figures_of_guidellm_are_those_of_what_succeeded() -> None:
    assert parse_guidellm(guidellm()) == PeerRun(124.4, 40.5 / 1e3)


def locust(failures: int = 0) -> str:
    row = {
        "num_requests": 5000,
        "num_failures": failures,
        "start_time": 100.0,
        "last_request_timestamp": 104.0,
    }
    return json.dumps([row])


def test_the_rate_of_locust_is_from_its_first_request_to_its_last() -> None:
    assert parse_locust(locust()) == PeerRun(1250.0)


@pytest.mark.parametrize(
    ("parse", "text", "said"),
    [
        (parse_aiperf, '{"error_request_count": {"avg": 3.0}}', "aiperf had 3 failures"),
        (parse_aiperf, "{}", "aiperf left no request_throughput.avg"),
        (parse_guidellm, guidellm(errored=2), "guidellm had 2 failures"),
        (parse_locust, locust(failures=1), "locust had 1 failures"),
        (parse_locust, "[]", "locust: it sent no requests"),
    ],
)
def test_a_peers_load_with_failures_or_without_figures_is_none(parse: Any, text: str, said: str) -> None:
    with pytest.raises(SoakError, match=said):
        parse(text)


def test_a_ratio_is_of_one_turn_and_a_peer_that_could_not_be_had_is_named_with_its_reason() -> None:
    turns = [
        Turn(own(rate), {"aiperf": PeerRun(theirs, 0.09)})
        for rate, theirs in ((900, 100), (600, 50), (500, 125))
    ]
    rows = speed_rows(turns, True, {"guidellm": "pip ended with exit code 1"})
    assert [(row.measured, row.meets) for row in rows] == [
        ("39,600 events/s", None),
        ("9.0 (4.0 to 12.0; 6,600 events/s)", True),
        ("0.50 ms, 90.0 ms", None),
        ("not measured: pip ended with exit code 1", None),
    ]
    assert speed_rows(turns[2:], True, {"guidellm": "?"})[1].meets is False


def test_a_peer_whose_load_failed_is_named_with_what_it_said() -> None:
    turn = Turn(own(), {"aiperf": PeerRun(10.0)}, {"locust": "locust had 1 failures"})
    assert speed_rows([turn], False, {})[-1].measured == "not measured: locust had 1 failures"


@pytest.mark.parametrize(
    ("run", "whole", "meets"),
    [
        (own(), 10, True),
        (own(), 12, True),
        (own(), 9, False),
        (own(), 13, False),
        (own(scraped=9), 10, False),
        (own(tokens=499), 10, False),
    ],
)
def test_streams_are_exact_where_every_source_has_them_all(run: StreamRun, whole: int, meets: bool) -> None:
    [row] = counted_rows(run, Script(whole, {}), 2, 50)
    assert row.meets is meets


@pytest.mark.parametrize(
    ("sizes", "meets"),
    [
        ([30 * MIB] * 300, [True, True]),
        ([30 * MIB + second * 4096 for second in range(300)], [True, False]),
        ([144 * MIB] * 300, [False, True]),
    ],
)
def test_a_worker_is_flat_below_its_bound(sizes: list[int], meets: list[bool]) -> None:
    rows = worker_rows([(float(second), size) for second, size in enumerate(sizes)])
    assert [row.meets for row in rows] == meets


def test_what_the_paced_server_sends_is_a_complete_stream_of_its_tokens() -> None:
    sends = sends_of(5)
    assert len(sends) == 5
    head, _, rest = b"".join(sends).partition(b"\r\n\r\n")
    assert b"200 OK" in head
    body = b""
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        body, rest = body + rest[: int(size, 16)], rest[int(size, 16) + 2 :]
    scan = StreamScan(Api.CHAT, False, 1)
    scan.reset()
    scan.feed(body, 1.0)
    assert (scan.end(), scan.output_tokens, scan.disagreed) == (StreamEnd.COMPLETE, 5, 0)


def test_quantiles_are_values_that_were_measured() -> None:
    assert (quantile([3.0, 1.0, 2.0], 0.5), quantile([3.0, 1.0, 2.0], 0.99), quantile([], 0.5)) == (
        2.0,
        3.0,
        None,
    )


def test_the_tokenizer_lies_as_an_entry_of_the_hubs_cache(tmp_path: Path) -> None:
    environment = lay_out_tokenizer(tmp_path / "hub")
    assert environment == {"HF_HUB_CACHE": str(tmp_path / "hub"), "HF_HUB_OFFLINE": "1"}
    entry = tmp_path / "hub" / f"models--{TOKENIZER.replace('/', '--')}"
    commit = (entry / "refs" / "main").read_text()
    assert (entry / "snapshots" / commit / "tokenizer.json").is_file()
