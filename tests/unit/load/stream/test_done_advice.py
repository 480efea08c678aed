"""A line is said where the first streams all end with [DONE] alone, and only there."""

import pytest

from exporter.live.message import StreamEnd
from exporter.load.stream.apis import Api
from exporter.load.stream.done_advice import ADVICE, FIRST, DoneAdvice

WITHOUT_REASON = (StreamEnd.TRUNCATED, True)


def said(
    *ends: tuple[StreamEnd, bool], complete_on_done: bool = False, api: Api = Api.CHAT
) -> list[str | None]:
    advice = DoneAdvice(complete_on_done)
    return [advice.ended(api, *end) for end in ends]


def test_it_is_said_once_with_the_last_of_the_first_streams() -> None:
    assert said(*[WITHOUT_REASON] * 20) == [None] * (FIRST - 1) + [ADVICE] + [None] * (20 - FIRST)
    assert "--complete-on done" in ADVICE


@pytest.mark.parametrize(
    "other",
    [
        (StreamEnd.COMPLETE, True),
        (StreamEnd.TRUNCATED, False),
        (StreamEnd.IN_BAND, True),
        (StreamEnd.DISCONNECT, False),
    ],
)
def test_one_that_ends_otherwise_shows_another_kind_of_server(other: tuple[StreamEnd, bool]) -> None:
    for place in range(FIRST):
        ends = [WITHOUT_REASON] * 20
        ends[place] = other
        assert said(*ends) == [None] * 20


def test_streams_that_the_client_left_show_nothing() -> None:
    ends = [(StreamEnd.ABORTED, False), WITHOUT_REASON] * FIRST

    assert said(*ends)[-1] == ADVICE


def test_nothing_is_said_where_the_option_is_given() -> None:
    assert said(*[WITHOUT_REASON] * 20, complete_on_done=True) == [None] * 20


@pytest.mark.parametrize("api", [Api.MESSAGES, Api.RESPONSES])
def test_an_api_without_done_has_no_such_server(api: Api) -> None:
    assert said(*[WITHOUT_REASON] * 20, api=api) == [None] * 20
