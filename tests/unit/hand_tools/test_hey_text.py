"""hey_text: on outputs of the real hey (tests/fixtures/hey), and on whatever hey can print."""

import math
import re
from dataclasses import replace

import pytest
from hey_csv import MAX_RESPONSES
from hey_text import parse_hey
from hypothesis import example, given
from hypothesis import strategies as st
from pasted import Parsed

from exporter.live.results_csv import ResultRow, rows_text
from tests.support.checkout import FIXTURES

OUTPUTS = FIXTURES / "hey"
TEXTS = {file.name: file.read_text(encoding="utf-8") for file in sorted(OUTPUTS.iterdir())}
HEADER = "response-time,DNS+dialup,DNS,Request-write,Response-delay,Response-read,status-code,offset\n"


def rows(name: str) -> list[ResultRow]:
    return [replace(row, label=name) for row in parse_hey(TEXTS[name]).rows]


@pytest.mark.parametrize(
    "line",
    [
        "summary.txt,2142.96,5.800,8.700,12.400,14.900,22.300,0,0,200,0.09",
        "some-503.txt,1424.84,5.000,7.200,10.000,11.900,19.600,41,0,400,0.28",
        "not-found.txt,16082.70,0.100,0.100,0.200,0.300,0.400,16086,0,16086,1.00",
        "unauthorized.txt,13480.43,1.100,1.600,2.000,2.400,3.200,200,0,200,0.01",
        "reset.txt,1239.26,5.800,8.700,12.400,14.700,21.300,0,25,375,0.30",
        "reset-and-429.txt,1476.43,5.000,7.200,10.300,14.600,21.800,39,21,379,0.26",
        "timeout.txt,0.00,,,,,,0,4,0,2.00",
        "refused.txt,0.00,,,,,,0,20,0,0.00",
        "csv.csv,2400.96,5.800,8.100,10.500,13.000,16.500,0,,200,0.08",
        "some-503.csv,1439.88,5.100,7.500,10.900,13.300,21.300,39,,400,0.28",
        "reset.csv,1326.60,5.400,8.200,12.600,15.000,21.100,0,,381,0.29",
        "refused.csv,,,,,,,0,,0,",
    ],
    ids=lambda line: line.partition(",")[0],
)
def test_what_hey_printed_is_what_the_row_says(line: str) -> None:
    name = line.partition(",")[0]
    assert rows_text(rows(name)).splitlines()[1:] == [line]


def test_requests_that_failed_are_no_throughput() -> None:
    assert "Requests/sec:\t18057.3375" in TEXTS["refused.txt"]
    [row] = rows("refused.txt")
    assert (row.rps, row.requests, row.socket_errors) == (0.0, 0, 20)


def test_a_percentile_that_hey_had_too_few_responses_for_is_unknown() -> None:
    _, second = rows("several-runs.txt")
    assert "  0% in 0.0000 secs" in TEXTS["several-runs.txt"]
    assert second.p95_ms == pytest.approx(19.8)
    assert second.p99_ms is None


def test_several_runs_are_several() -> None:
    text = TEXTS["several-runs.txt"] + TEXTS["csv.csv"] + TEXTS["some-503.csv"]
    assert [row.requests for row in parse_hey(text).rows] == [100, 50, 200, 400]


def test_the_usage_is_no_run() -> None:
    assert parse_hey(TEXTS["usage.txt"]) == Parsed()


def test_latencies_of_a_csv_are_of_the_2xx_alone() -> None:
    lines = [f"0.{ms:03}0,0,0,0,0,0,200,0.5000\n" for ms in range(1, 101)]
    [run] = parse_hey(HEADER + "".join(lines) + "9.0000,0,0,0,0,0,503,0.0000\n" * 50).rows
    latencies = (run.p50_ms, run.p75_ms, run.p90_ms, run.p95_ms, run.p99_ms)
    assert latencies == pytest.approx((50, 75, 90, 95, 99))
    assert (run.requests, run.non2xx, run.socket_errors, run.duration_s) == (150, 50, None, 9.0)
    assert run.rps == pytest.approx(150 / 9)


def test_a_csv_without_statuses_and_offsets_does_not_know_of_them() -> None:
    old = "response-time,DNS+dialup,DNS,Request-write,Response-delay,Response-read\n"
    [run] = parse_hey(old + "0.0100,0,0,0,0,0\n0.0300,0,0,0,0,0\n").rows
    assert (run.requests, run.p50_ms) == (2, 10.0)
    assert (run.non2xx, run.duration_s, run.rps) == (None, None, None)


def test_a_csv_with_a_line_that_is_none_of_heys_is_refused_and_the_line_is_named() -> None:
    parsed = parse_hey(HEADER + "0.0100,0,0,0,0,0,200,0.0\n0.01,0,0,0\nnan,0,0,0,0,0,200,0\n")
    assert parsed == Parsed(failures=["line 3 is not understood: '0.01,0,0,0'"])


def test_a_csv_as_long_as_hey_can_make_it_does_not_know_how_many_there_were(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert MAX_RESPONSES == 1_000_000
    monkeypatch.setattr("hey_csv.MAX_RESPONSES", 1000)
    [run] = parse_hey(HEADER + "0.0100,0,0,0,0,0,200,3.9900\n" * 1000).rows
    assert (run.requests, run.non2xx, run.duration_s) == (None, None, None)
    assert (run.rps, run.p99_ms) == (1000 / 4, 10.0)


MILLION = TEXTS["reset-and-429.txt"].replace("Total:\t0.2567", "Total:\t2700.0000")
MILLION = re.sub(r"Requests/sec:\t\S+", "Requests/sec:\t500.0000", MILLION)
MILLION = MILLION.replace("[200]\t340", "[200]\t990000").replace("[429]\t39", "[429]\t10000")


def test_beyond_a_million_responses_their_number_is_unknown_and_the_rate_is_without_the_errors() -> None:
    parsed = parse_hey(re.sub(r"  \[1\]\tPost(?s:.*)", "  [50000]\tPost: deadline exceeded\n", MILLION))
    [row] = parsed.rows
    assert (row.requests, row.non2xx, row.socket_errors, row.duration_s) == (None, None, 50000, 2700.0)
    assert row.rps == pytest.approx(500 - 50000 / 2700)
    assert parsed.notes == ["hey keeps a million responses at most: how many there were is unknown"]


def test_beyond_a_million_responses_an_error_distribution_that_was_cut_off_is_missed() -> None:
    without = MILLION[: MILLION.index("\nError distribution")]
    assert parse_hey(without).rows == []
    [row] = parse_hey(without + "\n\n\n").rows
    assert (row.rps, row.socket_errors, row.requests) == (500.0, 0, None)


def test_a_million_responses_that_hey_counted_are_known() -> None:
    text = TEXTS["summary.txt"].replace("[200]\t200", "[200]\t1000000").replace("0.0933", "100.0000")
    [row] = parse_hey(re.sub(r"Requests/sec:\t\S+", "Requests/sec:\t10000.0000", text)).rows
    assert (row.requests, row.non2xx, row.rps) == (1_000_000, 0, 10000.0)


@pytest.mark.parametrize("name", ["summary.txt", "reset-and-429.txt", "refused.txt", "timeout.txt"])
def test_a_summary_that_is_cut_off_gives_the_whole_row_or_none(name: str) -> None:
    lines = TEXTS[name].splitlines(keepends=True)
    [whole] = parse_hey(TEXTS[name]).rows
    kept = 0
    for length in range(len(lines)):
        parsed = parse_hey("".join(lines[:length]))
        assert parsed.rows in ([], [whole]), length
        assert bool(parsed.failures) == (not parsed.rows and length > 1)
        kept += bool(parsed.rows)
    assert kept <= 5  # blank lines, and the last error


def test_percentiles_with_two_signs_are_those_of_some_builds() -> None:
    text = TEXTS["summary.txt"].replace("% in", "%% in")
    assert [replace(row, label="summary.txt") for row in parse_hey(text).rows] == rows("summary.txt")


@pytest.mark.parametrize(
    ("line", "instead"),
    [
        ("  75% in 0.0072 secs", "  75% in 7.2 ms"),
        ("  75% in 0.0072 secs", "  75 % in 0.0072 secs"),
        ("  [429]\t39 responses", "  [429]\t3,9 responses"),
        ("  [429]\t39 responses", "  [200]\t39 responses"),
        ("  Requests/sec:\t1558.1278", "  Requests per second:\t1558.1278"),
        ("  Total:\t0.2567 secs", "  Total:\t0,2567 secs"),
    ],
)
def test_a_line_of_a_summary_that_is_not_understood_refuses_the_run_and_is_named(
    line: str, instead: str
) -> None:
    parsed = parse_hey(TEXTS["reset-and-429.txt"].replace(line, instead))
    assert parsed.rows == []
    [failure] = parsed.failures
    assert failure.endswith(f" is not understood: {instead.strip()!r}")


def test_requests_that_hey_counted_and_did_not_list_are_noted() -> None:
    text = TEXTS["reset-and-429.txt"]
    text = text[: text.index("\nError distribution")] + "\n\n"
    assert parse_hey(text).notes == ["hey's rate makes 400 requests, its statuses and errors 379"]


def test_a_summary_without_its_first_line_is_named_beside_the_others() -> None:
    text = TEXTS["summary.txt"]
    headless = text.replace("Summary:\n", "")
    for several in (headless + text, text + headless):
        parsed = parse_hey(several)
        assert len(parsed.rows) == 1
        assert [failure.partition(": ")[2] for failure in parsed.failures] == ["'Status code distribution:'"]


@pytest.mark.parametrize(
    ("line", "missing"),
    [
        ("  [200]\t50 responses\n", "its statuses"),
        ("  95% in 0.0198 secs\n", "a line of its latency distribution"),
    ],
)
def test_a_summary_that_lacks_a_line_is_refused(line: str, missing: str) -> None:
    text = TEXTS["several-runs.txt"]
    second = text[text.rindex("Summary:") :].replace(line, "")
    assert parse_hey(second).rows == []
    assert f" without {missing}: " in parse_hey(second).failures[0]


def test_an_error_distribution_alone_is_no_run() -> None:
    assert parse_hey("\nError distribution:\n  [7]\tdial tcp: connection refused\n") == Parsed()


# Properties

PIECES = st.sampled_from([line for text in TEXTS.values() for line in text.splitlines(keepends=True)][:400])
SECONDS = st.floats(0, 1e6)


@given(st.text() | st.lists(PIECES | st.text(max_size=20), max_size=30).map("".join))
@example(HEADER + "9" * 400 + ",0,0,0,0,0,200,0")
@example(HEADER + "inf,0,0,0,0,0,200,0\n1_0,0,0,0,0,0,200,0\n")
@example("Summary:\n  Total:\t" + "9" * 5000 + " secs\n")
@example("Summary:\nError distribution:\n  [9]\n  Total:\t0.0000 secs\n")
def test_no_text_breaks_the_parser(text: str) -> None:
    for row in parse_hey(text).rows:
        assert all(
            value is None or (value >= 0 and math.isfinite(value))
            for value in (row.rps, row.p50_ms, row.p99_ms, row.non2xx, row.socket_errors, row.duration_s)
        )


@given(
    total=st.floats(0.001, 1e6),
    latencies=st.lists(st.floats(0.001, 1e6), min_size=7, max_size=7).map(sorted),
    statuses=st.dictionaries(st.integers(100, 599), st.integers(1, 10**5), max_size=8),
    errors=st.dictionaries(st.text(st.characters(exclude_categories=["C", "Z"])), st.integers(1, 10**9)),
)
def test_what_hey_can_print_in_a_summary_comes_back_within_its_rounding(
    total: float, latencies: list[float], statuses: dict[int, int], errors: dict[str, int]
) -> None:
    responses, failures = sum(statuses.values()), sum(errors.values())
    rate = (responses + failures) / total
    lines = ["", "Summary:", f"  Total:\t{total:.4f} secs", "  Average:\t NaN secs"]
    lines += [f"  Requests/sec:\t{rate:.4f}", "  ", "", "Response time histogram:", "  0.002 [1]\t|■", ""]
    lines += ["", "Latency distribution:"]
    percents = (10, 25, 50, 75, 90, 95, 99)
    if statuses:
        lines += [f"  {percent}% in {s:.4f} secs" for percent, s in zip(percents, latencies, strict=True)]
    lines += [
        "",
        "Details (average, fastest, slowest):",
        "  resp read:\t0.0000 secs, 0.0000 secs, 0.0002 secs",
    ]
    lines += ["", "Status code distribution:"]
    lines += [f"  [{status}]\t{count} responses" for status, count in statuses.items()]
    lines.append("")
    if errors:
        lines += ["Error distribution:", *(f"  [{count}]\t{text}" for text, count in errors.items())]
    [run] = parse_hey("\n".join([*lines, "", ""])).rows
    assert (run.requests, run.socket_errors) == (responses, failures)
    assert run.non2xx == sum(count for status, count in statuses.items() if not 200 <= status < 300)
    assert run.duration_s == pytest.approx(total, abs=0.000051, rel=1e-12)
    assert run.rps == pytest.approx(responses / total, abs=0.000051, rel=0.06)
    if not errors:
        assert run.rps == pytest.approx(rate, abs=0.000051, rel=1e-12)
    for percent, seconds in list(zip(percents, latencies, strict=True))[2:]:
        found = getattr(run, f"p{percent}_ms")
        assert found == (pytest.approx(seconds * 1000, abs=0.051, rel=1e-12) if statuses else None)


@given(st.lists(st.tuples(SECONDS, st.integers(100, 599), SECONDS), min_size=1, max_size=200))
def test_what_hey_can_print_as_csv_comes_back_within_its_rounding(
    responses: list[tuple[float, int, float]],
) -> None:
    text = HEADER + "\n".join(f"{s:.4f},0,0,0,0,0,{status},{at:.4f}" for s, status, at in responses)
    [run] = parse_hey(text).rows
    successes = sorted(seconds for seconds, status, _ in responses if 200 <= status < 300)
    assert run.requests == len(responses)
    assert run.non2xx == len(responses) - len(successes)
    end = max(seconds + at for seconds, _, at in responses)
    assert (run.duration_s or 0) == pytest.approx(end, abs=0.000101, rel=1e-12)
    for percent in (50, 75, 90, 95, 99):
        ms = getattr(run, f"p{percent}_ms")
        assert (ms is not None) == bool(successes)
        if ms is None:
            continue
        # Nearest rank: at least so many percent are not above it, and with any value below it fewer are.
        not_above = sum(seconds * 1000 <= ms + 0.0501 for seconds in successes)
        below = sum(seconds * 1000 < ms - 0.0501 for seconds in successes)
        assert not_above * 100 >= percent * len(successes) > below * 100 - 1e-9
