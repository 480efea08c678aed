"""exporter.exposition.allowed_hosts: who may announce runs, by Host, Origin and Content-Type."""

import pytest
from starlette.requests import Request

from exporter.exposition.allowed_hosts import AllowedHosts, is_host
from exporter.settings.machine import Machine

MACHINE = Machine(("watcher", "watcher.local", "10.0.0.9", "fd00::9"), None)
LOOPBACK = AllowedHosts(("127.0.0.1", "127.0.0.1"), MACHINE)
BEYOND = AllowedHosts(("0.0.0.0", "0.0.0.0"), MACHINE, ("exporter", "2001:DB8::7"))


def refused(hosts: AllowedHosts, *headers: tuple[str, str], kind: str = "application/json") -> int | None:
    """The status of the refusal of a request with these headers."""
    given = [*headers, ("content-type", kind)]
    raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in given]
    refusal = hosts.refusal(Request({"type": "http", "headers": raw}))
    return None if refusal is None else refusal[0]


@pytest.mark.parametrize(
    "host", ["127.0.0.1:9877", "localhost", "LOCALHOST:9877", "localhost.:1", "[::1]:9877", "127.8.9.10:80"]
)
def test_loopback_may_always(host: str) -> None:
    assert refused(LOOPBACK, ("Host", host)) is None
    assert refused(BEYOND, ("Host", host)) is None


@pytest.mark.parametrize(
    "host", ["watcher:9877", "WATCHER.local", "10.0.0.9:9877", "[fd00::9]:9877", "[FD00:0:0:0:0:0:0:9]"]
)
def test_the_machines_own_names_may_where_it_listens_beyond_loopback(host: str) -> None:
    assert refused(BEYOND, ("Host", host)) is None
    assert refused(LOOPBACK, ("Host", host)) == 403


@pytest.mark.parametrize("host", ["exporter:9877", "Exporter", "[2001:db8::7]:1"])
def test_what_the_option_allows_may(host: str) -> None:
    assert refused(BEYOND, ("Host", host)) is None
    assert refused(LOOPBACK, ("Host", host)) == 403


def test_the_address_that_it_listens_on_may() -> None:
    assert refused(AllowedHosts(("10.1.2.3", "10.1.2.3")), ("Host", "10.1.2.3:9877")) is None


@pytest.mark.parametrize(
    "host",
    [
        "evil.example:9877",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "evil-localhost",
        "203.0.113.9:9877",
        "[2001:db8::8]",
        "2130706433",
        "0x7f.1",
    ],
)
def test_any_other_name_is_refused_with_the_option(host: str) -> None:
    for hosts in (LOOPBACK, BEYOND):
        assert refused(hosts, ("Host", host)) == 403
    scope = {"type": "http", "headers": [(b"host", host.encode())]}
    assert "--web.allowed-host" in (LOOPBACK.refusal(Request(scope)) or (0, ""))[1]


@pytest.mark.parametrize(
    "host", ["", ":9877", "localhost:", "localhost:x", "a b", "user@localhost", "localhost/x", "[::1", "\xe9"]
)
def test_what_is_no_host_is_a_bad_request(host: str) -> None:
    assert refused(LOOPBACK, ("Host", host)) == 400


def test_none_and_two_are_bad_requests() -> None:
    assert refused(LOOPBACK) == 400
    assert refused(LOOPBACK, ("Host", "localhost"), ("Host", "localhost")) == 400


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([("Origin", "http://localhost:9877")], None),
        ([("Origin", "https://localhost:9877"), ("Sec-Fetch-Site", "same-origin")], None),
        ([("Sec-Fetch-Site", "none")], None),
        ([("Origin", "http://localhost:3000")], 403),
        ([("Origin", "http://evil.example")], 403),
        ([("Origin", "null")], 403),
        ([("Origin", "")], 403),
        ([("Origin", "http://localhost:9877"), ("Origin", "http://evil.example")], 403),
        ([("Sec-Fetch-Site", "cross-site")], 403),
        ([("Sec-Fetch-Site", "same-site")], 403),
        ([("Sec-Fetch-Site", "SAME-ORIGIN")], 403),
    ],
)
def test_no_web_page_of_another_origin_may(headers: list[tuple[str, str]], status: int | None) -> None:
    assert refused(LOOPBACK, ("Host", "localhost:9877"), *headers) == status


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("application/json", None),
        ("Application/JSON; charset=utf-8", None),
        ("", 415),
        ("text/plain", 415),
        ("application/jsonp", 415),
        ("application/x-www-form-urlencoded", 415),
        ("text/plain; application/json", 415),
    ],
)
def test_only_json_may(kind: str, status: int | None) -> None:
    assert refused(LOOPBACK, ("Host", "localhost"), kind=kind) == status


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("exporter", True),
        ("::1", True),
        ("192.0.2.7", True),
        ("exporter:9877", False),
        ("http://exporter", False),
        ("*", False),
        ("", False),
        ("a\nb", False),
    ],
)
def test_an_allowed_host_is_a_name_or_an_address_without_a_port(text: str, known: bool) -> None:
    assert is_host(text) is known
