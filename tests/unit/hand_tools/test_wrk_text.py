"""wrk_text: on outputs of the real wrk (tests/fixtures/wrk), and on whatever wrk can print.

`*-accelerated-clock` are of a real wrk whose clock ran 1,200 or 9,000 times as fast (faketime);
`impossible-duration` is what a wrk printed whose clock had stepped back (the address is another);
`*-synthesized` was written by hand after wrk's src/units.c, with the unit h that wrk 4.1 has and does not
reach.
"""

import re
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pasted import Parsed
from wrk_text import parse_wrk

from exporter.live.results_csv import ResultRow, rows_text
from tests.support.checkout import FIXTURES

OUTPUTS = FIXTURES / "wrk"
TEXTS = {file.stem: file.read_text(encoding="utf-8") for file in sorted(OUTPUTS.glob("*.txt"))}


def rows(name: str) -> list[ResultRow]:
    return [replace(row, label=name) for row in parse_wrk(TEXTS[name]).rows]


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
    parsed = parse_wrk(TEXTS["impossible-duration"])
    [row] = parsed.rows
    assert (row.duration_s, row.rps) == (None, None)
    assert (row.requests, row.p50_ms, row.p99_ms, row.socket_errors) == (35951, 41.4, 1180.0, 128)
    assert parsed.failures == ["a duration that cannot be: 35951 requests in 307445734491.24m, 5.51MB read"]


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
    complaint = "unable to connect to localhost:1 Connection refused"
    assert parse_wrk(TEXTS["several-runs"]).failures == [complaint]


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
    assert parse_wrk(TEXTS[name]) == Parsed(failures=[complaint])


def test_the_usage_is_no_run() -> None:
    assert parse_wrk(TEXTS["usage"]) == Parsed()


WRK2 = """\
Running 10s test @ http://localhost:8080/v1/chat/completions
  2 threads and 10 connections
  Thread calibration: mean lat.: 6.513ms, rate sampling interval: 17ms
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     6.44ms    1.06ms  12.92ms   68.59%
    Req/Sec   211.00     21.65   344.00     72.73%
  Latency Distribution (HdrHistogram - Recorded Latency)
 50.000%    6.37ms
 75.000%    7.85ms
 90.000%    9.42ms
 99.000%   11.02ms
 99.900%   12.72ms
 99.990%   12.89ms
 99.999%   12.89ms
100.000%   12.93ms

  Detailed Percentile spectrum:
       Value   Percentile   TotalCount 1/(1-Percentile)

       2.067     0.000000            1         1.00
      10.663     0.950000         3800        20.00
      12.927     1.000000         4000          inf
#[Mean    =        6.440, StdDeviation   =        1.060]
#[Max     =       12.920, Total count    =         4000]
#[Buckets =           27, SubBuckets     =         2048]
----------------------------------------------------------
"""
UNCORRECTED = re.sub(
    r"(\d+)\.(\d\d)ms|10\.663",
    lambda found: "0.99ms" if found[1] else " 0.663",
    WRK2[WRK2.index("  Latency Distribution") :].replace(
        "Recorded Latency", "Uncorrected Latency (measured without taking delayed starts into account)"
    ),
)
WRK2_END = """\
  4000 requests in 10.00s, 2.06MB read
Requests/sec:    400.02
Transfer/sec:    211.00KB
"""


@pytest.mark.parametrize("more", ["", "\n" + UNCORRECTED], ids=["--latency", "--u_latency"])
def test_of_wrk2_the_corrected_latencies_are_read_with_p95_from_the_spectrum(more: str) -> None:
    parsed = parse_wrk(WRK2 + more + WRK2_END)
    assert rows_text(parsed.rows).splitlines()[1:] == [
        ",400.02,6.370,7.850,9.420,10.663,11.020,0,0,4000,10.00"
    ]
    assert parsed.failures == []
    assert parsed.notes == (["latencies are wrk2's corrected ones (Recorded Latency)"] if more else [])


def test_wrk2_without_its_spectrum_does_not_know_p95() -> None:
    text = WRK2[: WRK2.index("\n  Detailed")] + "\n" + WRK2_END
    [row] = parse_wrk(text).rows
    assert (row.p50_ms, row.p99_ms) == pytest.approx((6.37, 11.02))
    assert row.p95_ms is None


@pytest.mark.parametrize(
    "printed",
    [
        "Requests/sec: 123.45\n",
        "  50%    1.00ms\n  95%    1.00ms\n",
        "Total POST Requests: 4000\nRequests/sec: 400.02\nTransfer/sec: 1.00KB\n",
        "  9 requests in 1.00s, 1.00KB read\n  Socket errors: connect 1, read 1, write 1, timeout 1\n",
        "  Non-2xx or 3xx responses: 7\n",
        "  Latency Distribution\n     50%    1.00ms\n",
        "Summary:\n  Total:\t1.0 secs\n",
        "\x1b[1mdone\x1b[0m\r\n\x00\x07\n",
    ],
)
@pytest.mark.parametrize("name", ["latency", "some-503", "run_wrk"])
def test_what_a_script_prints_around_the_summary_is_not_read(name: str, printed: str) -> None:
    text = TEXTS[name]
    for line in ("  Thread Stats", "  Latency Distribution, beyond"):
        text = text.replace(line, printed + line)
    text = printed + text + printed
    parsed = parse_wrk(text)
    assert [replace(row, label=name) for row in parsed.rows] == rows(name)
    assert parsed.failures == []


def test_what_a_script_prints_without_ending_its_line_hides_nothing() -> None:
    text = TEXTS["run_wrk"]
    for line in ("Running 2s", "  Thread Stats", "  Latency Distribution, beyond"):
        text = text.replace(line, "....7.00%" + line)
    assert [replace(row, label="run_wrk") for row in parse_wrk(text).rows] == rows("run_wrk")


def test_a_wrk_that_prints_95_percent_itself_has_p95() -> None:
    text = TEXTS["latency"].replace("     99%", "     95%   20.00ms\n     99%")
    assert [row.p95_ms for row in parse_wrk(text).rows] == [20.0]


def test_wrk_3_says_making() -> None:
    [row] = rows("latency")
    text = re.sub("Running .* test @", "Making 3023 requests to", TEXTS["latency"])
    assert parse_wrk(text).rows == [replace(row, label="")]


def test_a_decimal_comma_is_read() -> None:
    text = re.sub(r"(\d)\.(\d\d)", r"\1,\2", TEXTS["run_wrk"])
    assert [replace(row, label="run_wrk") for row in parse_wrk(text).rows] == rows("run_wrk")


@pytest.mark.parametrize(
    ("line", "instead"),
    [
        ("     75%    7.98ms", "     75%    7.98 milliseconds"),
        ("     75%    7.98ms", "     50%    7.98ms"),
        ("  Latency Distribution\n", "  Latency Distribution (other)\n"),
        ("  Latency Distribution\n", ""),
        ("  3246 requests in", "  3,246 requests in"),
        ("Requests/sec:   1620.50", "Requests/sec:   1,620.50"),
        ("Transfer/sec: ", "Transfers/sec: "),
        ("     95%", "     95.5"),
    ],
)
def test_a_line_of_the_summary_that_is_not_understood_refuses_the_run_and_is_named(
    line: str, instead: str
) -> None:
    text = TEXTS["run_wrk"].replace(line, instead)
    parsed = parse_wrk(text)
    assert parsed.rows == []
    [failure] = parsed.failures
    number = int(re.findall(r"line (\d+) is not understood", failure)[0])
    assert text.splitlines()[number - 1].strip() in failure


def test_a_summary_without_its_first_line_is_not_taken_for_a_scripts() -> None:
    text = TEXTS["latency"]
    headless = text[text.index("  Thread Stats") :]
    assert parse_wrk(text + headless).rows == []
    parsed = parse_wrk(headless + text)
    assert len(parsed.rows) == 1
    assert parsed.failures == [
        "line 1 is not understood: 'Thread Stats   Avg      Stdev     Max   +/- Stdev'"
    ]


def test_a_run_that_lacks_a_percentile_is_refused() -> None:
    text = TEXTS["latency"].replace("     75%    9.02ms\n", "")
    assert parse_wrk(text) == Parsed(
        failures=["the run ends at line 12 without 75% (Recorded): 'Transfer/sec:    798.43KB'"]
    )


@pytest.mark.parametrize("name", ["run_wrk", "some-503", "read-errors-and-429"])
def test_a_text_that_is_cut_off_gives_the_whole_row_or_none(name: str) -> None:
    lines = TEXTS[name].splitlines(keepends=True)
    [whole] = parse_wrk(TEXTS[name]).rows
    end = next(number for number, line in enumerate(lines, 1) if line.startswith("Transfer/sec"))
    for length in range(len(lines)):
        parsed = parse_wrk("".join(lines[:length]))
        if length == end:
            # Nothing says that run_wrk.sh was to add its own.
            assert parsed.rows == [replace(whole, p95_ms=None)]
        else:
            assert parsed.rows == []
            assert bool(parsed.failures) == (length > 0)


def test_a_run_that_was_killed_is_reported_beside_the_next_one() -> None:
    text = "Running 30s test @ http://localhost:8080/\n  2 threads and 10 connections\n"
    parsed = parse_wrk(text + TEXTS["latency"])
    assert len(parsed.rows) == 1
    assert parsed.failures == ["the run ends at line 2 without Latency: '2 threads and 10 connections'"]


def test_figures_that_were_picked_out_are_no_run() -> None:
    assert parse_wrk("Requests/sec:   1502.92\n") == Parsed()


# Properties

PIECES = st.sampled_from([line for text in TEXTS.values() for line in text.splitlines(keepends=True)])


@given(st.text() | st.lists(PIECES | st.text(max_size=20), max_size=30).map("".join))
@example("9" * 5000 + " requests in 1s, 1KB read")
@example("  50% " + "9" * 5000 + "ms")
@example("  ５% ５ms\n")
def test_no_text_breaks_the_parser(text: str) -> None:
    parsed = parse_wrk(text)
    for row in parsed.rows:
        assert all(
            value is None or 0 <= value < 1e30
            for value in (row.rps, row.p50_ms, row.p95_ms, row.non2xx, row.socket_errors, row.duration_s)
        )


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
        "    Latency     0.00us    0.00us   0.00us    -nan%",
        "    Req/Sec     0.00      0.00     0.00      -nan%",
    ]
    below = []
    if percentiles is not None:
        printed = [
            f"{percent:>7}%{as_wrk_prints(us, most)[0]:>10}"
            for percent, us in zip(percents, percentiles, strict=True)
        ]
        lines += ["  Latency Distribution", *printed[:4]]
        below = ["  Latency Distribution, beyond wrk's own", *printed[4:]]
    lines.append(f"  {requests} requests in {as_wrk_prints(runtime_us, most)[0]}, 1.57MB read")
    if any(errors):
        lines.append(
            "  Socket errors: connect {}, read {}, write {}, timeout {}".format(*map(signed, errors))
        )
    if non_2xx:
        lines.append(f"  Non-2xx or 3xx responses: {signed(non_2xx)}")
    rate = requests / (runtime_us / 1e6)
    lines += [f"Requests/sec: {rate:9.2f}", "Transfer/sec:    798.43KB", *below]
    [run] = parse_wrk("\n".join(lines) + "\n").rows
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
