"""A run as the exporter knows it: announced, repeated as a sign of life, asked for, ended."""

import secrets

from exporter.clock import Clock
from exporter.errors import ConfigurationError, QueryError
from exporter.live.message import TOKEN_BYTES, Phase, RunInfo
from exporter.live.run_durations import RunDurations
from exporter.live.run_seconds import RunSeconds
from exporter.live.status import RunStatus
from exporter.run.exporter_client import ExporterClient

REPEAT_SECONDS = 5.0


class Registration:
    """One run at one exporter, which may be away at times or come back without it.

    Raises QueryError or ConfigurationError where the exporter does not take the run at its begin.
    """

    def __init__(self, info: RunInfo, exporter: ExporterClient, clock: Clock, phase: Phase) -> None:
        self.info = info
        self.token = secrets.token_bytes(TOKEN_BYTES)
        """authorises live messages; a secret, so never shown"""
        self.instance = exporter.instance
        self.ingest_host = exporter.host
        self.ingest_port = exporter.register(info, self.token, phase)
        self.others: dict[str, str] = {}
        """labels, by id, of runs that asked the same route and model at this exporter meanwhile"""
        self.refusal = ""
        """why the exporter does not take the run any more; empty where it does, or is away"""
        self.exporter = exporter
        self._clock = clock
        self._phase = phase
        self._announced = clock.monotonic()

    def enter(self, phase: Phase) -> None:
        """Announce a phase; an exporter that is away learns of it by `repeat`.

        One that refuses now costs the run its live counts, which the totals show, and not its measurement.
        """
        self._phase = phase
        try:
            self.ingest_port = self.exporter.register(self.info, self.token, phase)
        except QueryError:
            return
        except ConfigurationError as error:
            self.refusal = str(error)
            return
        self.refusal = ""
        self._announced = self._clock.monotonic()

    def repeat(self, at_once: bool = False) -> None:
        """Announce the run again where the last time is REPEAT_SECONDS ago, or at once."""
        if at_once or self._clock.monotonic() - self._announced >= REPEAT_SECONDS:
            self.enter(self._phase)

    def status(self) -> RunStatus | None:
        """What the exporter has counted, or None where it gives no answer."""
        try:
            status = self.exporter.status(self.info.run)
        except QueryError:
            return None
        self.others |= status.others
        return status

    def seconds(self, after: int) -> RunSeconds | None:
        """What it has counted of each second later than `after`, None where it gives no answer."""
        try:
            return self.exporter.seconds(self.info.run, after)
        except QueryError:
            return None

    def durations(self) -> RunDurations | None:
        """How long the 2xx took so far, or None where the exporter gives no answer."""
        try:
            return self.exporter.durations(self.info.run)
        except QueryError:
            return None
