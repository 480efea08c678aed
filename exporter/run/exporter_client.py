"""Talks to a running exporter: asks what it watches, announces runs to it and asks what has arrived."""

import copy
import socket
from collections.abc import Callable
from dataclasses import asdict
from typing import TypeVar
from urllib.parse import urlsplit

import requests

from exporter.errors import ConfigurationError, QueryError
from exporter.live.findings import RunFindings
from exporter.live.message import Phase, RunInfo
from exporter.live.run_durations import RunDurations
from exporter.live.run_seconds import RunSeconds
from exporter.live.status import RunStatus
from exporter.live.wire import VERSION
from exporter.run.http_answer import Answer, BoundedHttp, NoTlsError, UnansweredError, printable
from exporter.settings.login import NO_LOGIN, HttpClient
from exporter.settings.url import port_of, server_url
from exporter.settings.watch import OWNER_HEADER, Watch

R = TypeVar("R", RunStatus, RunSeconds, RunDurations)
TIMEOUT_SECONDS = 3.0
MAX_ANSWER_BYTES = 1 << 20
EXAMPLE = "http://127.0.0.1:9877"
_REFUSED = (400, 403, 409, 415)
"""with an error of the exporter's own in the answer"""


class ExporterClient:
    """The HTTP API of one exporter; `owner` is the secret of one that this command has started for itself."""

    def __init__(self, url: str, client: HttpClient = NO_LOGIN, owner: str | None = None) -> None:
        self.url = server_url(url, "--exporter", EXAMPLE)
        parts = urlsplit(self.url)
        self.host: str = parts.hostname or ""
        self.instance = parts.netloc
        """host:port, as a Prometheus that scrapes it calls it"""
        self._client = client
        self._http = BoundedHttp(client.session(), TIMEOUT_SECONDS, MAX_ANSWER_BYTES)
        self._headers = {} if owner is None else {OWNER_HEADER: owner}

    def session(self) -> requests.Session:
        """Another session, for another thread, that is logged in at this exporter."""
        return self._client.session()

    def beside(self) -> "ExporterClient":
        """The same exporter, for another thread."""
        other = copy.copy(self)
        other._http = BoundedHttp(self.session(), TIMEOUT_SECONDS, MAX_ANSWER_BYTES)
        return other

    def is_there(self) -> bool:
        """Whether anything takes connections at its address."""
        parts = urlsplit(self.url)
        try:
            socket.create_connection((self.host, port_of(parts)), TIMEOUT_SECONDS).close()
        except OSError:
            return False
        return True

    def watch(self) -> Watch:
        """What it watches; raises QueryError with one line, what to do included, where that cannot be had.

        A URL with a path that is no exporter's base is taken for one of its pages, such as `/metrics`.
        """
        answer = self._asked_for_watch()
        parts = urlsplit(self.url)
        if answer.status == 404 and parts.path:
            self.url = f"{parts.scheme}://{parts.netloc}"
            answer = self._asked_for_watch()
        if answer.status == 401:
            raise QueryError(
                f"{self.url} asks for another user and password; give basic_auth in --exporter.config"
            )
        if answer.status not in (200, 404):
            raise QueryError(f"{self.url} is no healthy exporter (HTTP {answer.status})")
        document = answer.document()
        if "telemetry_path" in document and document.get("version") != VERSION:
            raise QueryError(self._other_version)
        try:
            return Watch.from_json(answer.body)
        except ValueError:
            raise QueryError(
                f"what answers at {self.url} does not say what it watches (HTTP {answer.status} at "
                "/api/watch): it is another service, or an exporter of an earlier release"
            ) from None

    def _asked_for_watch(self) -> Answer:
        try:
            return self._http.ask("GET", f"{self.url}/api/watch")
        except NoTlsError as error:
            raise QueryError(
                f"no TLS with {self.url} ({error}); check tls_config in --exporter.config"
            ) from error
        except UnansweredError as error:
            raise QueryError(
                f"no exporter answers at {self.url} ({error}); start one: soak exporter"
            ) from error

    def register(self, info: RunInfo, token: bytes, phase: Phase) -> int:
        """Announce a run, or its phase; returns the UDP port of the ingest.

        Raises QueryError where the exporter does not answer, ConfigurationError where it refuses or is of
        another version.
        """
        body = {**asdict(info), "version": VERSION, "token": token.hex(), "phase": phase.value}
        answer = self._put(info.run, body)
        document = answer.document()
        port = document.get("ingest_port")
        if answer.status != 200 or type(port) is not int or not 1 <= port <= 65535:
            what = "did not name its ingest port" if answer.status == 200 else f"answers HTTP {answer.status}"
            raise QueryError(f"exporter at {self.url} {what}")
        return port

    def publish(self, found: RunFindings, token: bytes) -> None:
        """What a run has found so far; raises as `register` does."""
        body = {**asdict(found), "version": VERSION, "token": token.hex()}
        answer = self._put(f"{found.run}/findings", body)
        if answer.status != 200:
            raise QueryError(f"exporter at {self.url} answers HTTP {answer.status}")

    def status(self, run: str) -> RunStatus:
        """The state of a run; raises QueryError where there is none to be had."""
        return self._of_run(run, "", RunStatus.from_json, "status")

    def seconds(self, run: str, after: int) -> RunSeconds:
        """The seconds of a run later than `after`; raises QueryError where there are none to be had."""
        return self._of_run(run, f"/seconds?after={after}", RunSeconds.from_json, "seconds")

    def durations(self, run: str) -> RunDurations:
        """How long the 2xx of a run took so far; raises QueryError where that is not to be had."""
        return self._of_run(run, "/durations", RunDurations.from_json, "durations")

    def _of_run(self, run: str, path: str, read: Callable[[bytes], R], what: str) -> R:
        """What the exporter says of a run below its path, as `read` reads it."""
        answer = self._ask("GET", run + path, None)
        if answer.status != 200:
            raise QueryError(f"exporter at {self.url} answers HTTP {answer.status}")
        try:
            found = read(answer.body)
        except ValueError:
            raise QueryError(f"exporter at {self.url} gave no usable {what} of the run") from None
        if found.run != run:
            raise QueryError(f"exporter at {self.url} gave the {what} of another run")
        return found

    def _put(self, path: str, body: dict[str, object]) -> Answer:
        """The answer to a PUT of a run; raises where it is refused."""
        answer = self._ask("PUT", path, body)
        document = answer.document()
        if answer.status == 413:
            reason = printable(answer.body.decode(errors="replace"))
            raise ConfigurationError(f"exporter at {self.url} refused the run: {reason}")
        if answer.status in (200, *_REFUSED) and document.get("version") != VERSION:
            raise ConfigurationError(self._other_version)
        if answer.status in _REFUSED and "error" in document:
            reason = printable(str(document["error"]))
            raise ConfigurationError(f"exporter at {self.url} refused the run: {reason}")
        return answer

    def _ask(self, method: str, path: str, body: dict[str, object] | None) -> Answer:
        try:
            answer = self._http.ask(method, f"{self.url}/api/runs/{path}", json=body, headers=self._headers)
        except UnansweredError as error:
            raise QueryError(f"exporter at {self.url} gave no usable answer ({error})") from error
        if answer.status == 401:
            raise QueryError(f"exporter at {self.url} does not take this user and password any more")
        return answer

    @property
    def _other_version(self) -> str:
        return (
            f"exporter at {self.url} does not speak version {VERSION} of the live message; start the "
            "exporter of this release in its place, or name another with --exporter"
        )
