"""hey_text: on outputs of the real hey (tests/fixtures/hey), and on whatever hey can print."""

import math
from dataclasses import replace

import pytest
from hey_text import MAX_CSV_LINES, parse_hey
from hypothesis import example, given
from hypothesis import strategies as st

from exporter.live.results_csv import ResultRow, rows_text
from tests.support.checkout import FIXTURES

OUTPUTS = FIXTURES / "hey"
TEXTS = {file.name: file.read_text(encoding="utf-8") for file in sorted(OUTPUTS.iterdir())}
HEADER = "response-time,DNS+dialup,DNS,Request-write,Response-delay,Response-read,status-code,offset\n"


def rows(name: str) -> list[ResultRow]:
    return [replace(row, label=name) for row in parse_hey(TEXTS[name])[0]]


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
    assert [row.requests for row in parse_hey(text)[0]] == [100, 50, 200, 400]


def test_the_usage_is_no_run() -> None:
    assert parse_hey(TEXTS["usage.txt"]) == ([], [])


def test_latencies_of_a_csv_are_of_the_2xx_alone() -> None:
    lines = [f"0.{ms:03}0,0,0,0,0,0,200,0.5000\n" for ms in range(1, 101)]
    ([run], _) = parse_hey(HEADER + "".join(lines) + "9.0000,0,0,0,0,0,503,0.0000\n" * 50)
    latencies = (run.p50_ms, run.p75_ms, run.p90_ms, run.p95_ms, run.p99_ms)
    assert latencies == pytest.approx((50, 75, 90, 95, 99))
    assert (run.requests, run.non2xx, run.socket_errors, run.duration_s) == (150, 50, None, 9.0)
    assert run.rps == pytest.approx(150 / 9)


def test_a_csv_without_statuses_and_offsets_does_not_know_of_them() -> None:
    old = "response-time,DNS+dialup,DNS,Request-write,Response-delay,Response-read\n"
    ([run], _) = parse_hey(old + "0.0100,0,0,0,0,0\n0.0300,0,0,0,0,0\n")
    assert (run.requests, run.p50_ms) == (2, 10.0)
    assert (run.non2xx, run.duration_s, run.rps) == (None, None, None)


def test_a_line_that_was_cut_off_is_counted_as_unreadable() -> None:
    [run], complaints = parse_hey(HEADER + "0.0100,0,0,0,0,0,200,0.0\n0.01,0,0,0\nnan,0,0,0,0,0,200,0\n")
    assert (run.requests, complaints) == (1, ["2 lines that are no response in hey's CSV"])


def test_a_csv_as_long_as_hey_can_make_it_does_not_know_how_many_there_were() -> None:
    ([run], _) = parse_hey(HEADER + "0.0100,0,0,0,0,0,200,3.9900\n" * MAX_CSV_LINES)
    assert (run.requests, run.non2xx, run.duration_s) == (None, None, None)
    assert (run.rps, run.p99_ms) == (MAX_CSV_LINES / 4, 10.0)


def test_a_summary_that_was_cut_off_knows_what_stands_above() -> None:
    text = TEXTS["reset-and-429.txt"]
    ([run], _) = parse_hey(text[: text.index("Status code")])
    assert run.duration_s == 0.2567
    assert run.p99_ms == pytest.approx(21.8)
    assert (run.requests, run.non2xx, run.socket_errors) == (None, None, None)


def test_an_old_hey_of_which_every_request_failed_names_its_errors_alone() -> None:
    ([run], _) = parse_hey("\nError distribution:\n  [7]\tdial tcp: connection refused\n")
    assert (run.socket_errors, run.requests, run.rps) == (7, None, None)


# Properties

PIECES = st.sampled_from([line for text in TEXTS.values() for line in text.splitlines(keepends=True)][:400])
SECONDS = st.floats(0, 1e6)


@given(st.text() | st.lists(PIECES | st.text(max_size=20), max_size=30).map("".join))
@example(HEADER + "9" * 400 + ",0,0,0,0,0,200,0")
@example(HEADER + "inf,0,0,0,0,0,200,0\n1_0,0,0,0,0,0,200,0\n")
@example("Summary:\n  Total:\t" + "9" * 5000 + " secs\n")
@example("Summary:\nError distribution:\n  [9]\n  Total:\t0.0000 secs\n")
def test_no_text_breaks_the_parser(text: str) -> None:
    for row in parse_hey(text)[0]:
        assert all(
            value is None or (value >= 0 and math.isfinite(value))
            for value in (row.rps, row.p50_ms, row.p99_ms, row.non2xx, row.socket_errors, row.duration_s)
        )


@given(
    total=st.floats(0.001, 1e6),
    latencies=st.lists(st.floats(0.001, 1e6), min_size=7, max_size=7).map(sorted),
    statuses=st.dictionaries(st.integers(100, 599), st.integers(1, 10**9), max_size=8),
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
    ([run], _) = parse_hey("\n".join([*lines, "", ""]))
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
    [run], complaints = parse_hey(text)
    successes = sorted(seconds for seconds, status, _ in responses if 200 <= status < 300)
    assert (run.requests, complaints) == (len(responses), [])
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
