"""The receiver of Alertmanager's notifications: which alerts fired, and when that was told."""

import json
import secrets
import threading
import time
from dataclasses import dataclass
from typing import Any

from tests.support.local_http import Answer, Asked, LocalHttp


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


class Webhook(LocalHttp):
    """A receiver on a free loopback port while entered; it listens to nobody without the token."""

    def __init__(self) -> None:
        super().__init__(self._receive)
        self.token = secrets.token_hex(16)
        self._episodes: list[Episode] = []
        self._lock = threading.Lock()

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

    def _receive(self, asked: Asked) -> Answer:
        if asked.headers["Authorization"] != f"Bearer {self.token}":
            return 401, ""
        self.take(json.loads(asked.body), time.monotonic())
        return 200, ""
