"""exporter.collectors.router.login: a token in memory, renewed in time; the password goes nowhere else."""

import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from exporter.clock import SystemClock
from exporter.collectors.priority import RightOfWay
from exporter.collectors.router.login import LOGIN_PATH, Login
from exporter.collectors.router.probe import HttpProbe
from exporter.collectors.router.reading import RouterReader
from exporter.collectors.router.router import RouterCollector
from exporter.errors import ConfigurationError
from exporter.exposition.text_format import TextFormat
from exporter.settings.router_api import RouterApi, RouterLogin
from tests.support.clocks import FakeClock
from tests.support.json_router import MODELS, OVERVIEW, samples
from tests.support.local_http import Answer, Asked, LocalHttp

PASSWORD = "correct horse \u00fc battery"
DAY = 86_400.0


class Guarded:
    """A router of the current generation: `answer` is what a right login gets."""

    def __init__(self) -> None:
        self.password = PASSWORD
        self.tokens = 0
        self.answer: dict[str, Any] = {"expires_in": 86_400, "user": {"must_change_password": False}}
        self.fault: Answer | None = None
        """what a login gets in place of an answer"""
        self.refuses: set[str] = set()
        """tokens that are not taken"""
        self.logins = 0

    def __call__(self, asked: Asked) -> Answer:
        if asked.path == "/v1/models":
            return 200, MODELS
        return self._login(asked) if asked.path == LOGIN_PATH else self._nodes(asked)

    def _login(self, asked: Asked) -> Answer:
        self.logins += 1
        if self.fault is not None:
            return self.fault
        if json.loads(asked.body) != {"username": "soak", "password": self.password}:
            return 401, "Invalid username or password"
        self.tokens += 1
        return 200, {"token": f"head.token-{self.tokens}.sign", **self.answer}

    def _nodes(self, asked: Asked) -> Answer:
        bearer = (asked.headers.get("Authorization") or "").removeprefix("Bearer ")
        if bearer in self.refuses or not (bearer.startswith("head.token-") or bearer == "sk_key"):
            return 401, "Invalid token"
        if asked.path == "/api/dashboard/overview":
            return (200, OVERVIEW) if bearer != "sk_key" else (401, "Invalid token")
        if asked.path == "/api/endpoints":
            return 200, {"endpoints": [{"id": "a", "name": "box", "status": "online"}]}
        return 404, ""


class Place:
    """The router, a password file, a clock that stands still, and the reader."""

    def __init__(self, folder: Path) -> None:
        self.router = Guarded()
        self.file = folder / "password"
        self.write(PASSWORD + "\n")
        self.clock = FakeClock()
        self.http = LocalHttp(self.router)

    def write(self, text: str) -> None:
        self.file.write_text(text, encoding="utf-8")

    def reader(self, api_key: str | None = None) -> RouterReader:
        return RouterReader(self.api, self.clock, api_key)

    @property
    def api(self) -> RouterApi:
        login = RouterLogin(username="soak", password_file=self.file)
        return RouterApi(url=self.http.url, timeout_seconds=5, login=login)

    def log_in(self, seconds: float, every: float, is_taken: bool = True) -> Login:
        """Logs in where it is due, for so long; the router takes the token or does not."""
        api = self.api
        assert api.login is not None
        login, probe = Login(api, api.login, self.clock), HttpProbe(api, self.clock)
        for _ in range(int(seconds / every)):
            if login.due():
                login.log_in(probe, api.timeout_seconds)
                if login.token is not None and is_taken:
                    login.accepted()
                elif login.token is not None:
                    login.refused(login.token)
            self.clock.advance(every)
        return login

    def sent(self) -> list[str | None]:
        """The Authorization of each request for the overview."""
        overviews = [asked for asked in self.http.asked if asked.path == "/api/dashboard/overview"]
        return [asked.headers.get("Authorization") for asked in overviews]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    place = Place(tmp_path)
    with place.http:
        yield place


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def logged_in(reader: RouterReader) -> bool:
    found = samples(reader)
    assert found["router_up{}"] == 1
    assert ("router_requests_total{outcome=success}" in found) == bool(found["router_logged_in{}"])
    return bool(found["router_logged_in{}"])


def test_a_login_shows_what_the_api_key_does_not(place: Place) -> None:
    found = samples(place.reader("sk_key"))
    assert found["router_logged_in{}"] == 1
    assert found["router_requests_total{outcome=success}"] == 47
    assert found["router_node_requests_total{node=gpu-1,outcome=success}"] == 40
    login = next(asked for asked in place.http.asked if asked.path == LOGIN_PATH)
    assert (login.method, login.headers["Content-Type"]) == ("POST", "application/json")
    # /v1 is for keys alone; the nodes are asked for as the user.
    assert [(asked.path, asked.headers.get("Authorization")) for asked in place.http.asked] == [
        ("/v1/models", "Bearer sk_key"),
        (LOGIN_PATH, None),
        ("/api/dashboard/overview", "Bearer head.token-1.sign"),
    ]


def test_without_a_login_there_is_no_such_series(place: Place) -> None:
    reader = RouterReader(RouterApi(url=place.http.url, timeout_seconds=5), place.clock, "sk_key")
    assert "router_logged_in{}" not in samples(reader)
    assert place.router.logins == 0


def test_the_token_is_kept_and_renewed_before_it_ends(place: Place) -> None:
    reader = place.reader()
    for _ in range(5):
        assert logged_in(reader)
        place.clock.advance(0.15 * DAY)
    assert place.router.logins == 1
    place.clock.advance(0.1 * DAY)  # 85 % of a day
    assert logged_in(reader)
    assert place.router.logins == 2
    assert place.sent()[-2:] == ["Bearer head.token-1.sign", "Bearer head.token-2.sign"]


def test_a_machine_that_slept_does_not_send_the_token_of_yesterday(place: Place) -> None:
    reader = place.reader()
    assert logged_in(reader)
    place.clock.suspend(2 * DAY)
    assert logged_in(reader)
    assert place.sent() == ["Bearer head.token-1.sign", "Bearer head.token-2.sign"]


def test_a_renewal_that_fails_leaves_the_token_until_it_ends(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    reader = place.reader()
    assert logged_in(reader)
    place.router.fault = (503, "busy")
    place.clock.advance(0.9 * DAY)
    assert logged_in(reader)
    place.clock.advance(0.11 * DAY)
    assert not logged_in(reader)
    assert len(said(caplog)) == 1
    place.router.fault = None
    place.clock.advance(1000)
    assert logged_in(reader)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ((401, "Invalid username or password"), "HTTP 401: check username and password"),
        ((404, ""), f"HTTP 404: it has no {LOGIN_PATH}"),
        ((503, "busy"), "HTTP 503"),
        (b"", "connection closed without an answer"),
        ((200, "<!doctype html>"), "its answer has no token that can be used"),
        ((200, {"expires_in": 86_400}), "its answer has no token that can be used"),
        ((200, {"token": "a\r\nX-Evil: 1"}), "its answer has no token that can be used"),
        ((200, {"token": "a b"}), "its answer has no token that can be used"),
        ((200, {"token": "\u00fc.b.c"}), "its answer has no token that can be used"),
        ((200, {"token": "x" * 100_000}), "its answer has no token that can be used"),
        ((200, {"token": ""}), "its answer has no token that can be used"),
        ((200, {"token": ["a.b.c"]}), "its answer has no token that can be used"),
    ],
)
def test_a_login_that_fails_is_one_line_and_no_loop(
    place: Place, caplog: pytest.LogCaptureFixture, fault: Answer, reason: str
) -> None:
    place.router.fault = fault
    assert place.log_in(3600, every=2).token is None
    assert said(caplog) == [
        f"router {place.http.url}: login failed: {reason}; it is tried again ever less often, and at once "
        "when the password file changes"
    ]
    # 0 s, then 15, 30, 60, 120, 240, 480 and 900 s later, and each 900 s from there.
    assert place.router.logins == 9


def test_without_a_token_the_key_shows_what_it_may(place: Place) -> None:
    place.router.fault = (500, "")
    found = samples(place.reader("sk_key"))
    assert (found["router_logged_in{}"], found["router_node_up{node=box}"]) == (0, 1)
    assert "router_requests_total{outcome=success}" not in found


def test_a_changed_password_file_is_taken_up_at_once(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    place.write("wrong")
    reader = place.reader()
    assert not logged_in(reader)
    place.clock.advance(2)
    assert not logged_in(reader)
    place.write(PASSWORD)
    assert not logged_in(reader)  # never more often than every five seconds
    assert place.router.logins == 1
    place.clock.advance(4)
    assert logged_in(reader)
    assert place.router.logins == 2
    assert len(said(caplog)) == 1


def test_a_password_file_that_is_gone_costs_no_token(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    reader = place.reader()
    assert logged_in(reader)
    place.file.unlink()
    place.clock.advance(0.9 * DAY)
    assert logged_in(reader)
    place.clock.advance(0.2 * DAY)
    assert not logged_in(reader)
    assert place.router.logins == 1
    assert "cannot be read (No such file or directory)" in said(caplog)[0]
    place.write(PASSWORD)
    place.clock.advance(5)
    assert logged_in(reader)


@pytest.mark.parametrize("text", ["", " \n"])
def test_an_empty_password_file_is_refused_at_the_start(place: Place, text: str) -> None:
    place.write(text)
    with pytest.raises(
        ConfigurationError, match=r"the password file is empty; check router\.login\.password_file"
    ):
        place.reader()


def test_a_missing_password_file_is_refused_at_the_start(place: Place) -> None:
    place.file.unlink()
    with pytest.raises(ConfigurationError, match=r"cannot be read .* check router\.login\.password_file"):
        place.reader()


def test_a_password_file_that_is_none_is_never_waited_for(place: Place) -> None:
    place.file.unlink()
    os.mkfifo(place.file)
    with pytest.raises(ConfigurationError, match="a FIFO"):
        place.reader()


def test_a_token_that_is_refused_is_given_up_and_another_fetched_once(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    reader = place.reader()
    assert logged_in(reader)
    place.clock.advance(100)
    place.router.refuses = {"head.token-1.sign"}  # the router has another secret now
    assert not logged_in(reader)
    place.clock.advance(2)
    assert logged_in(reader)
    assert place.router.logins == 2
    assert said(caplog) == []


def test_a_router_that_takes_none_of_its_tokens_is_no_loop(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    assert place.log_in(3600, every=2, is_taken=False).token is None
    assert place.router.logins == 9
    assert said(caplog) == [
        f"router {place.http.url}: login: it does not take the token that it has just given"
    ]


@pytest.mark.parametrize(
    ("expires_in", "logins_in_a_day"),
    [
        (None, (29, 31)),  # an hour is taken for it, and 80 % of it used
        ("86400", (29, 31)),
        (-5, (29, 31)),
        (0, (29, 31)),
        (True, (29, 31)),
        (1e308, (29, 31)),
        (2**62, (1, 1)),
        (60, (1700, 1900)),
    ],
)
def test_an_odd_lifetime_makes_no_loop_and_no_token_for_ever(
    place: Place, expires_in: Any, logins_in_a_day: tuple[int, int]
) -> None:
    place.router.answer["expires_in"] = expires_in
    known = place.log_in(DAY, every=4)
    assert logins_in_a_day[0] <= place.router.logins <= logins_in_a_day[1]
    place.clock.advance(31 * DAY)
    assert known.token is None


def test_a_lifetime_of_a_second_costs_a_login_in_five(place: Place) -> None:
    place.router.answer["expires_in"] = 1
    reader = place.reader()
    for _ in range(60):
        samples(reader)
        place.clock.advance(1.0)
    assert place.router.logins == 12


def test_while_no_token_is_taken_the_nodes_are_as_the_key_shows_them(place: Place) -> None:
    place.router.refuses = {f"head.token-{number}.sign" for number in range(100)}
    reader = place.reader("sk_key")
    for _ in range(10):
        assert samples(reader)["router_node_up{node=box}"] == 1
        place.clock.advance(2.0)
    assert place.router.logins == 2


def test_the_password_follows_no_redirect(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    with LocalHttp() as elsewhere:
        place.router.fault = (307, "", {"Location": f"{elsewhere.url}/api/auth/login"})
        assert not logged_in(place.reader())
        assert elsewhere.asked == []
    assert "HTTP 307: a redirect, which the password does not follow" in said(caplog)[0]


def test_a_user_who_has_to_change_the_password_is_named(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    place.router.answer["user"] = {"must_change_password": True}
    samples(place.reader())
    assert said(caplog) == [
        f"router {place.http.url}: logged in, but this user has to change the password first: no totals "
        "until then"
    ]


def test_password_and_token_are_in_no_log_metric_or_object(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    reader = place.reader("sk_key")
    collector = RouterCollector(reader, SystemClock(), RightOfWay())
    shown = TextFormat().plain(collector.families_of(reader.read(), 0.0))
    place.router.fault = (200, {"token": PASSWORD + "\n", "error": PASSWORD})
    place.clock.advance(DAY)
    reader.read()
    texts = [shown.decode(), caplog.text, repr(reader), repr(vars(reader)), repr(reader.api)]
    texts.append(repr(vars(reader._login)).replace("head.token-1.sign", ""))
    assert [text for text in texts if PASSWORD in text or "head.token" in text] == []
    assert PASSWORD.encode() not in os.environb.values()
