"""exporter.load.engine and output: two loads of a run as one."""

from exporter.live.message import FailureReason
from exporter.load.engine import EngineTotals
from exporter.load.output import STDOUT_BYTES, EngineOutput, Printed


def test_the_totals_of_two_loads_are_those_of_both() -> None:
    first = EngineTotals(100, 30.0, 2, {"read": 1}, {FailureReason.READ: 1}, {"99": 0.1}, (4.0,))
    second = EngineTotals(50, 29.5, 1, {"read": 2, "write": 3}, {FailureReason.WRITE: 3}, {"99": 0.2}, (5.0,))
    assert first + second == EngineTotals(
        requests=150,
        duration_seconds=59.5,
        non_2xx=3,
        socket_errors={"read": 3, "write": 3},
        failures={FailureReason.READ: 1, FailureReason.WRITE: 3},
        percentiles_seconds={},
        stopped_after_seconds=(4.0, 35.0),
    )


def test_what_two_loads_print_is_kept_in_order_and_within_the_bound() -> None:
    both = EngineOutput(Printed(b"one\n"), Printed(b"first\n")) + EngineOutput(Printed(b"two\n"), Printed())
    assert bytes(both) == b"one\ntwo\n\n[standard error]\nfirst\n"
    much = EngineOutput(Printed(b"a" * (STDOUT_BYTES // 2), b"b" * (STDOUT_BYTES // 2), 7))
    kept = bytes((much + EngineOutput(Printed(b"the end\n"))).stdout)
    assert len(kept) < STDOUT_BYTES + 100
    assert kept.startswith(b"aaa")
    assert kept.endswith(b"the end\n")
