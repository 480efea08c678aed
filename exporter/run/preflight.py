"""Before the load: one request as the load will send it, so that 45 minutes are not lost on a wrong key."""

import http.client
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial

from exporter.clock import Clock
from exporter.errors import PreflightError
from exporter.live.message import Pair, Route
from exporter.load.model_label import ModelSource
from exporter.load.stream.direct import headers_past
from exporter.load.stream.shape import StreamShape
from exporter.load.workload import Workload, check_reachable
from exporter.results.run_result import Preflight
from exporter.run.first_stream import oddity_of
from exporter.run.interrupt import Interrupt
from exporter.run.single_request import KEPT_BYTES, NoAnswerError, Reply, SingleRequest, Stage, speaks
from exporter.settings.router_api import api_prefix
from exporter.settings.server_trust import ServerTrust
from exporter.verdict.answers import meaning_of

ANSWER_SECONDS = 30.0
"""how long the answer to the request may take; a longer one is said"""
MODELS_SECONDS = 5.0
SHOWN_MODELS = 5
SHOWN_CHARACTERS = 160
PASSING = (408, 425, 429)
"""statuses below 500 that another request may not get"""
ANYWAY = "; --no-preflight sends the load all the same"


def preflight(
    workload: Workload,
    engine: str,
    trust: ServerTrust,
    say: Callable[[str], None],
    interrupt: Interrupt,
    clock: Clock,
    shape: StreamShape | None = None,
) -> Preflight:
    """Ask the target once, `say` what is odd, and return what was seen. It is no request of the run.

    Of a mix of requests the first is sent, and the models of all are looked for in the list of models. With a
    script, whose requests are its own, only the target is asked (GET /v1/models). Raises
    TargetUnreachableError and PreflightError where the load would be lost.
    """
    check_reachable(workload)
    return _Preflight(workload, engine, trust, say, interrupt, clock, shape).run()


@dataclass
class _Preflight:
    workload: Workload
    engine: str
    trust: ServerTrust
    show: Callable[[str], None]
    interrupt: Interrupt
    clock: Clock
    shape: StreamShape | None

    def __post_init__(self) -> None:
        self._tls: ssl.SSLContext | None = None
        if self.workload.target.startswith("https://"):
            self._tls = self.trust.context("--cacert")
        self._said: list[str] = []
        self._headers = {"Content-Type": "application/json", **dict(self.workload.headers)}
        self._models_path = api_prefix(self.workload.endpoint) + "/v1/models"

    def run(self) -> Preflight:
        scripted = self.workload.script is not None
        method, path = ("GET", self._models_path) if scripted else ("POST", self.workload.endpoint)
        # What stands behind a ? may be a key.
        what = f"{method} {path.partition('?')[0]}"
        began = self.clock.monotonic()
        reply = self._ask(method, path, what)
        seconds = round(self.clock.monotonic() - began, 3)
        if reply is not None and self.shape is not None and self.shape.direct is not None:
            self._check_node(self.shape, self.shape.direct)
        if reply is not None:
            if not scripted:
                self._check(what, reply)
                self._check_models(self._ask_models())
            else:
                if reply.status >= http.client.INTERNAL_SERVER_ERROR:
                    self._say(f"{what} answers {self._answer(reply)}")
                self._check_models(reply)
        return Preflight(what, reply.status if reply else None, seconds, tuple(self._said))

    def _say(self, text: str) -> None:
        self._said.append(text)
        self.show(f"before the load: {text}")

    def _request(self, method: str, path: str, seconds: float) -> Reply:
        body = self.workload.body if method == "POST" else None
        request = SingleRequest(method, self.workload.target + path, body, self._headers, self._tls)
        return request.reply(seconds, self.interrupt, self.clock)

    def _ask(self, method: str, path: str, what: str) -> Reply | None:
        """The answer; None, and said, where none came. Raises PreflightError where none can come."""
        ask = partial(self._request, method, path, ANSWER_SECONDS)
        try:
            try:
                reply = ask()
            except NoAnswerError as missing:
                if not isinstance(missing.error, ssl.SSLCertVerificationError):
                    raise
                self._untrusted(missing.error)
                reply = ask()
        except NoAnswerError as missing:
            self._unanswered(what, missing)
            return None
        if reply.status == http.client.BAD_REQUEST:  # so some servers answer who speak TLS alone
            self._refuse_plain()
        return reply

    def _untrusted(self, error: ssl.SSLCertVerificationError) -> None:
        target, why = self.workload.target, printable(error.verify_message)
        if self.trust.ca_file is not None:
            raise PreflightError(
                f"the certificate of {target} is not trusted by --cacert ({why}); give the authority that "
                "signed it, or --insecure"
            )
        self._say(
            f"the certificate of {target} is not trusted ({why}); {self.engine} verifies none, so the load "
            "goes on (--cacert FILE to verify it, --insecure to accept it)"
        )
        self._tls = None

    def _unanswered(self, what: str, missing: NoAnswerError) -> None:
        target, error = self.workload.target, missing.error
        if isinstance(error, TimeoutError):
            if missing.stage == Stage.ANSWER:
                self._refuse_plain()
            self._say(f"{what} has no answer within {ANSWER_SECONDS:.0f} s")
            return
        if missing.stage == Stage.TLS or isinstance(error, ssl.SSLError):
            if speaks(target, tls=False):
                raise PreflightError(
                    f"{target} speaks no TLS on this port, but plain HTTP; give --target "
                    f"{target.replace('https://', 'http://', 1)}"
                )
            if isinstance(error, ssl.SSLError):
                reason = printable(error.reason or str(error)).replace("_", " ").lower()
                raise PreflightError(f"no TLS with {target} ({reason}); check --target{ANYWAY}")
        elif missing.stage == Stage.ANSWER:
            self._refuse_plain()
            if isinstance(error, http.client.HTTPException) and not isinstance(
                error, http.client.RemoteDisconnected
            ):
                raise PreflightError(
                    f"what answers at {target} is not HTTP ({self._quoted(str(error))}); give the router's "
                    f"URL with --target{ANYWAY}"
                )
        self._say(f"{what}: the connection ended without an answer ({printable(str(error))})")

    def _refuse_plain(self) -> None:
        target = self.workload.target
        if target.startswith("http://") and speaks(target, tls=True):
            raise PreflightError(
                f"{target} speaks TLS on this port; give --target {target.replace('http://', 'https://', 1)}"
            )

    def _check(self, what: str, reply: Reply) -> None:
        """Raise PreflightError where the load would get nothing but this answer; else say what is odd."""
        status, target = reply.status, self.workload.target
        answer = f"{what} answers {self._answer(reply)}"
        if status >= 500 or status < 200 or status in PASSING:
            self._say(answer)
        elif 300 <= status < 400:
            place = f" to {self._quoted(reply.location)}" if reply.location else ""
            raise PreflightError(
                f"{target}: {what} answers {status}, a redirect{place}, which no load follows; give that "
                f"place with --target and --endpoint{ANYWAY}"
            )
        elif status >= 400:
            meaning = meaning_of(str(status), self.workload.route)
            means = f": {meaning.english}" if meaning else ""
            raise PreflightError(f"{target}: {answer}{means}{self._missing_model(status)}{ANYWAY}")
        elif reply.is_page:
            raise PreflightError(
                f"{target}: {answer}, a web page (HTML) and no completion; is this the router? check "
                f"--target and --endpoint{ANYWAY}"
            )
        elif reply.error:
            self._say(f"{what} answers {status}, and in it an error ({self._excerpt(reply)})")
        elif self.shape is not None and self.shape.asked[0].stream:
            self._check_stream(f"{what} answers {status}", reply, self.shape)

    def _check_stream(self, answers: str, reply: Reply, shape: StreamShape) -> None:
        whole = reply.whole and len(reply.body) < KEPT_BYTES
        odd = oddity_of(shape.asked[0], shape.complete_on_done, reply.content_type, reply.body, whole)
        if odd is not None:
            what, part = odd
            quoted = f" ({self._quoted(part)})" if part else ""
            self._say(f"{answers}, {what}{quoted}")

    def _check_node(self, shape: StreamShape, url: str) -> None:
        """Ask the node past the router too; without it the load is none the worse."""
        asked = shape.asked[0]
        endpoint = asked.direct_endpoint or asked.endpoint
        what = f"--direct: POST {endpoint.partition('?')[0]} at {url}"
        headers = {"Content-Type": "application/json", **dict(headers_past(self.workload.headers))}
        request = SingleRequest("POST", url + endpoint, asked.body, headers, None)
        try:
            reply = request.reply(ANSWER_SECONDS, self.interrupt, self.clock)
        except NoAnswerError as missing:
            self._say(f"{what} has no answer ({printable(str(missing.error))}); there will be no pairs")
            return
        if not 200 <= reply.status < 300:
            self._say(f"{what} answers {self._answer(reply)}; there will be no pairs")
        elif asked.stream:
            self._check_stream(f"{what} answers {reply.status}", reply, shape)

    def _missing_model(self, status: int) -> str:
        """That the router does not list the model, where that may be why it refuses it."""
        if status not in (400, 404):
            return ""
        listed = self._listed(self._ask_models(), self._pairs[0])
        return "" if listed is None else f"; {listed}"

    def _ask_models(self) -> Reply | None:
        try:
            return self._request("GET", self._models_path, MODELS_SECONDS)
        except NoAnswerError:
            return None

    @property
    def _pairs(self) -> tuple[Pair, ...]:
        """The first is that of the request that is sent."""
        own = Pair(self.workload.route, self.workload.model)
        return self.shape.pairs if self.shape else (own,)

    def _check_models(self, reply: Reply | None) -> None:
        for pair in self._pairs:
            listed = self._listed(reply, pair)
            if listed is not None:
                self._say(listed)

    def _listed(self, reply: Reply | None, pair: Pair) -> str | None:
        """That the model is not in the list; None where it is, or where nothing is known of it."""
        models = reply.models if reply else []
        model = pair.model
        prefix, _, rest = model.partition(":")
        if not models or self.workload.model_source == ModelSource.UNKNOWN:
            return None
        if any(_names(each, model) for each in models):
            return None
        # Routers list their own models, and few those of the clouds behind a prefix.
        cloud = pair.route != Route.LOCAL
        if cloud and (rest in models or not any(each.startswith(f"{prefix}:") for each in models)):
            return None
        shown = ", ".join(self._quoted(each, 40) for each in models[:SHOWN_MODELS])
        more = f" and {len(models) - SHOWN_MODELS:,} more" if len(models) > SHOWN_MODELS else ""
        return f"{self._models_path} does not list the model {model!r}; it lists {shown}{more}"

    def _answer(self, reply: Reply) -> str:
        excerpt = self._excerpt(reply)
        return f"{reply.status} ({excerpt})" if excerpt else str(reply.status)

    def _excerpt(self, reply: Reply) -> str:
        text = reply.title if reply.is_page else reply.error or reply.text[: 4 * SHOWN_CHARACTERS]
        return self._quoted(text)

    def _quoted(self, text: str, characters: int = SHOWN_CHARACTERS) -> str:
        """Another's text, on one line, bounded, and without what was sent as a secret."""
        for _, value in self.workload.headers:
            for secret in (value, value.rpartition(" ")[2]):
                if len(secret) >= 4:
                    text = text.replace(secret, "…")
        text = printable(text)
        return text if len(text) <= characters else text[:characters] + "…"


def _names(listed: str, model: str) -> bool:
    """Whether a list's entry is this model: `openai/*` is all of a router's, `llama3:latest` also llama3."""
    return fnmatchcase(model, listed) or listed in (model, f"{model}:latest")


def printable(text: str) -> str:
    """On one line and without control characters."""
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())
