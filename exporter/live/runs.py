"""The runs that are announced to the exporter, and the totals of their models.

Totals by (route, model) go on over runs, as counters must; `restore` gives a restarted exporter back what it
had published (state_file.py).

A run has a public id and a secret token. Messages carry the token alone, and every later announcement has to
have it. Only its digest is kept, here and in the state file: what reads them can send nothing.
"""

import hashlib
import itertools
import threading
from collections import deque
from collections.abc import Iterable, Sequence

from exporter.clock import Clock
from exporter.errors import ConfigurationError, WireError
from exporter.live.findings import RunFindings
from exporter.live.message import Pair, Phase, RunInfo, WorkerCounts
from exporter.live.run import Run
from exporter.live.success_gaps import GapsState
from exporter.live.totals import ModelTotals, Totals
from exporter.live.worker import PAIR_BYTES, Room

MAX_RUNS = 16
MAX_MODELS = 64
MAX_ENDED = 1024
MODELS_A_SECOND = 8
"""under way, whose windows move by a second; those of more move by more, for each step is kept"""


def digest_of(token: bytes) -> bytes:
    """What is kept of a token. It is 128 random bits, so nothing need slow a guess down."""
    return hashlib.sha256(token).digest()


class LiveRuns:
    """All runs of this exporter; every method may be called from any thread."""

    def __init__(self, clock: Clock, room: Room | None = None) -> None:
        self._clock = clock
        self.lock = threading.RLock()
        self.models: dict[Pair, ModelTotals] = {}
        self.runs: dict[str, Run] = {}
        self._by_digest: dict[bytes, Run] = {}
        """those that take messages, by the digest of their token"""
        self.ended: deque[str] = deque(maxlen=MAX_ENDED)
        """runs that are over: announced again, they would be counted again"""
        self._room = room or Room()
        self.findings: dict[str, RunFindings] = {}
        """by run, of the MAX_RUNS that published last, in that order"""
        self._judged_last: str | None = None
        """the run that published last, until another begins"""

    def register(self, info: RunInfo, token: bytes, phase: Phase) -> None:
        """A run begins, or goes on in `phase`; repeated by its command as a sign of life.

        Raises ConfigurationError and changes nothing where the same run was announced with another token or
        other parameters or is over, or where this exporter already has MAX_RUNS active runs or these ask
        MAX_MODELS pairs of route and model. The models of runs that are over make room for a new one's.
        """
        self._register(info, digest_of(token), phase)

    def _register(self, info: RunInfo, digest: bytes, phase: Phase) -> None:
        with self.lock:
            now = self._clock.monotonic()
            if info.run in self.ended and phase != Phase.FINISHED:
                raise ConfigurationError(f"run {info.run}: is over")
            run = self.runs.get(info.run)
            if run is None and info.run in self.ended:
                return
            if run is None:
                run = self._begin(info, digest, phase, now)
            elif run.digest != digest:
                raise ConfigurationError(f"run {info.run}: already announced with another token")
            elif run.info != info:
                raise ConfigurationError(f"run {info.run}: already announced with other parameters")
            run.last_report = now
            for other in self.runs.values():
                if other is not run and other.active(now):
                    run.meets(other)
            if phase == Phase.FINISHED:
                self._end(run)
            else:
                run.enter(phase, now)

    def _begin(self, info: RunInfo, digest: bytes, phase: Phase, now: float) -> Run:
        if digest in self._by_digest:
            raise ConfigurationError(f"run {info.run}: its token is that of another run")
        self._make_room_for(info, now)
        models = [self._totals(pair) for pair in info.pairs]
        wall, since_boot = self._clock.wall(), self._clock.since_boot()
        run = Run(info, digest, phase, models, now, self._room, wall, since_boot)
        self.runs[info.run] = self._by_digest[digest] = run
        self._judged_last = None
        return run

    def _make_room_for(self, info: RunInfo, now: float) -> None:
        """Runs that are silent end, and models that no run asks any more go, those that ended first.

        So they do where they have more counts than there is room for.
        """
        active = [run for run in self._by_digest.values() if run.active(now)]
        if len(active) >= MAX_RUNS:
            raise ConfigurationError(f"{MAX_RUNS} runs are active at this exporter; wait for one to end")
        if _pairs(active) + len(info.pairs) > MAX_MODELS:
            raise ConfigurationError(
                f"runs that are active at this exporter ask {MAX_MODELS} models; wait for one to end"
            )
        silent = [run for run in self._by_digest.values() if not run.active(now)]
        silent.sort(key=lambda run: run.last_report)
        unfinished = [*silent, *active]
        while len(unfinished) >= MAX_RUNS or _pairs(unfinished) + len(info.pairs) > MAX_MODELS:
            self._end(unfinished.pop(0))
        if len(self.runs) >= MAX_RUNS:
            over = next(each for each in self.runs.values() if each.phase == Phase.FINISHED)
            del self.runs[over.info.run]
        asked = {*info.pairs}.union(*(run.info.pairs for run in unfinished))
        unasked = [pair for pair in self.models if pair not in asked]
        for pair in unasked[: max(len(self.models.keys() | asked) - MAX_MODELS, 0)]:
            self._forget(pair)
        for pair in unasked:
            if self._room.left >= PAIR_BYTES * len(info.pairs):
                break
            if pair in self.models and self.models[pair].excess_bytes:
                self._forget(pair)

    def _forget(self, pair: Pair) -> None:
        self._room.left += self.models.pop(pair).excess_bytes

    def _end(self, run: Run) -> None:
        if run.phase == Phase.FINISHED:
            return
        run.finish(self._clock.monotonic())
        run.ended = self._clock.wall()
        self._by_digest.pop(run.digest, None)
        # Those that ended last are last, here and in the state file.
        for pair in run.info.pairs:
            self.models[pair] = self.models.pop(pair)
        if run.info.run not in self.ended:
            self.ended.append(run.info.run)

    def _totals(self, pair: Pair) -> ModelTotals:
        totals = self.models.get(pair)
        if totals is None:
            totals = self.models[pair] = ModelTotals()
            totals.tick(self._clock.monotonic())
        return totals

    def apply(self, message: WorkerCounts) -> None:
        """Join one live message; raises WireError (unknown_run, replayed, inconsistent)."""
        with self.lock:
            run = self._by_digest.get(digest_of(message.token))
            if run is None:
                raise WireError("unknown_run")
            run.apply(message, self._clock.monotonic())

    def tick(self) -> None:
        """Move the trailing windows, and close the second that has ended; called once a second."""
        with self.lock:
            now, since_boot = self._clock.monotonic(), self._clock.since_boot()
            active = [run for run in self.runs.values() if run.active(now)]
            step = _pairs(active) / MODELS_A_SECOND
            step = step if step > 1 else 0.0
            for totals in self.models.values():
                totals.tick(now, step)
            for run in active:
                run.tick(now, since_boot, step)
            for one, other in itertools.combinations(active, 2):
                one.meets(other)

    def current(self) -> Run | None:
        """The active run that was announced last, or None."""
        with self.lock:
            now = self._clock.monotonic()
            active = [run for run in self.runs.values() if run.active(now)]
            return active[-1] if active else None

    def newest(self) -> Run | None:
        """The active run that was announced last; where none is active, the one that was."""
        with self.lock:
            return self.current() or next(reversed(self.runs.values()), None)

    def publish(self, token: bytes, found: RunFindings) -> None:
        """What a run's command has found so far, in the place of what it found before.

        Raises ConfigurationError where the run is not known, or has another token.
        """
        with self.lock:
            run = self.runs.get(found.run)
            if run is None or run.digest != digest_of(token):
                raise ConfigurationError(f"run {found.run}: not known here, or announced with another token")
            self.findings.pop(found.run, None)
            self.findings[found.run] = found
            self._judged_last = found.run
            if len(self.findings) > MAX_RUNS:
                del self.findings[next(iter(self.findings))]

    def shown_findings(self) -> RunFindings | None:
        """Those of the current run; where none is active, the last that were published, until one begins."""
        with self.lock:
            current = self.current()
            shown = self._judged_last if current is None else current.info.run
            return None if shown is None else self.findings.get(shown)

    def restore(self, pair: Pair, totals: Totals) -> None:
        """Counters that an earlier exporter published; before any run is announced."""
        with self.lock:
            found = self._totals(pair)
            found.begin_with(totals, self._clock.monotonic())
            self._room.left -= found.excess_bytes

    def restore_findings(self, found: RunFindings) -> None:
        """Those that an earlier exporter showed; after its runs, which would begin otherwise."""
        with self.lock:
            self.findings[found.run] = found
            self._judged_last = found.run

    def restore_run(
        self,
        info: RunInfo,
        digest: bytes,
        phase: Phase,
        published: Sequence[Totals],
        gaps: GapsState | None = None,
    ) -> None:
        """A run of an earlier exporter; its models' totals, restored before, include `published`, by pair."""
        with self.lock:
            self._register(info, digest, phase)
            self.runs[info.run].restore(published, gaps, self._clock.monotonic())


def _pairs(runs: Iterable[Run]) -> int:
    return sum(len(run.info.pairs) for run in runs)
