"""What `/live` and the landing page show of this moment, as one JSON document.

It is made of what is known already: of the counts of runs, of findings that were published, and of the newest
scrape that anybody made. No text in it is trusted: whoever shows it puts it in as text.
"""

from dataclasses import asdict
from typing import Any

from exporter.clock import Clock
from exporter.exposition.last_hour import LastHour
from exporter.exposition.live_streams import streams_of
from exporter.live.findings import RunFindings
from exporter.live.message import Phase
from exporter.live.run import Run
from exporter.live.runs import LiveRuns
from exporter.live.status import RunStatus
from exporter.settings.watch import Watch

RATE_SECONDS = 5
"""over which a rate is that of now"""
_LOADED = (Phase.WARMUP, Phase.LOAD, Phase.REST)


class LiveState:
    """Makes the document; for the loop that serves, since it is short."""

    def __init__(self, runs: LiveRuns, hour: LastHour, watch: Watch, clock: Clock) -> None:
        self._runs = runs
        self._hour = hour
        self._watch = watch
        self._clock = clock
        self._made: dict[str, tuple[float, dict[str, Any]]] = {}
        """by run, when (monotonic s) and what: viewers share it"""

    def newest(self) -> str:
        """The run that is shown to who chooses none: the current one, else the last; empty: there is none."""
        with self._runs.lock:
            current = self._runs.current()
            if current is not None:
                return current.info.run
            known = [*self._runs.findings, *self._runs.runs]
            return known[-1] if known else ""

    def knows(self, run: str) -> bool:
        """Whether there is anything of it to show."""
        with self._runs.lock:
            return run in self._runs.runs or run in self._runs.findings

    def of(self, run: str, fresh_seconds: float) -> dict[str, Any]:
        """What is shown of a run, or of none (empty), not older than that."""
        now = self._clock.monotonic()
        made = self._made.get(run)
        if made is None or now - made[0] >= fresh_seconds:
            self._made = {each: kept for each, kept in self._made.items() if now - kept[0] < fresh_seconds}
            made = self._made[run] = now, self._document(run)
        return made[1]

    def _document(self, run: str) -> dict[str, Any]:
        with self._runs.lock:
            found, findings = self._runs.runs.get(run), self._runs.findings.get(run)
            shown = None if found is None and findings is None else self._run(run, found, findings)
            others = self._all()
        return {
            "now": self._clock.wall(),
            "since": self._hour.since,
            "release": self._watch.release,
            "takes_runs": self._watch.ingest_port is not None,
            "router": self._watch.url,
            "host": self._watch.host,
            "scrape": self._scrape(),
            "runs": others,
            "run": shown,
        }

    def _all(self) -> list[dict[str, Any]]:
        """All runs that there is anything of, the newest first."""
        now = self._clock.monotonic()
        names = [*self._runs.runs, *(each for each in self._runs.findings if each not in self._runs.runs)]
        found = []
        for name in names:
            run, findings = self._runs.runs.get(name), self._runs.findings.get(name)
            found.append(
                {
                    "run": name,
                    "label": None if run is None else run.info.label,
                    "start": None if run is None else run.info.start_timestamp_seconds,
                    "active": run is not None and run.active(now),
                    "outcome": None if findings is None else findings.outcome.value,
                }
            )
        return sorted(found, key=lambda each: each["start"] or 0.0, reverse=True)

    def _run(self, name: str, run: Run | None, findings: RunFindings | None) -> dict[str, Any]:
        document: dict[str, Any] = {"run": name, "info": None, "verdict": None}
        if findings is not None:
            document["verdict"] = {key: value for key, value in asdict(findings).items() if key != "run"}
        if run is None:
            return document
        now = self._clock.monotonic()
        info, status = run.info, RunStatus.of(run, now)
        active = run.active(now)
        elapsed = self._clock.wall() - info.start_timestamp_seconds - run.rested_seconds(now)
        planned = info.planned_duration_seconds
        left = max(planned - elapsed, 0.0)
        shown = {
            **document,
            "info": asdict(info),
            "phase": run.phase.value,
            "active": active,
            "elapsed_seconds": elapsed,
            "left_seconds": left if planned and active and run.phase in _LOADED else None,
            "ended": run.ended,
            "silent_since": None if active or run.ended else self._clock.wall() - (now - run.last_report),
        }
        # Of a load that somebody else sends nothing is known, and none of these is zero.
        return shown | (self._load(name, run, status, active) if info.sends else {})

    def _load(self, name: str, run: Run, status: RunStatus, active: bool) -> dict[str, Any]:
        seconds, successes, errors = run.ring.newest(RATE_SECONDS) if active else (0, 0, 0)
        return {
            "successes_per_second": successes / seconds if seconds else None,
            "failures_per_second": errors / seconds if seconds else None,
            "quantiles": status.recent_quantiles if active else status.quantiles,
            "successes": status.successes,
            "statuses": {code: count for code, count in status.statuses.items() if code[0] != "2"},
            "failures": {reason.value: count for reason, count in status.failures.items() if count},
            "last_success": status.last_success,
            "open": status.open,
            "stalled": status.stalled,
            "others": status.others,
            "streams": streams_of(run, status.streams, self._hour.of(name), active),
        }

    def _scrape(self) -> dict[str, Any] | None:
        newest = self._hour.newest
        if newest is None:
            return None
        return {
            "at": newest.at,
            "memory": newest.values.get("memory"),
            "cpus": newest.cpus,
            "router_up": newest.router_up,
            "nodes": dict(newest.nodes),
            "collectors": [asdict(each) for each in newest.collectors],
            "processes": [asdict(each) for each in newest.processes],
        }
