"""One look at the router: whether it answers, its models, and what it reports of its nodes.

`GET /v1/models` is asked of any router: any answer below 500 is a router that is up, one that wants a key
(401) included. Its nodes are asked of the first of NODE_SOURCES that it has, found by asking; a router that
has none is the plain OpenAI-compatible subset, which is no error. They are asked for with the token of the
login, and with the API key where there is none, or none that the router takes.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

from exporter.clock import Clock
from exporter.collectors.router.login import Login
from exporter.collectors.router.model_stats import Counts, ModelStats, usable_id
from exporter.collectors.router.no_answer import NoAnswerError
from exporter.collectors.router.nodes_api import NodeState, Overview, parse_model_count, parse_overview
from exporter.collectors.router.probe import Answer, HttpProbe
from exporter.errors import ConfigurationError
from exporter.live.probe_result import ProbeResult, result_of_status
from exporter.settings.router_api import RouterApi

ENDPOINTS = "/api/endpoints"
NODE_SOURCES = (
    "/api/dashboard/overview",  # first generation: open; current: for a user's token (JWT)
    ENDPOINTS,  # current: for an API key, without counts
    "/api/dashboard/nodes",  # first generation, as the overview but without totals
    "/api/nodes",  # first generation, without counts
)
"""where the nodes may be listed, the fullest account first"""
_ASK_AGAIN_SECONDS = 60.0
_TRY_LATER = frozenset({408, 425, 429})
_UNAUTHORIZED = 401
MIN_LOGIN_SECONDS = 5.0
"""that a login is given: it costs the router a hash made to be slow, and that under load"""


@dataclass(frozen=True, slots=True)
class Reading:
    """What one look found; None for what it did not."""

    result: ProbeResult
    detail: str = ""
    """of a failure, in the words of the system"""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """how long each probe took"""
    models: int | None = None
    overview: Overview | None = None
    logged_in: bool | None = None
    """whether there is a token; None where no login is configured"""


@dataclass(slots=True)
class _Found:
    """Where the nodes are listed for one key or token, as far as it is known."""

    source: str | None = None
    look_again_at: float = -math.inf


def longest_seconds(api: RouterApi) -> float:
    """How long a reading may take, but for the lookup of a name."""
    login = 0.0 if api.login is None else max(api.timeout_seconds, MIN_LOGIN_SECONDS)
    return 3 * api.timeout_seconds + login


class RouterReader:
    """Looks at one router: its models, a login where one is due, its nodes, their counts.

    The key, an API key or a JWT, goes to the router's own URL and, redirects not being followed, nowhere
    else. Raises ConfigurationError where key, login or certificates cannot be used.
    """

    def __init__(self, api: RouterApi, clock: Clock, api_key: str | None = None) -> None:
        if api_key is not None and not (api_key.isascii() and api_key.isprintable()):
            raise ConfigurationError(
                "router: the API key is not printable ASCII, as headers are; check api_key_env, api_key_file"
            )
        self.api = api
        self._probe = HttpProbe(api, clock)
        self._clock = clock
        self._key = api_key
        self._login = None if api.login is None else Login(api, api.login, clock)
        self._by_key, self._by_token = _Found(), _Found()
        self._model_stats = ModelStats(clock)

    def read(self) -> Reading:
        """Ask now; whatever the router does is in the reading."""
        seconds: dict[str, float] = {}
        try:
            answer = self._ask("models", "/v1/models", self.api.timeout_seconds, self._key, seconds)
        except NoAnswerError as error:
            return Reading(error.result, error.detail, seconds)
        token = self._token()
        try:
            overview = self._ask_nodes(token, seconds)
        except NoAnswerError:
            overview = None
        result, models = result_of_status(answer.status), parse_model_count(answer.json())
        detail = f"HTTP {answer.status}" if result is ProbeResult.HTTP_5XX else ""
        logged_in = None if self._login is None else self._login.token is not None
        return Reading(result, detail, seconds, models, overview, logged_in)

    def _ask(
        self, probe: str, path: str, timeout_seconds: float, bearer: str | None, seconds: dict[str, float]
    ) -> Answer:
        begun = self._clock.monotonic()
        try:
            return self._probe.get(path, timeout_seconds, bearer)
        finally:
            seconds[probe] = self._clock.monotonic() - begun

    def _token(self) -> str | None:
        """That of the login, where there is one; made or renewed where it is due."""
        if self._login is None:
            return None
        if self._login.due():
            self._login.log_in(self._probe, max(self.api.timeout_seconds, MIN_LOGIN_SECONDS))
        return self._login.token

    def _ask_nodes(self, token: str | None, seconds: dict[str, float]) -> Overview | None:
        deadline = self._clock.monotonic() + self.api.timeout_seconds
        if token is not None:
            overview = self._ask_overview(token, self._by_token, deadline, seconds)
            if overview is not None:
                return self._counted(overview, self._by_token, token)
            if self._by_token.source is not None and self._login is not None and self._login.token == token:
                return None  # it has failed this once; for the key there would be less
        overview = self._ask_overview(self._key, self._by_key, deadline, seconds)
        return None if overview is None else self._counted(overview, self._by_key, self._key)

    def _ask_overview(
        self, bearer: str | None, found: _Found, deadline: float, seconds: dict[str, float]
    ) -> Overview | None:
        """From the source that the router is known to have, else from the first that answers as one."""
        if found.source is None and self._clock.monotonic() < found.look_again_at:
            return None
        for path in NODE_SOURCES if found.source is None else (found.source,):
            left = deadline - self._clock.monotonic()
            if left <= 0:
                return None
            answer = self._ask("nodes", path, left, bearer, seconds)
            if self._is_refused(bearer, answer.status):
                del seconds["nodes"]
                return None
            overview = parse_overview(answer.json())
            if overview is not None:
                found.source = path
            # A failure, or nonsense of a source that has worked, costs this reading's series, no more.
            if overview is not None or not _lacks(answer.status, found):
                return overview
            del seconds["nodes"]  # not a figure of the nodes' probe: there is no such source
        # A source that is gone is looked for at once at the next reading, one that never was in a minute.
        if found.source is None:
            found.look_again_at = self._clock.monotonic() + _ASK_AGAIN_SECONDS
        found.source = None
        return None

    def _is_refused(self, bearer: str | None, status: int) -> bool:
        """Whether the login's token is not taken; the login learns of it either way."""
        if self._login is None or bearer is None or bearer != self._login.token:
            return False
        if status == _UNAUTHORIZED:
            self._login.refused(bearer)
            return True
        if status == 200:
            self._login.accepted()
        return False

    def _counted(self, overview: Overview, found: _Found, bearer: str | None) -> Overview:
        """With what the endpoints have counted, where their list does not say it."""
        if found.source != ENDPOINTS or not overview.uncounted:
            return overview
        ids = [usable for _, name in overview.uncounted if (usable := usable_id(name)) is not None]
        counts = self._model_stats.counts(ids, partial(self._get, bearer), self.api.timeout_seconds)
        of_label: dict[str, list[Counts | None]] = {}
        for label, name in overview.uncounted:
            of_label.setdefault(label, []).append(counts.get(usable_id(name) or ""))
        for label, parts in of_label.items():
            _add_counts(overview.nodes[label], parts)
        return overview

    def _get(self, bearer: str | None, path: str, timeout_seconds: float) -> Answer:
        return self._probe.get(path, timeout_seconds, bearer)


def _add_counts(node: NodeState, parts: list[Counts | None]) -> None:
    """The sums of the endpoints of one name; without one of them there is none."""
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        return
    node.successes = _sum([part.successes for part in known])
    node.failures = _sum([part.failures for part in known])
    node.output_tokens = _sum([part.output_tokens for part in known])


def _sum(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None


def _lacks(status: int, found: _Found) -> bool:
    """Whether this status of a source means that the router does not offer it (to this key)."""
    if status == 200:
        return found.source is None  # a page for every path is no source
    return (300 <= status < 500 and status not in _TRY_LATER) or status == 501
