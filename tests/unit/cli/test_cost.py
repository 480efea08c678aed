"""exporter.cli.cost: a long load on a cloud route has a bound, or the user's word."""

import io
import sys

import pytest

from exporter.cli.cost import agree_to_cost
from exporter.errors import ConfigurationError
from exporter.live.message import Pair, Route
from exporter.load.stream.apis import Api
from exporter.load.stream.shape import Asked, StreamShape
from tests.support.run_plans import run_plan


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def at_a_terminal(monkeypatch: pytest.MonkeyPatch, typed: str) -> Terminal:
    """The user types this; what is shown."""
    shown = Terminal()
    monkeypatch.setattr(sys, "stdin", Terminal(typed))
    monkeypatch.setattr(sys, "stderr", shown)
    return shown


@pytest.mark.parametrize(
    ("model", "seconds", "steps", "max_requests", "yes"),
    [
        ("gpt-oss:20b", 3600, 1, None, False),
        ("openai:gpt-4o", 60, 1, None, False),
        ("openai:gpt-4o", 15, 4, None, False),
        ("openai:gpt-4o", 3600, 1, 100, False),
        ("google:gemini-1.5-pro", 3600, 1, None, True),
    ],
)
def test_a_local_a_short_a_bounded_and_an_agreed_load_are_sent_without_a_question(
    model: str, seconds: int, steps: int, max_requests: int | None, yes: bool
) -> None:
    agree_to_cost(run_plan(model, duration_seconds=seconds, max_requests=max_requests), yes, steps)


@pytest.mark.parametrize("route", ["openai", "google", "anthropic"])
@pytest.mark.parametrize(("seconds", "steps"), [(61, 1), (30, 4)])
def test_without_a_terminal_one_line_names_both_options(route: str, seconds: int, steps: int) -> None:
    with pytest.raises(ConfigurationError) as error:
        agree_to_cost(run_plan(f"{route}:m", duration_seconds=seconds), False, steps)
    assert str(error.value) == (
        f"{seconds * steps} s of load on the route {route} have no bound on their requests, which cost "
        "money: give --max-requests N, or --yes"
    )


def test_at_a_terminal_the_user_is_asked_and_may_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = at_a_terminal(monkeypatch, "y\n")
    agree_to_cost(run_plan("openai:m", duration_seconds=2700), yes=False)
    assert "2,700 s of load on the route openai" in shown.getvalue()
    assert "[y/N]" in shown.getvalue()


@pytest.mark.parametrize("typed", ["n\n", "\n"])
def test_at_a_terminal_anything_else_sends_nothing(monkeypatch: pytest.MonkeyPatch, typed: str) -> None:
    at_a_terminal(monkeypatch, typed)
    with pytest.raises(ConfigurationError) as error:
        agree_to_cost(run_plan("openai:m", duration_seconds=2700), yes=False)
    assert str(error.value).startswith("nothing was sent; --max-requests N ")


def mix(*models: Pair, rate: float | None = None) -> StreamShape:
    asked = tuple(Asked(place, "/v1/x", b"{}", 1.0, Api.CHAT, True, 1) for place, _ in enumerate(models))
    return StreamShape(asked, models, rate=rate)


LOCAL, CLOUD = Pair(Route.LOCAL, "m"), Pair(Route.GOOGLE, "google:g")


def test_a_mix_costs_money_by_any_of_its_routes() -> None:
    agree_to_cost(run_plan(shape=mix(LOCAL), duration_seconds=3600), yes=False)
    with pytest.raises(ConfigurationError, match="on the route google have no bound on their requests"):
        agree_to_cost(run_plan(shape=mix(LOCAL, CLOUD), duration_seconds=3600), yes=False)


def test_of_an_open_load_the_number_of_requests_is_said() -> None:
    with pytest.raises(ConfigurationError, match="120 s of load on the route google are 300 requests, which"):
        agree_to_cost(run_plan(shape=mix(CLOUD, rate=2.5), duration_seconds=120), yes=False)
