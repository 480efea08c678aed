"""Talks to a running exporter: announces runs to it and asks what has arrived."""

from dataclasses import asdict
from typing import Any
from urllib.parse import urlsplit

import requests

from exporter.errors import ConfigurationError, QueryError
from exporter.events import Phase, RunInfo

TIMEOUT_SECONDS = 3.0


class ExporterApi:
    """The HTTP API of one exporter."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        try:
            parts = urlsplit(self.url)
            host = parts.hostname if parts.scheme in ("http", "https") else None
        except ValueError:
            host = None
        if not host:
            raise ConfigurationError(f"--exporter: {url!r} is not a URL like http://127.0.0.1:9877")
        self.host: str = host
        self._session = requests.Session()
        self._session.trust_env = False

    def healthy(self) -> bool:
        """Whether an exporter answers there."""
        try:
            answer = self._session.get(f"{self.url}/-/healthy", timeout=TIMEOUT_SECONDS)
        except requests.RequestException:
            return False
        return answer.status_code == 200

    def announce(self, info: RunInfo, phase: Phase) -> int:
        """Announce a run, or its phase; returns the UDP port of the ingest.

        Raises QueryError where the exporter does not answer, ConfigurationError where it refuses.
        """
        body = {**asdict(info), "phase": phase.value}
        port = self._ask("PUT", info.run, body).get("ingest_port")
        if not isinstance(port, int):
            raise QueryError(f"exporter at {self.url} did not name its ingest port")
        return port

    def status(self, run: str) -> dict[str, Any]:
        """The state of a run (metrics/status.py); raises QueryError where there is none to be had."""
        return self._ask("GET", run, None)

    def _ask(self, method: str, run: str, body: dict[str, Any] | None) -> dict[str, Any]:
        try:
            answer = self._session.request(
                method, f"{self.url}/api/runs/{run}", json=body, timeout=TIMEOUT_SECONDS
            )
            document: dict[str, Any] = answer.json()
            if not isinstance(document, dict):
                raise QueryError(f"exporter at {self.url}: an answer that is no JSON object")
            if answer.status_code in (400, 409, 413) and "error" in document:
                raise ConfigurationError(f"exporter at {self.url} refused the run: {document['error']}")
            if answer.status_code != 200:
                raise QueryError(f"exporter at {self.url}: HTTP {answer.status_code}")
        except (requests.RequestException, ValueError) as error:
            raise QueryError(f"exporter at {self.url} gave no usable answer ({error})") from error
        return document
