"""One bounded GET: in time, in size, and without following anything anywhere."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import requests
import urllib3

from exporter.clock import Clock

MAX_BODY_BYTES = 4 * 1024 * 1024
_CHUNK_BYTES = 65536


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer: its status, and its body where that was whole, in time and not too large."""

    status: int
    body: bytes | None

    def json(self) -> Any:
        """The body as JSON, None where it is not."""
        if self.body is None:
            return None
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None


class HttpProbe:
    """GET requests to one server, each on a connection of its own.

    A kept connection would be one more in the counts that are watched, and the first request after a
    restart of the server would fail on it: that is not the server being down.
    """

    def __init__(self, base_url: str, clock: Clock) -> None:
        self._base_url = base_url.rstrip("/")
        self._clock = clock
        self._session = requests.Session()
        self._session.trust_env = False  # neither a proxy nor ~/.netrc
        self._session.headers.update({"Accept-Encoding": "identity", "Connection": "close"})

    def get(
        self, path: str, timeout_seconds: float, headers: Mapping[str, str] | None = None
    ) -> Answer | None:
        """The answer, None where none began in time; what the server does never raises."""
        begun = self._clock.monotonic()
        try:
            response = self._session.get(
                self._base_url + path,
                headers=headers,
                timeout=timeout_seconds,
                allow_redirects=False,
                stream=True,
            )
        except (requests.RequestException, OSError):
            return None
        with response:
            return Answer(response.status_code, self._body(response, begun + timeout_seconds))

    def _body(self, response: requests.Response, deadline: float) -> bytes | None:
        pieces: list[bytes] = []
        size = 0
        try:
            for piece in response.raw.stream(_CHUNK_BYTES, decode_content=False):
                pieces.append(piece)
                size += len(piece)
                if size > MAX_BODY_BYTES or self._clock.monotonic() > deadline:
                    return None
        except (urllib3.exceptions.HTTPError, OSError):
            return None
        return b"".join(pieces)
