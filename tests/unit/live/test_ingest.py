"""exporter.live.ingest: hostile datagrams are counted by reason and leave nothing else behind."""

import asyncio
import math
import os
import socket
import struct
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.core import Metric

from exporter.collectors.benchmark.load import ingest_families
from exporter.errors import PortTakenError
from exporter.live.ingest import Ingest, bind_ingest
from exporter.live.message import FIRST_SUM
from exporter.live.runs import LiveRuns
from exporter.live.wire import HEADER, LARGEST_DATAGRAM, encode
from tests.support.clocks import FakeClock
from tests.support.live_messages import LOCAL_MODEL, RUN, answered, message, register

GOOD = encode(answered({"2xx": [100]}, sequence=5, failures={"read": 1}))
NOTHING = {
    "malformed": 0,
    "oversized": 0,
    "version": 0,
    "unknown_run": 0,
    "replayed": 0,
    "inconsistent": 0,
    "no_room": 0,
}


def with_sum(status_class: int, value: float) -> bytes:
    at = HEADER.size + 8 * (1 + FIRST_SUM + status_class)
    return GOOD[:at] + struct.pack("<d", value) + GOOD[at + 8 :]


def of_pair(pair: int) -> bytes:
    """A block of this pair and nothing else."""
    return encode(message(sequence=6, pair=pair))


def listening() -> tuple[LiveRuns, Ingest]:
    runs = LiveRuns(FakeClock())
    register(runs)
    ingest = Ingest(runs.apply)
    ingest.take(GOOD)
    return runs, ingest


def samples(families: Iterable[Metric]) -> dict[str, float]:
    return {
        sample.name + "".join(sample.labels.values()): sample.value
        for family in families
        for sample in family.samples
    }


def totals(runs: LiveRuns) -> tuple[object, ...]:
    found = runs.models[LOCAL_MODEL]
    return list(found.counts()), list(found.values)


@pytest.mark.parametrize(
    ("datagram", "reason"),
    [
        pytest.param(b"", "malformed", id="empty"),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", "malformed", id="another protocol"),
        pytest.param(GOOD[:-3], "malformed", id="cut off"),
        pytest.param(GOOD * 2, "malformed", id="two in one"),
        pytest.param(with_sum(0, math.nan), "malformed", id="NaN"),
        pytest.param(with_sum(1, math.inf), "malformed", id="infinite"),
        pytest.param(with_sum(4, 1e300), "malformed", id="huge"),
        pytest.param(with_sum(1, -1.0), "malformed", id="negative"),
        pytest.param(GOOD[:4] + b"\4" + GOOD[5:], "version", id="an older version"),
        pytest.param(b"SOAK\6", "version", id="a newer version"),
        pytest.param(of_pair(1), "inconsistent", id="a pair that was not announced"),
        pytest.param(of_pair(16), "malformed", id="a pair beyond the maximum"),
        pytest.param(bytes(LARGEST_DATAGRAM + 1), "oversized", id="oversized"),
        pytest.param(bytes(65_507), "oversized", id="the largest that UDP carries"),
        pytest.param(encode(message(run="z" * 16, sequence=9)), "unknown_run", id="unknown run"),
        pytest.param(GOOD, "replayed", id="replayed"),
        pytest.param(encode(answered({"2xx": [100] * 9}, sequence=4)), "replayed", id="older"),
        pytest.param(encode(message(worker=4)), "inconsistent", id="worker out of range"),
        pytest.param(encode(message(worker=2**32 - 1)), "inconsistent", id="worker far out of range"),
        pytest.param(
            encode(message({3428: 0}, sequence=6, sums_us=(0.0, 100.0, 0.0, 0.0, 0.0))),
            "inconsistent",
            id="a count that falls",
        ),
        pytest.param(encode(message(sequence=6)), "inconsistent", id="a sum that falls"),
    ],
)
def test_a_hostile_datagram_is_counted_by_its_reason_and_changes_no_total(
    datagram: bytes, reason: str
) -> None:
    runs, ingest = listening()
    before = totals(runs)
    ingest.take(datagram)
    assert ingest.rejected == {**NOTHING, reason: 1}
    assert ingest.messages == 1
    assert totals(runs) == before
    assert list(runs.models) == [LOCAL_MODEL]
    assert list(runs.runs) == [RUN]


@given(
    st.lists(st.one_of(st.binary(max_size=200), st.binary(max_size=200).map(lambda tail: GOOD[:60] + tail)))
)
def test_no_bytes_raise_anything_and_every_datagram_is_counted(datagrams: list[bytes]) -> None:
    runs, ingest = listening()
    for datagram in datagrams:
        ingest.take(datagram)
    assert ingest.messages + sum(ingest.rejected.values()) == 1 + len(datagrams)
    assert list(runs.models) == [LOCAL_MODEL]


@given(st.data())
def test_a_datagram_with_flipped_bytes_raises_nothing_and_makes_no_run_or_model(data: st.DataObject) -> None:
    runs, ingest = listening()
    datagram = bytearray(encode(answered({"2xx": [100, 100], "4xx": [70]}, {404: 1}, sequence=6)))
    for _ in range(data.draw(st.integers(1, 4))):
        datagram[data.draw(st.integers(0, len(datagram) - 1))] = data.draw(st.integers(0, 255))
    ingest.take(bytes(datagram))
    assert ingest.messages + sum(ingest.rejected.values()) == 2
    assert list(runs.models) == [LOCAL_MODEL]
    assert list(runs.runs) == [RUN]


def test_every_reason_is_exposed_from_the_start_with_zero() -> None:
    assert samples(ingest_families(Ingest(lambda _: None))) == {
        "exporter_ingest_messages_total": 0,
        **{f"exporter_ingest_rejected_total{reason}": 0 for reason in NOTHING},
    }


def test_messages_of_another_version_are_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    _, ingest = listening()
    for _ in range(3):
        ingest.take(GOOD[:4] + b"\4" + GOOD[5:])
    [record] = caplog.records
    assert record.levelname == "WARNING"
    assert "another version than 5" in record.getMessage()
    assert ingest.rejected == {**NOTHING, "version": 3}


def test_taken_and_refused_messages_are_exposed() -> None:
    _, ingest = listening()
    ingest.take(GOOD)
    ingest.take(b"?")
    found = samples(ingest_families(ingest))
    assert found["exporter_ingest_messages_total"] == 1
    assert found["exporter_ingest_rejected_totalreplayed"] == 1
    assert found["exporter_ingest_rejected_totalmalformed"] == 1


def test_what_comes_to_the_socket_is_taken_slow_or_fast() -> None:
    runs, _ = listening()

    async def send_and_serve(udp: socket.socket, ingest: Ingest) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            serving = asyncio.create_task(ingest.serve())
            for sequence in range(6, 1006):
                sender.sendto(
                    encode(answered({"2xx": [100]}, sequence=sequence, failures={"read": 1})),
                    udp.getsockname(),
                )
                if sequence % 40 == 0:
                    while ingest.messages < sequence - 5:
                        await asyncio.sleep(0.001)
            sender.sendto(bytes(65_000), udp.getsockname())
            while not ingest.rejected["oversized"]:
                await asyncio.sleep(0.001)
            serving.cancel()

    with bind_ingest("127.0.0.1", 0) as udp:
        ingest = Ingest(runs.apply, udp)
        asyncio.run(asyncio.wait_for(send_and_serve(udp, ingest), 60))
    assert ingest.messages == 1000
    assert ingest.rejected == {**NOTHING, "oversized": 1}
    assert runs.models[LOCAL_MODEL].requests()[1] == 1


def test_a_bound_socket_is_named_and_a_taken_port_is_named_with_its_option() -> None:
    with bind_ingest("127.0.0.1", 0) as udp:
        port = udp.getsockname()[1]
        assert udp.type & socket.SOCK_DGRAM
        with pytest.raises(PortTakenError) as error:
            bind_ingest("127.0.0.1", port)
    text = str(error.value)
    assert text.startswith(f"ingest: port {port} on 127.0.0.1 is already in use by ")
    assert f"(process {os.getpid()})" in text
    assert text.endswith("--ingest.listen-address")
