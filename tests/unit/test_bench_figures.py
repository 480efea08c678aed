"""scripts/bench: the pure functions behind the figures of `make bench`."""

import os
from dataclasses import astuple
from pathlib import Path

import pytest
from bare_load import BareRun, bare_script, parse_hey, parse_wrk
from cpu_account import cpu_seconds, cpu_split, resident_bytes, span_of
from exposition_text import gauge_by, series_count, sum_of
from hypothesis import given
from hypothesis import strategies as st
from memory_run import least_squares, memory_rows
from nginx_target import configuration_text
from observer import ObservedRound, observer_rows
from pairs import median_interval, spread
from scrape_cost import ScrapeCost
from table import Row, render
from wrk_histogram import expected_us, percentile_us, uncorrected

from exporter.errors import SoakError
from tests.support.checkout import FIXTURES


def corrected(original: dict[int, int], expected: int) -> dict[int, int]:
    """The correction as wrk's stats_correct does it, in place and from the bottom up."""
    data = dict(original)
    for n in range(2 * expected, max(original) + 1):
        count = data.get(n, 0)
        m = n - expected
        while count and m > expected:
            data[m] = data.get(m, 0) + count
            m -= expected
    return data


@given(
    st.dictionaries(st.integers(1, 300), st.integers(1, 1000), min_size=1, max_size=60),
    st.integers(1, 80),
)
def test_wrks_correction_is_undone_exactly(original: dict[int, int], expected: int) -> None:
    assert uncorrected(corrected(original, expected).items(), expected) == sorted(original.items())


def test_one_slow_request_stands_for_those_that_it_delayed() -> None:
    assert corrected({10: 100, 55: 1}, 10) == {10: 100, 55: 1, 45: 1, 35: 1, 25: 1, 15: 1}
    assert uncorrected([(10, 100), (15, 1), (25, 1), (35, 1), (45, 1), (55, 1)], 10) == [(10, 100), (55, 1)]


def test_a_histogram_of_another_correction_is_refused() -> None:
    with pytest.raises(ValueError, match="not corrected by 10"):
        uncorrected([(15, 1), (25, 3)], 10)


def test_without_an_interval_nothing_was_corrected() -> None:
    assert expected_us(5_000_000, 49, 50) is None
    assert uncorrected([(3, 1), (1, 2)], None) == [(1, 2), (3, 1)]


def test_the_interval_is_divided_in_whole_numbers_as_in_c() -> None:
    assert expected_us(5_000_999, 149, 50) == 2_500_499


def test_percentiles_are_taken_at_wrks_rank() -> None:
    hundred = [(us, 1) for us in range(1, 101)]
    assert [percentile_us(hundred, p) for p in (50, 95, 99, 100)] == [51, 96, 100, 100]
    assert percentile_us([(7, 1)], 50) == 7
    with pytest.raises(ValueError, match="empty"):
        percentile_us([], 50)


WRK_OUTPUT = """Running 5s test @ http://127.0.0.1:1/
  50 threads and 50 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     0.88ms  120.00us  10.01ms   91.10%
    Req/Sec     1.14k    55.00     1.30k    71.00%
  Latency Distribution
     50%  850.00us
     75%    0.91ms
     90%    1.02ms
     99%    1.25ms
  284136 requests in 5.01s, 130.06MB read
Requests/sec:  56713.77
Transfer/sec:     25.96MB
"""
HEY_OUTPUT = (FIXTURES / "hey" / "summary.txt").read_text(encoding="utf-8")


def test_throughput_is_read_from_what_the_programs_print() -> None:
    bare = parse_wrk(WRK_OUTPUT)
    assert isinstance(bare, BareRun)
    assert astuple(bare) == pytest.approx((56713.77, 0.00125))
    assert parse_hey(HEY_OUTPUT) == 2142.9619


@pytest.mark.parametrize(
    ("line", "failures"),
    [
        ("  Non-2xx or 3xx responses: 284136", "284136 responses not 2xx, 0 errors"),
        ("  Socket errors: connect 0, read 60, write 0, timeout 0", "0 responses not 2xx, 60 errors"),
    ],
)
def test_a_failing_wrk_run_has_no_throughput(line: str, failures: str) -> None:
    with pytest.raises(SoakError, match=failures):
        parse_wrk(WRK_OUTPUT.replace("Requests/sec", f"{line}\nRequests/sec"))


def test_a_failing_hey_run_has_no_throughput() -> None:
    with pytest.raises(SoakError, match="200 responses not 2xx"):
        parse_hey(HEY_OUTPUT.replace("[200]", "[502]"))
    with pytest.raises(SoakError, match="3 errors"):
        parse_hey(HEY_OUTPUT + "\nError distribution:\n  [3]\tPost: EOF\n")


def test_output_without_a_figure_is_an_error() -> None:
    for output in ("unable to connect", WRK_OUTPUT.replace("99%", "98%")):
        with pytest.raises(SoakError, match="wrk printed no throughput or no p99"):
            parse_wrk(output)


def test_any_byte_may_be_in_the_body_of_the_bare_script() -> None:
    assert bare_script(b'"]]\n\x00')[: bare_script(b'"]]\n\x00').index("wrk.headers")] == (
        'wrk.method = "POST"\nwrk.body = "\\034\\093\\093\\010\\000"\n'
    )


EXPOSITION = """# HELP benchmark_requests_total Requests.
# TYPE benchmark_requests_total counter
benchmark_requests_total{status_class="2xx"} 40.0
benchmark_requests_total{status_class="5xx"} 2.0
# HELP q Quantiles.
# TYPE q gauge
q{quantile="0.5"} 0.01
q{quantile="0.99"} 0.25

"""


def test_sums_gauges_and_sizes_of_an_exposition() -> None:
    assert sum_of(EXPOSITION, "benchmark_requests_total") == 42
    assert sum_of(EXPOSITION, "benchmark_requests") == 0
    assert gauge_by(EXPOSITION, "q", "quantile") == {"0.5": 0.01, "0.99": 0.25}
    assert series_count(EXPOSITION) == 4


def test_the_cpu_time_of_the_bench_is_distinguished_from_that_of_others() -> None:
    processes = [(5, 1, 1.0, 300.0), (6, 70, 20.0, 3.0), (71, 70, 40.0, 0.0), (8, 8, 1000.0, 5.0)]
    assert cpu_split(5, {70}, processes) == (363, 1005)


def test_cpu_and_memory_of_a_process_are_read() -> None:
    with span_of([]) as span:
        assert cpu_seconds(os.getpid()) > 0
        assert resident_bytes(os.getpid()) > 1 << 20
    assert span.wall > 0


def test_a_straight_line_has_its_slope_and_no_error() -> None:
    assert least_squares([(x, 3 + 2 * x) for x in range(5)]) == (2, 0)


def test_the_error_of_a_slope_is_that_of_the_textbook() -> None:
    slope, error = least_squares([(0, 0), (1, 2), (2, 1), (3, 3)])
    assert slope == pytest.approx(0.8)
    assert error == pytest.approx((1.8 / 2 / 5) ** 0.5)


@pytest.mark.parametrize("points", [[(0, 1), (1, 2)], [(1, 1), (1, 2), (1, 3)]])
def test_too_few_points_have_no_slope(points: list[tuple[float, float]]) -> None:
    with pytest.raises(ValueError, match=r"points|constant"):
        least_squares(points)


def test_memory_that_grows_by_a_hundredth_is_not_flat() -> None:
    mib = 1 << 20
    growing = [(5.0 * i, 100 * mib + i * mib // 50) for i in range(120)]
    steady = [(5.0 * i, 100 * mib + (i % 2) * 4096) for i in range(120)]
    assert memory_rows(growing, "idle")[1].meets is False
    assert memory_rows(steady, "idle")[1].meets is True


def test_growth_that_settles_is_distinguished_from_growth_that_goes_on() -> None:
    settling = [(5.0 * i, (100 << 20) + (min(i, 60) << 15)) for i in range(120)]
    growing = [(5.0 * i, (100 << 20) + (i << 15)) for i in range(120)]
    assert memory_rows(settling, "idle")[2].measured.startswith("+0.00 ± 0.00 MiB/h")
    assert memory_rows(growing, "idle")[2].measured.startswith("+22.50 ± 0.00 MiB/h")


def test_growth_in_the_first_minute_is_warming_up() -> None:
    samples = [(5.0 * i, (90 if i < 12 else 100) << 20) for i in range(60)]
    assert memory_rows(samples, "idle")[1].meets is True


def test_the_p99_of_scrapes_is_by_nearest_rank() -> None:
    assert ScrapeCost("x", 0.0, tuple(float(i) for i in range(1, 201)), 1).wall_p99 == 198
    assert ScrapeCost("x", 0.0, (3.0,), 1).wall_p99 == 3


def observed(scraped: float, unscraped: float, again: float) -> ObservedRound:
    return ObservedRound(BareRun(scraped, 0.01), BareRun(unscraped, 0.01), BareRun(again, 0.01))


def test_the_effect_of_scrapes_is_compared_with_what_equal_runs_differ_by() -> None:
    throughput, p99 = observer_rows([observed(970, 1000, 1000)] * 3, "it")
    assert (throughput.measured, throughput.meets) == ("0.970 (two runs not scraped: 0.0% apart)", False)
    assert (p99.measured, p99.meets) == ("1.000 (two runs not scraped: 0.0% apart)", True)
    noisy, _ = observer_rows([observed(970, 1020, 980)] * 3, "it")
    assert (noisy.measured, noisy.meets) == ("0.970 (two runs not scraped: 4.1% apart)", True)


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    assert render([Row("a longer name", "1.0", ">= 1", True), Row("b", "2")]) == (
        "what           measured  wanted  meets\n"
        "-------------  --------  ------  -----\n"
        "a longer name  1.0       >= 1    yes\n"
        "b              2         -       -"
    )


def test_nginx_keeps_every_connection_and_gives_its_workers_the_folder() -> None:
    text = configuration_text(1234, Path("/x"), "root")
    assert text.startswith("user root;\n")
    assert "keepalive_requests 1000000000;" in text
    assert "listen 127.0.0.1:1234 " in text
    assert not configuration_text(1234, Path("/x"), None).startswith("user")


def test_the_interval_of_a_median_leaves_out_as_many_at_either_end_as_coins_allow() -> None:
    # Of 25 tosses at most 7 fall on one side with a probability of 2.2 %, at most 8 with 5.4 %.
    assert median_interval([float(n) for n in range(25, 0, -1)]) == (8.0, 18.0)
    assert median_interval([float(n) for n in range(1, 10)]) == (2.0, 8.0)
    assert median_interval([3.0, 1.0, 2.0, 6.0, 5.0, 4.0]) == (1.0, 6.0)
    assert median_interval([1.0, 2.0, 3.0, 4.0, 5.0]) is None


def test_ratios_are_shown_with_the_interval_of_their_median_where_there_is_one() -> None:
    assert spread([0.9, 1.0, 1.2]) == "1.000 (all: 0.900 to 1.200)"
    assert spread([0.9, 0.95, 1.0, 1.0, 1.1, 1.2]) == "1.000 (95 %: 0.900 to 1.200; all: 0.900 to 1.200)"
