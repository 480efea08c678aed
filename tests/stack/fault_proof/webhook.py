"""The receiver of Alertmanager's notifications: which alerts fired, and when that was told."""

import json
import secrets
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from exporter.stack.ports import HOST

POLL_SECONDS = 0.05


@dataclass
class Episode:
    """An alert from the first word of it to the word that it has resolved; times are monotonic seconds."""

    labels: dict[str, str]
    summary: str
    fired_at: float
    resolved_at: float | None = None

    @property
    def alert(self) -> str:
        """Its name."""
        return self.labels["alertname"]


class Webhook:
    """An HTTP server on a free loopback port while entered; it listens to nobody without the token."""

    def __init__(self) -> None:
        self.token = secrets.token_hex(16)
        self._episodes: list[Episode] = []
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer((HOST, 0), self._handler())
        self.url = f"http://{HOST}:{self._server.server_address[1]}/alerts"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(POLL_SECONDS,))

    def __enter__(self) -> "Webhook":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def episodes(self) -> list[Episode]:
        """All so far, in the order in which they were told."""
        with self._lock:
            return list(self._episodes)

    def take(self, notification: dict[str, Any], now: float) -> None:
        """Note what a notification says; it repeats what is firing already and was told before."""
        with self._lock:
            for alert in notification["alerts"]:
                lasting = [e for e in self._episodes if e.labels == alert["labels"] and e.resolved_at is None]
                if alert["status"] == "firing" and not lasting:
                    self._episodes.append(Episode(alert["labels"], alert["annotations"]["summary"], now))
                elif alert["status"] == "resolved":
                    for episode in lasting:
                        episode.resolved_at = now

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        webhook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                known = self.headers["Authorization"] == f"Bearer {webhook.token}"
                if known:
                    webhook.take(json.loads(body), time.monotonic())
                self.send_response(200 if known else 401)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Nothing: the terminal shows the proof."""

        return Handler
