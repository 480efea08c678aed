"""The language of the user's own objectives."""

import pytest

from exporter.errors import ConfigurationError
from exporter.verdict.statement import Kind, Windows, read_statement


@pytest.mark.parametrize(
    ("text", "windows", "seconds", "name", "bound"),
    [
        ("each 5m: p99 < 500ms", Windows.EACH, 300, "quantile", 0.5),
        ("every 1m sliding: errors < 1 %", Windows.SLIDING, 60, "errors", 0.01),
        ("whole: rps > 100", Windows.WHOLE, None, "rps", 100),
        ("p50<2s", Windows.WHOLE, None, "quantile", 2),
        ("max <= 1m", Windows.WHOLE, None, "max", 60),
        ("each 1h30m: requests >= 1_000", Windows.EACH, 5400, "requests", 1000),
        ("whole: growth(router, memory) < 20 MiB/h", Windows.WHOLE, None, "growth", 20 * 2**20),
        ("growth(router,file_descriptors) < 5/h", Windows.WHOLE, None, "growth", 5),
        ("rss(router) < 2GiB", Windows.WHOLE, None, "rss", 2 * 2**30),
        ("memory(node-1:8081) < 1.5 GB", Windows.WHOLE, None, "memory", 1.5e9),
        ("cpu(router) < 150 %", Windows.WHOLE, None, "cpu", 1.5),
        ("status(429) < 0.05", Windows.WHOLE, None, "status", 0.05),
        ("ttft p99 < 500ms", Windows.WHOLE, None, "ttft", 0.5),
        ("whole: time_per_output_token p50 <= 50 ms", Windows.WHOLE, None, "time_per_output_token", 0.05),
        ("whole: goodput > 95 %", Windows.WHOLE, None, "goodput", 0.95),
        ("tokens_per_second >= 1_000/s", Windows.WHOLE, None, "tokens_per_second", 1000),
    ],
)
def test_a_statement_is_read(text: str, windows: Windows, seconds: int, name: str, bound: float) -> None:
    statement = read_statement(text)
    assert (statement.windows, statement.window_seconds, statement.measure.name) == (windows, seconds, name)
    assert statement.bound == pytest.approx(bound)


def test_a_quantile_is_that_of_its_name() -> None:
    assert read_statement("p99.9 < 1s").measure.quantile == pytest.approx(0.999)


def test_a_figure_of_the_streams_has_the_quantile_of_its_name() -> None:
    assert read_statement("chunk_gap p99.9 < 1s").measure.quantile == 0.999


def test_the_last_comparison_of_promql_is_the_objectives() -> None:
    statement = read_statement("promql: count(up == 1 and x > 3) >= 2")
    assert (statement.promql, statement.comparison, statement.bound) == (
        "count(up == 1 and x > 3)",
        ">=",
        2,
    )
    assert statement.measure.kind == Kind.ANY


@pytest.mark.parametrize(
    ("comparison", "held"),
    [("<", (True, False, False)), ("<=", (True, True, False)), (">", (False, False, True))],
)
def test_a_comparison_means_what_it_says(comparison: str, held: tuple[bool, ...]) -> None:
    statement = read_statement(f"rps {comparison} 10")
    assert tuple(map(statement.holds, (9.0, 10.0, 11.0))) == held


def test_no_number_is_within_no_bound() -> None:
    assert not read_statement("rps > 10").holds(float("nan"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "has 1 to 500 letters"),
        ("p99 < 500", "'500': give a time, like 500ms or 2s"),
        ("p99 < 5ms and p50 < 1ms", "'5ms and p50 < 1ms': give a time"),
        ("p99", "not of the form 'MEASURE < NUMBER'"),
        ("foo < 3", "'foo' is no measure"),
        ("p0 < 1s", "'p0' is no measure"),
        ("p100 < 1s", "'p100' is no measure"),
        ("each 5x: p99 < 1s", "'5x' is no length of a window"),
        ("each 0s: p99 < 1s", "'0s' is no length of a window"),
        ("sometimes: p99 < 1s", "'sometimes' is no window"),
        ("every 1m: p99 < 1s", "'every 1m' is no window"),
        ("errors < 200 %", "from 0 to 100 %"),
        ("errors < -1 %", "from 0 to 100 %"),
        ("p99 < 1e999s", "too large"),
        ("each 5m: growth(router, memory) < 1MiB/h", "growth is that of the whole load"),
        ("growth(router, cpu) < 1", "is no measure"),
        ("ttft < 1s", "of ttft one of p50, p75, p90, p95, p99, p99.9 is known, like 'ttft p99 < 500ms'"),
        ("first_output p42 < 1s", "of first_output one of p50"),
        ("ttfs p99 < 1s", "'ttfs p99' is no measure"),
        ("each 5m: ttft p99 < 1s", "streams are judged over the whole load; write 'whole: ttft p99 < 1s'"),
        ("every 1m sliding: goodput > 90 %", "write 'whole: goodput > 90 %'"),
        ("goodput > 95", "from 0 to 100 %"),
        ("growth(router, memory) < 20MiB", "give a growth, like 20MiB/h"),
        ("rss(router) < 20", "give a size, like 2GiB"),
        ("promql: up", "no comparison"),
        ("promql: < 5", "no comparison"),
        ("promql: up < five", "'five': give a number"),
        ("p99 < 5ms" + " " * 500, "has 1 to 500 letters"),
    ],
)
def test_what_cannot_be_read_is_refused_with_what_to_write(text: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        read_statement(text)
    assert said in str(error.value)
