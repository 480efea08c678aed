"""One look at the router: whether it answers, its models, and what it reports of its nodes.

`GET /v1/models` is asked of any router: any answer below 500 is a router that is up, one that wants a key
(401) included. Its nodes are asked of the first of NODE_SOURCES that it has, found by asking; a router that
has none is the plain OpenAI-compatible subset, which is no error.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from exporter.clock import Clock
from exporter.collectors.router.no_answer import NoAnswerError
from exporter.collectors.router.nodes_api import Overview, parse_model_count, parse_overview
from exporter.collectors.router.probe import Answer, HttpProbe
from exporter.errors import ConfigurationError
from exporter.live.probe_result import ProbeResult, result_of_status
from exporter.settings.router_api import RouterApi

NODE_SOURCES = (
    "/api/dashboard/overview",  # first generation: open; current: for a JWT as key
    "/api/endpoints",  # current: for an API key
    "/api/dashboard/nodes",  # first generation, as the overview but without totals
    "/api/nodes",  # first generation, without counts
)
"""where the nodes may be listed, the fullest account first"""
_ASK_AGAIN_SECONDS = 60.0
_TRY_LATER = frozenset({408, 425, 429})


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


class RouterReader:
    """Looks at one router, at most two time-outs long: one for its models, one for its nodes.

    The key, an API key or a JWT, goes to the router's own URL and, redirects not being followed, nowhere
    else. Raises ConfigurationError where key or certificates cannot be used.
    """

    def __init__(self, api: RouterApi, clock: Clock, api_key: str | None = None) -> None:
        if api_key is not None and not (api_key.isascii() and api_key.isprintable()):
            raise ConfigurationError(
                "router: the API key is not printable ASCII, as headers are; check api_key_env, api_key_file"
            )
        headers = {} if api_key is None else {"Authorization": f"Bearer {api_key}"}
        self.api = api
        self._probe = HttpProbe(api, clock, headers)
        self._clock = clock
        self._source: str | None = None
        self._look_again_at = clock.monotonic()

    def read(self) -> Reading:
        """Ask now; whatever the router does is in the reading."""
        seconds: dict[str, float] = {}
        try:
            answer = self._ask("models", "/v1/models", self.api.timeout_seconds, seconds)
        except NoAnswerError as error:
            return Reading(error.result, error.detail, seconds)
        deadline = self._clock.monotonic() + self.api.timeout_seconds
        try:
            overview = self._ask_overview(deadline, seconds)
        except NoAnswerError:
            overview = None
        result, models = result_of_status(answer.status), parse_model_count(answer.json())
        detail = f"HTTP {answer.status}" if result is ProbeResult.HTTP_5XX else ""
        return Reading(result, detail, seconds, models, overview)

    def _ask(self, probe: str, path: str, timeout_seconds: float, seconds: dict[str, float]) -> Answer:
        begun = self._clock.monotonic()
        try:
            return self._probe.get(path, timeout_seconds)
        finally:
            seconds[probe] = self._clock.monotonic() - begun

    def _ask_overview(self, deadline: float, seconds: dict[str, float]) -> Overview | None:
        """From the source that the router is known to have, else from the first that answers as one."""
        if self._source is None and self._clock.monotonic() < self._look_again_at:
            return None
        for path in NODE_SOURCES if self._source is None else (self._source,):
            left = deadline - self._clock.monotonic()
            if left <= 0:
                return None
            answer = self._ask("nodes", path, left, seconds)
            overview = parse_overview(answer.json())
            if overview is not None:
                self._source = path
            # A failure, or nonsense of a source that has worked, costs this reading's series, no more.
            if overview is not None or not self._lacks(answer.status):
                return overview
            del seconds["nodes"]  # not a figure of the nodes' probe: there is no such source
        # A source that is gone is looked for at once at the next reading, one that never was in a minute.
        if self._source is None:
            self._look_again_at = self._clock.monotonic() + _ASK_AGAIN_SECONDS
        self._source = None
        return None

    def _lacks(self, status: int) -> bool:
        """Whether this status of a source means that the router does not offer it (to this key)."""
        if status == 200:
            return self._source is None  # a page for every path is no source
        return (300 <= status < 500 and status not in _TRY_LATER) or status == 501
