"""Goodput: its text, and which streams are good."""

import pytest

from exporter.errors import ConfigurationError
from exporter.load.stream.goodput import Condition, Figure, parse_goodput


def test_the_text_of_the_documentation() -> None:
    goodput = parse_goodput("  ttft < 500 ms   and time_per_output_token <50ms ")

    assert goodput.text == "ttft < 500 ms and time_per_output_token <50ms"
    assert goodput.conditions == (
        Condition(Figure.FIRST_TOKEN, 0.5, is_strict=True),
        Condition(Figure.TIME_PER_OUTPUT_TOKEN, 0.05, is_strict=True),
    )
    assert goodput.holds(0.4999, 0.0499, 100.0)
    assert not goodput.holds(0.5, 0.01, 1.0)
    assert not goodput.holds(0.1, 0.05, 1.0)


@pytest.mark.parametrize(
    ("text", "figure", "seconds"),
    [
        ("ttft<1s", Figure.FIRST_TOKEN, 1.0),
        ("first_token < 0.25 s", Figure.FIRST_TOKEN, 0.25),
        ("time_per_output_token < 900us", Figure.TIME_PER_OUTPUT_TOKEN, 0.0009),
        ("tpot < 50ms", Figure.TIME_PER_OUTPUT_TOKEN, 0.05),
        ("total < 2 min", Figure.TOTAL, 120.0),
        ("duration < 1.5m", Figure.TOTAL, 90.0),
        ("ttft < .5 ms", Figure.FIRST_TOKEN, 0.0005),
    ],
)
def test_names_and_units(text: str, figure: Figure, seconds: float) -> None:
    [condition] = parse_goodput(text).conditions

    assert condition.figure == figure
    assert condition.bound_seconds == pytest.approx(seconds)


def test_up_to_and_below_are_told_apart() -> None:
    assert parse_goodput("total <= 2 s").holds(0.1, 0.1, 2.0)
    assert not parse_goodput("total < 2 s").holds(0.1, 0.1, 2.0)


def test_a_stream_of_one_event_does_not_fail_by_a_figure_that_it_has_not() -> None:
    goodput = parse_goodput("ttft < 1 s and time_per_output_token < 1 ms")

    assert goodput.holds(0.5, None, 0.5)
    assert not goodput.holds(1.5, None, 1.5)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "1 to 128 letters"),
        ("ttft < 1 s and " * 20, "1 to 128 letters"),
        ("ttft", "'ttft' is not of the form"),
        ("ttft > 1 s", "'ttft > 1 s' is not of the form"),
        ("ttft < 1 s and", "'ttft < 1 s and' is not of the form"),
        ("ttft < 1 s or total < 2 s", "is not of the form"),
        ("ttft < -1 s", "is not of the form"),
        ("latency < 50 ms", "'latency' is no figure of a stream"),
        ("ttft < 500", "no unit"),
        ("ttft < 5 parsec", "'parsec' is no unit of time"),
        ("ttft < 0 ms", "give more"),
        (f"ttft < {'9' * 100} s and total < 0.0 s", "give more"),
        ("ttft < 1 s and first_token < 2 s", "first_token has two bounds"),
        ("tpot < 1 s and time_per_output_token < 2 s", "time_per_output_token has two bounds"),
    ],
)
def test_what_is_wrong_is_named(text: str, part: str) -> None:
    with pytest.raises(ConfigurationError, match="--goodput") as error:
        parse_goodput(text)

    assert part in str(error.value)
