"""Talks to a running exporter: announces runs to it and asks what has arrived."""

from dataclasses import asdict
from urllib.parse import urlsplit

import requests

from exporter.errors import ConfigurationError, QueryError
from exporter.live.message import Phase, RunInfo
from exporter.live.status import RunStatus
from exporter.live.wire import VERSION
from exporter.settings.login import NO_LOGIN, HttpClient

TIMEOUT_SECONDS = 3.0


class ExporterClient:
    """The HTTP API of one exporter."""

    def __init__(self, url: str, client: HttpClient = NO_LOGIN) -> None:
        self.url = url.rstrip("/")
        try:
            parts = urlsplit(self.url)
            host = parts.hostname if parts.scheme in ("http", "https") else None
        except ValueError:
            host = None
        if not host:
            raise ConfigurationError(f"--exporter: {url!r} is not a URL like http://127.0.0.1:9877")
        self.host: str = host
        self.instance = parts.netloc.rpartition("@")[2]
        """host:port, as a Prometheus that scrapes it calls it"""
        self._client = client
        self._session = client.session()

    def session(self) -> requests.Session:
        """Another session, for another thread, that is logged in at this exporter."""
        return self._client.session()

    def problem(self) -> str | None:
        """Why no exporter can be used there; None where one answers."""
        try:
            answer = self._session.get(f"{self.url}/-/healthy", timeout=TIMEOUT_SECONDS)
        except requests.exceptions.SSLError as error:
            return f"no TLS with {self.url} ({_cause(error)}); check tls_config in --exporter.config"
        except (requests.RequestException, OSError):
            # An OSError is a file of the TLS configuration that cannot be used.
            return f"no exporter answers at {self.url}; start one: soak exporter"
        if answer.status_code == 401:
            return f"{self.url} asks for another user and password; give basic_auth in --exporter.config"
        if answer.status_code != 200:
            return f"{self.url} is no healthy exporter (HTTP {answer.status_code})"
        return None

    def register(self, info: RunInfo, token: bytes, phase: Phase) -> int:
        """Announce a run, or its phase; returns the UDP port of the ingest.

        Raises QueryError where the exporter does not answer, ConfigurationError where it refuses or is of
        another version.
        """
        body = {**asdict(info), "version": VERSION, "token": token.hex(), "phase": phase.value}
        answer = self._ask("PUT", info.run, body)
        port = _object(answer).get("ingest_port")
        if not isinstance(port, int):
            raise QueryError(f"exporter at {self.url} did not name its ingest port")
        return port

    def status(self, run: str) -> RunStatus:
        """The state of a run; raises QueryError where there is none to be had."""
        answer = self._ask("GET", run, None)
        try:
            return RunStatus.from_json(answer.content)
        except ValueError as error:
            raise QueryError(f"exporter at {self.url} gave no usable status of the run") from error

    def _ask(self, method: str, run: str, body: dict[str, object] | None) -> requests.Response:
        url = f"{self.url}/api/runs/{run}"
        try:
            answer = self._session.request(method, url, json=body, timeout=TIMEOUT_SECONDS)
        except (requests.RequestException, ValueError) as error:
            raise QueryError(f"exporter at {self.url} gave no usable answer ({error})") from error
        status = answer.status_code
        # The status of a run is read by its own type, once a second.
        document = {} if method == "GET" and status == 200 else _object(answer)
        if status == 401:
            raise QueryError(f"exporter at {self.url} does not take this user and password any more")
        if status == 413:
            raise ConfigurationError(f"exporter at {self.url} refused the run: {answer.text.strip()}")
        if method == "PUT" and status in (200, 400, 409) and document.get("version") != VERSION:
            raise ConfigurationError(
                f"exporter at {self.url} does not speak version {VERSION} of the live message; start the "
                "exporter of this release in its place, or name another with --exporter"
            )
        if status in (400, 409) and "error" in document:
            raise ConfigurationError(f"exporter at {self.url} refused the run: {document['error']}")
        if status != 200:
            raise QueryError(f"exporter at {self.url}: HTTP {status}")
        return answer


def _object(answer: requests.Response) -> dict[str, object]:
    """The JSON object in an answer, empty where there is none."""
    try:
        document = answer.json()
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _cause(error: BaseException) -> str:
    """The innermost reason of an error of requests, which wraps it several times."""
    while error.__context__ is not None:
        error = error.__context__
    return str(error)
