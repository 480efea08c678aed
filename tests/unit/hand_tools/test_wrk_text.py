"""wrk_text: on outputs of the real wrk (tests/fixtures/wrk), and on whatever wrk can print.

`*-accelerated-clock` are of a real wrk whose clock ran 1,200 or 9,000 times as fast (faketime);
`impossible-duration` is what a wrk printed whose clock had stepped back (the address is another);
`*-synthesized` was written by hand after wrk's src/units.c, with the unit h that wrk 4.1 has and does not
reach.
"""

from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from wrk_text import parse_wrk

from exporter.live.results_csv import ResultRow, rows_text
from tests.support.checkout import FIXTURES

OUTPUTS = FIXTURES / "wrk"
TEXTS = {file.stem: file.read_text(encoding="utf-8") for file in sorted(OUTPUTS.glob("*.txt"))}


def rows(name: str) -> list[ResultRow]:
    return [replace(row, label=name) for row in parse_wrk(TEXTS[name])[0]]


@pytest.mark.parametrize(
    "line",
    [
        "latency,1502.92,5.830,9.020,15.010,,52.500,0,0,3023,2.01",
        "no-latency,1639.48,,,,,,0,0,3283,2.00",
        "run_wrk,1620.50,5.570,7.980,11.950,14.500,22.270,0,0,3246,2.00",
        "microseconds-non2xx,21011.97,0.034,0.071,0.103,,0.357,23106,0,23106,1.10",
        "some-503,1824.07,5.390,7.850,11.300,,20.200,360,0,3650,2.00",
        "read-errors,1639.69,5.500,8.110,11.220,,21.900,0,154,3284,2.00",
        "read-errors-and-429,1773.61,5.100,7.690,10.950,,21.110,369,194,3724,2.10",
        "restart,1458.44,5.610,8.000,11.450,,24.160,0,11915,4382,3.00",
        "interrupted,1648.59,5.600,8.050,11.500,,22.410,0,0,1650,1.00",
        "hang,0.00,,,,,,0,0,0,2.00",
        "timeouts,7.99,,,,,,0,40,40,5.01",
        "minute,645.50,5.480,8.360,11.840,,23.620,0,0,39413,61.20",
        "hour-accelerated-clock,0.22,8720.000,11760.000,15900.000,,27550.000,0,0,778,3608.40",
        "minute-long-responses-accelerated-clock,"
        "0.03,58200.000,83400.000,114000.000,,181200.000,0,0,1120,36004.80",
        "hours-synthesized,0.00,3492000.000,3960000.000,4500000.000,,5040000.000,0,0,8,7200.00",
    ],
    ids=lambda line: line.partition(",")[0],
)
def test_what_wrk_printed_is_what_the_row_says(line: str) -> None:
    name = line.partition(",")[0]
    assert rows_text(rows(name)).splitlines()[1:] == [line]


@pytest.mark.parametrize("name", ["hang", "timeouts"])
def test_latencies_of_no_response_are_unknown_and_not_0(name: str) -> None:
    [row] = rows(name)
    assert "50%    0.00us" in TEXTS[name]
    assert (row.p50_ms, row.p75_ms, row.p90_ms, row.p99_ms) == (None, None, None, None)


def test_a_duration_that_cannot_be_is_unknown_with_the_rate_and_is_reported() -> None:
    [row], complaints = parse_wrk(TEXTS["impossible-duration"])
    assert (row.duration_s, row.rps) == (None, None)
    assert (row.requests, row.p50_ms, row.p99_ms, row.socket_errors) == (35951, 41.4, 1180.0, 128)
    assert complaints == ["35951 requests in 307445734491.24m, 5.51MB read"]


def test_a_run_without_an_answer_has_0_requests() -> None:
    [row] = rows("hang")
    assert (row.rps, row.requests, row.non2xx, row.socket_errors) == (0.0, 0, 0, 0)


def test_responses_that_came_after_the_timeout_are_socket_errors_as_wrk_has_it() -> None:
    [row] = rows("timeouts")
    assert (row.requests, row.socket_errors) == (40, 40)


def test_several_runs_are_several_and_the_one_that_failed_is_a_complaint() -> None:
    first, second = rows("several-runs")
    assert first.requests == 156
    assert first.p99_ms == pytest.approx(80.92)
    assert (second.requests, second.p99_ms) == (332, None)
    assert parse_wrk(TEXTS["several-runs"])[1] == ["unable to connect to localhost:1 Connection refused"]


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("refused", "unable to connect to localhost:1 Connection refused"),
        ("unresolved", "unable to resolve nosuch.invalid:http Name or service not known"),
        ("invalid-url", "invalid URL: foo"),
        ("too-few-connections", "number of connections must be >= threads"),
    ],
)
def test_a_wrk_that_did_not_run_is_no_run(name: str, complaint: str) -> None:
    assert parse_wrk(TEXTS[name]) == ([], [complaint])


def test_the_usage_is_no_run() -> None:
    assert parse_wrk(TEXTS["usage"]) == ([], [])


def test_runs_without_their_first_lines_are_distinguished_by_their_figures() -> None:
    tail = "\n".join(TEXTS["some-503"].splitlines()[-4:])
    assert [run.requests for run in parse_wrk(tail + "\n" + tail)[0]] == [3650, 3650]


def test_a_run_that_was_cut_off_does_not_know_of_its_errors() -> None:
    text = TEXTS["read-errors-and-429"]
    ([run], _) = parse_wrk(text[: text.index("  Socket errors")])
    assert (run.requests, run.socket_errors, run.non2xx) == (3724, None, None)


def test_figures_that_were_picked_out_do_not_know_of_errors() -> None:
    assert parse_wrk("Requests/sec:   1502.92\n") == ([ResultRow("", 1502.92)], [])


def test_a_run_that_was_killed_is_empty() -> None:
    text = "Running 30s test @ http://localhost:8080/\n  2 threads and 10 connections\n"
    assert parse_wrk(text) == ([ResultRow("")], [])


def test_no_run_of_the_fixtures_is_empty() -> None:
    assert not any(run == ResultRow("") for text in TEXTS.values() for run in parse_wrk(text)[0])


# Properties

PIECES = st.sampled_from([line for text in TEXTS.values() for line in text.splitlines(keepends=True)])


@given(st.text() | st.lists(PIECES | st.text(max_size=20), max_size=30).map("".join))
@example("9" * 5000 + " requests in 1s, 1KB read")
@example("  50% " + "9" * 5000 + "ms")
@example("  ５% ５ms\n")
def test_no_text_breaks_the_parser(text: str) -> None:
    found, complaints = parse_wrk(text)
    for row in found:
        assert all(
            value is None or 0 <= value < 1e30
            for value in (row.rps, row.p50_ms, row.p95_ms, row.non2xx, row.socket_errors, row.duration_s)
        )
    assert all(complaint in text for complaint in complaints)


def as_wrk_prints(us: int, most: str = "m") -> tuple[str, float]:
    """A time as wrk prints it, and the half of its last digit in seconds; `most` is the longest unit."""
    ladder = [("us", 1e-6), ("ms", 1e-3)] if us < 1_000_000 else [("s", 1.0), ("m", 60.0), ("h", 3600.0)]
    name, seconds = ladder[0]
    for next_name, next_seconds in ladder[1:]:
        if name == most or us / 1e6 / seconds < 0.85 * next_seconds / seconds:
            break
        name, seconds = next_name, next_seconds
    return f"{us / 1e6 / seconds:.2f}{name}", 0.005 * seconds


COUNTER = st.integers(0, 2**32 - 1)
TIME_US = st.integers(0, 10**6) | st.integers(0, 10**12)


@given(
    percentiles=st.none() | st.lists(TIME_US, min_size=6, max_size=6),
    requests=st.integers(0, 2**64 - 1),
    runtime_us=st.integers(1, 10**12),
    errors=st.tuples(COUNTER, COUNTER, COUNTER, COUNTER),
    non_2xx=COUNTER,
    most=st.sampled_from("mh"),
)
@example([1] * 6, 1, 849, (0, 0, 0, 2**31), 0, "m")
@example([1] * 6, 1, 51_000_000, (2**31 - 1, 0, 0, 0), 2**32 - 1, "m")
def test_what_wrk_can_print_comes_back_within_its_rounding(
    percentiles: list[int] | None,
    requests: int,
    runtime_us: int,
    errors: tuple[int, int, int, int],
    non_2xx: int,
    most: str,
) -> None:
    def signed(count: int) -> int:
        return count - 2**32 if count >= 2**31 else count

    percents = ("50", "75", "90", "99", "95", "99.9")
    lines = ["Running 1m test @ http://h/", "  2 threads and 10 connections"]
    lines += [
        "  Thread Stats   Avg      Stdev     Max   +/- Stdev",
        "    Latency     1.00us    1.00us    -nan%",
    ]
    below = []
    if percentiles is not None:
        printed = [
            f"{percent:>7}%{as_wrk_prints(us, most)[0]:>10}"
            for percent, us in zip(percents, percentiles, strict=True)
        ]
        lines += ["  Latency Distribution", *printed[:4]]
        below = printed[4:]
    lines.append(f"  {requests} requests in {as_wrk_prints(runtime_us, most)[0]}, 1.57MB read")
    if any(errors):
        lines.append(
            "  Socket errors: connect {}, read {}, write {}, timeout {}".format(*map(signed, errors))
        )
    if non_2xx:
        lines.append(f"  Non-2xx or 3xx responses: {signed(non_2xx)}")
    rate = requests / (runtime_us / 1e6)
    lines += [f"Requests/sec: {rate:9.2f}", "Transfer/sec:    798.43KB", *below]
    ([run], _) = parse_wrk("\n".join(lines) + "\n")
    assert (run.requests, run.socket_errors, run.non2xx) == (requests, sum(errors), non_2xx)
    assert run.rps == pytest.approx(rate, abs=0.00501, rel=1e-12)
    assert_near(run.duration_s, runtime_us, most)
    for percent, us in zip(percents[:5], percentiles or [0] * 6, strict=False):
        found = getattr(run, f"p{percent}_ms")
        if us == 0:
            assert found is None
        else:
            assert found is not None
            assert_near(found / 1000, us, most)


def assert_near(seconds: float | None, us: int, most: str) -> None:
    assert seconds == pytest.approx(us / 1e6, abs=as_wrk_prints(us, most)[1] * 1.0001, rel=0)
