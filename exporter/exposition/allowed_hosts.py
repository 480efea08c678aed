"""Which requests may announce runs: those that are meant for this exporter, and none that a web page makes.

A page of anybody's, open in a browser on this machine, can send requests to loopback, and under its own name
where that is made to lead here (DNS rebinding). Such a request has the page's name in Host, Origin or both.
"""

import ipaddress
import re
from collections.abc import Iterable

from starlette.requests import Request

from exporter.settings.machine import Machine, plain_host

_NAME = r"[A-Za-z0-9._-]+"
_HOST = re.compile(rf"(\[[0-9A-Fa-f:.]+\]|{_NAME})(?::[0-9]{{1,5}})?")
_OWN_SITE = ("same-origin", "none")


class AllowedHosts:
    """The names by which an exporter may be asked to take a run.

    Loopback's, those of `listen` (host and bound address), `others`, and beyond loopback the machine's own.
    """

    def __init__(
        self, listen: Iterable[str] = (), machine: Machine | None = None, others: Iterable[str] = ()
    ) -> None:
        own = tuple(listen)
        beyond = () if machine is None or all(map(_is_loopback, own)) else machine.names
        self._names = {plain_host(each) for each in (*own, *beyond, *others)}

    def refusal(self, request: Request) -> tuple[int, str] | None:
        """Status and reason of the refusal of an announcement, None for one that may be."""
        headers = request.headers
        hosts = headers.getlist("host")
        found = _HOST.fullmatch(hosts[0]) if len(hosts) == 1 else None
        if found is None:
            return 400, "a request has one Host, a name or an address"
        name = plain_host(found[1].strip("[]"))
        if not _is_loopback(name) and name not in self._names:
            return (
                403,
                "the Host of the request is none of its names; start it with --web.allowed-host HOST",
            )
        own = tuple(f"{scheme}://{hosts[0].lower()}" for scheme in ("http", "https"))
        if any(origin.lower() not in own for origin in headers.getlist("origin")):
            return 403, "no run is taken from a web page of another origin"
        if is_other_site(request):
            return 403, "no run is taken from a web page of another site"
        if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            return 415, "an announcement has the Content-Type application/json"
        return None


def is_other_site(request: Request) -> bool:
    """Whether a browser says that a web page of another site makes the request."""
    return any(site not in _OWN_SITE for site in request.headers.getlist("sec-fetch-site"))


def is_host(text: str) -> bool:
    """Whether it is a name or an address, without port or brackets."""
    return re.fullmatch(rf"{_NAME}|[0-9A-Fa-f:.]+", text) is not None


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
