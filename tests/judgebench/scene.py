"""A run in simulated time: what ended in each second, and what was scraped, as the evidence of a verdict.

The load is closed, as wrk's is: what takes three times as long comes a third as often.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exporter.live.message import FailureReason, Phase, Route
from exporter.live.run_pace import LongestRequest
from exporter.live.seconds import FINE_A_BUCKET, SecondCounts, Seconds
from exporter.verdict.evidence import (
    Count,
    Evidence,
    GeneratorLoad,
    PhaseSpan,
    TimeGap,
    Watching,
)
from exporter.verdict.finding import Said as InBoth
from exporter.verdict.finding import Span
from tests.judgebench.scene_series import BEGAN, MIB, PIDS_STARTED, Floats, Watched, key_of
from tests.support.run_results import evidence, failures_by_reason, requests_by_class

SCRAPE_SECONDS = 5


class Draw:
    """Which random numbers all scenes have."""

    seed = 1


@dataclass
class Scene:
    """One run. What happens in it is said by its methods, in any order; `evidence()` plays it."""

    seconds: int
    rate: float = 40.0
    """requests that end in a second"""
    connections: int = 4
    median: float = 0.02
    spread: float = 0.3
    """of the logarithm: 0.3 makes a 99th percentile of twice the median"""
    drain: int = 10
    route: Route = Route.LOCAL
    ended_at: int | None = None
    """where the load ends before its time"""
    allowed: frozenset[str] = frozenset()
    rest: tuple[int, int] | None = None
    """from when to when of the load it pauses"""

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(Draw.seed)
        self.lasts = self.ended_at if self.ended_at is not None else self.seconds
        self.slow: Floats = np.ones(self.lasts)
        self.more: Floats = np.ones(self.lasts)
        self._statuses: list[tuple[float, float, str, float]] = []
        self._failures: list[tuple[float, float, FailureReason, float]] = []
        self._frozen: list[tuple[float, float]] = []
        self._pauses: tuple[float, float] | None = None
        self._waits: list[tuple[float, float]] = []
        self._tails: list[tuple[float, float, float, float]] = []
        self._uncounted: list[tuple[int, int]] = []
        self._unscraped: list[tuple[float, float]] = []
        self._changes: dict[str, Any] = {}
        self.watched = Watched()

    # what happens to the load

    def slower(self, since: float, until: float, factor: float) -> "Scene":
        """Answers take so many times as long, and come as much more seldom."""
        self.slow[int(since) : int(until)] *= factor
        self.more[int(since) : int(until)] /= factor
        return self

    def less(self, since: float, until: float, ratio: float) -> "Scene":
        """So much of the rate, at the same latency."""
        self.more[int(since) : int(until)] *= ratio
        return self

    def frozen(self, since: float, until: float) -> "Scene":
        """Nothing is answered; what waited is answered after it."""
        self._frozen.append((since, until))
        return self

    def tail_slower(self, since: float, until: float, share: float, factor: float) -> "Scene":
        """That share of the requests takes so many times as long."""
        self._tails.append((since, until, share, factor))
        return self

    def one_waits(self, since: float, until: float) -> "Scene":
        """One request is answered as late as that; the other connections go on."""
        self._waits.append((since, until))
        return self

    def pauses(self, every: float, seconds: float) -> "Scene":
        """A collector of garbage stops everything so often and so long."""
        self._pauses = every, seconds
        return self

    def answers(self, since: float, until: float, status: str, share: float) -> "Scene":
        """That share of the responses has another status than 200."""
        self._statuses.append((since, until, status, share))
        return self

    def fails(self, since: float, until: float, reason: FailureReason, share: float) -> "Scene":
        """That share of the requests gets no whole answer."""
        self._failures.append((since, until, reason, share))
        return self

    # what is watched

    def node_away(self, name: str, since: float, until: float) -> "Scene":
        """A node is listed as offline."""
        next(node for node in self.watched.nodes if node.name == name).away.append((since, until))
        return self

    def router_down(self, since: float, until: float) -> "Scene":
        """Its probes fail."""
        self.watched.down.append((since, until))
        return self

    def restarted(self, at: float) -> "Scene":
        """The router's process is another one from then on."""
        self.watched.started.append(at)
        return self.counted("observed_process_restarts_total", at)

    def counted(self, name: str, at: float, **labels: str) -> "Scene":
        """A counter of the router rises by one."""
        self.watched.counters.setdefault(key_of(name, **labels), []).append(at)
        return self

    def level(self, name: str, of: Callable[[float], float], **labels: str) -> "Scene":
        """A gauge of the router, by the seconds of the load; NaN where it was not scraped."""
        self.watched.levels[key_of(name, **labels)] = of
        return self

    def memory(self, mib: Callable[[float], float]) -> "Scene":
        """The router's anonymous memory in MiB, by the minutes of the load."""
        return self.level("observed_process_anonymous_memory_bytes", lambda s: mib(s / 60) * MIB)

    def also_watched(self, process: str, role: str, mib: Callable[[float], float]) -> "Scene":
        """Another process, and its memory by the minutes of the load."""
        levels: dict[str, Callable[[float], float]] = {
            "observed_process_up": lambda _: 1.0,
            "observed_process_start_time_seconds": lambda _: PIDS_STARTED,
            "observed_process_anonymous_memory_bytes": lambda s: mib(s / 60) * MIB,
            "observed_process_swap_bytes": lambda _: 0.0,
            "observed_process_restarts_total": lambda _: 0.0,
        }
        for name, of in levels.items():
            self.level(name, of, process=process, role=role)
        return self

    def exporter_away(self, since: int, until: int) -> "Scene":
        """Nobody counts by the second and nothing is scraped; the totals come afterwards."""
        self._uncounted.append((since, until))
        return self.unscraped(since, until)

    def unscraped(self, since: float, until: float) -> "Scene":
        """Scrapes fail."""
        self._unscraped.append((since, until))
        return self

    def info(self, run: str, since: float, until: float) -> "Scene":
        """The exporter shows another run meanwhile."""
        self.watched.runs.append((run, since, until))
        return self

    def no_process(self) -> "Scene":
        """No process of the router is watched."""
        self.watched.process = False
        return self

    def generator_short(self, since: float, until: float, cpu: float, wait: float) -> "Scene":
        """The load generator is short of CPU meanwhile; the ratios are those of the whole load."""
        short = (Span(BEGAN + since, BEGAN + until),)
        return self.but(generator=GeneratorLoad(cpu, wait, float(self.lasts), short))

    def but(self, **changes: Any) -> "Scene":
        """Other fields of the evidence."""
        self._changes.update(changes)
        return self

    def time_gap(self, gap: TimeGap) -> "Scene":
        """The machine slept, or its clock was set."""
        return self.but(time_gaps=(*self._changes.get("time_gaps", ()), gap))

    # the evidence

    def evidence(self) -> Evidence:
        """What is known of it at its end."""
        ends, durations = self._attempts()
        counted, seconds = self._seconds(ends, durations)
        successes = sum(each.successes for each in counted)
        statuses: dict[str, int] = {"200": successes} if successes else {}
        failures: dict[FailureReason, int] = {}
        for each in counted:
            for status, count in each.statuses.items():
                statuses[status] = statuses.get(status, 0) + count
            for reason, count in each.failures.items():
                failures[reason] = failures.get(reason, 0) + count
        by_class: dict[str, int] = {}
        for status, count in statuses.items():
            name = f"_{status[0]}xx"
            by_class[name] = by_class.get(name, 0) + count
        responses, failed = sum(statuses.values()), sum(failures.values())
        times, lost = self._scrapes()
        rested = 0 if self.rest is None else self.rest[1] - self.rest[0]
        good = self._successes(counted, ends)
        longest = int(np.argmax(durations)) if len(durations) else None
        fields: dict[str, Any] = {
            "planned_seconds": float(self.seconds - rested),
            "measured_seconds": float(self.lasts - rested),
            "ended_early": None if self.ended_at is None else InBoth("it was ended", "終了"),
            "requests": requests_by_class(**by_class),
            "statuses": statuses,
            "failures": failures_by_reason(**{reason.value: n for reason, n in failures.items()}),
            "totals": {
                "engine": Count(responses, None),
                "live": Count(responses, failed),
                "exporter": Count(responses, failed),
                "scraped": Count(responses, failed),
            },
            "scrapes": len(times),
            "failed_scrapes": lost,
            "series": self.watched.store(
                times, [each.successes for each in counted], self.route.value, self.rng
            ),
            "watching": Watching(
                "http://127.0.0.1:9877",
                "http://127.0.0.1:8080",
                ("router",) if self.watched.process else (),
            ),
            "connections": self.connections,
            "route": self.route,
            "allowed_statuses": self.allowed,
            "seconds": seconds,
            "success_gaps": tuple(_gaps(good, BEGAN + self.lasts)),
            "longest_request": None
            if longest is None
            else LongestRequest(float(durations[longest]), BEGAN + float(ends[longest]), answered=True),
            "phases": self._phases(),
            "generator": GeneratorLoad(0.3, 0.01, float(self.lasts)),
        }
        return evidence(**{**fields, **self._changes})

    def _phases(self) -> tuple[PhaseSpan, ...]:
        warmup = min(self.seconds // 10, 120)
        end, drained = BEGAN + self.lasts, BEGAN + self.lasts + self.drain
        between: tuple[tuple[int, int, Phase], ...] = ((warmup, self.lasts, Phase.LOAD),)
        if self.rest is not None:
            since, until = self.rest
            between = (
                (warmup, since, Phase.LOAD),
                (since, until, Phase.REST),
                (until, self.lasts, Phase.LOAD),
            )
        return (
            PhaseSpan(BEGAN, BEGAN + warmup, Phase.WARMUP),
            *(PhaseSpan(BEGAN + since, BEGAN + until, phase) for since, until, phase in between),
            PhaseSpan(end, drained, Phase.DRAIN),
        )

    def _attempts(self) -> tuple[Floats, Floats]:
        """When each attempt ended (s of the load, in order) and how long it took."""
        rates = self.rate * self.more
        if self.rest is not None:
            rates[self.rest[0] : self.rest[1]] = 0
        if self.rate < 1:  # one after the other: no two of them come together
            every = 1 / self.rate
            ends = np.arange(every, self.lasts, every)
        else:
            counts = self.rng.poisson(rates)
            ends = np.repeat(np.arange(self.lasts, dtype=np.float64), counts)
            ends = np.sort(ends + self.rng.uniform(0, 1, len(ends)))
        slow = self.slow[ends.astype(int)]
        durations = np.exp(self.rng.normal(np.log(self.median), self.spread, len(ends))) * slow
        for since, until, share, factor in self._tails:
            struck = (ends >= since) & (ends < until) & (self.rng.uniform(size=len(ends)) < share)
            durations[struck] *= factor
        for since, until in self._waits:
            ends, durations = np.append(ends, until), np.append(durations, until - since)
        for since, until in (*self._frozen, *self._paused()):
            inside = (ends >= since) & (ends < until)
            waiting = np.flatnonzero(inside)[: self.connections]
            keep = ~inside
            keep[waiting] = True
            durations[waiting] += until - ends[waiting]
            ends[waiting] = until + 0.001
            ends, durations = ends[keep], durations[keep]
        order = np.argsort(ends, kind="stable")
        ends, durations = ends[order], durations[order]
        inside = ends < self.lasts
        return ends[inside], durations[inside]

    def _paused(self) -> Iterator[tuple[float, float]]:
        """Each pause, in which no more wait than there are connections."""
        if self._pauses is not None:
            every, length = self._pauses
            yield from ((at, at + length) for at in np.arange(every, self.lasts, every).tolist())

    def _seconds(self, ends: Floats, durations: Floats) -> tuple[list[SecondCounts], Seconds]:
        """All counts, and those that are known by the second."""
        kinds = self._kinds(ends)
        self._kind_of = kinds
        buckets = _buckets(durations)
        edges = np.searchsorted(ends, np.arange(self.lasts + 1))
        counted = []
        for second in range(self.lasts):
            part = slice(edges[second], edges[second + 1])
            good = buckets[part][kinds[part] == ""]
            found, counts = np.unique(good, return_counts=True)
            statuses: dict[str, int] = {}
            failures: dict[FailureReason, int] = {}
            for kind in kinds[part][kinds[part] != ""]:
                if kind.isdecimal():
                    statuses[kind] = statuses.get(kind, 0) + 1
                else:
                    failures[FailureReason(kind)] = failures.get(FailureReason(kind), 0) + 1
            durations_found = dict(zip(found.tolist(), counts.tolist(), strict=True))
            counted.append(SecondCounts(BEGAN + second, len(good), statuses, failures, durations_found))
        return counted, self._known(counted)

    def _known(self, counted: list[SecondCounts]) -> Seconds:
        seconds = Seconds()
        together: SecondCounts | None = None
        for each in counted:
            second = each.second - BEGAN
            if any(since <= second < until for since, until in self._uncounted):
                together = each if together is None else together + each
                continue
            seconds.append(each if together is None else together + each)
            together = None
        if together is not None:
            seconds.append(together)
        return seconds

    def _kinds(self, ends: Floats) -> NDArray[np.str_]:
        """What became of each attempt: "" where it succeeded."""
        kinds = np.full(len(ends), "", dtype="<U12")
        for since, until, kind, share in (*self._statuses, *self._failures):
            struck = (ends >= since) & (ends < until) & (self.rng.uniform(size=len(ends)) < share)
            kinds[struck] = str(kind)
        return kinds

    def _successes(self, counted: list[SecondCounts], ends: Floats) -> Floats:
        good: Floats = BEGAN + ends[self._kind_of == ""]
        return good

    def _scrapes(self) -> tuple[Floats, int]:
        """The times (s of the load) at which was scraped, and how many scrapes failed."""
        times = np.arange(0, self.lasts + self.drain + 1, SCRAPE_SECONDS, dtype=np.float64)
        there = np.ones(len(times), dtype=bool)
        for since, until in self._unscraped:
            there &= ~((times >= since) & (times < until))
        return times[there], int((~there).sum())


def _gaps(successes: Floats, end: float) -> Iterator[Span]:
    """Each time of a second and more without a success."""
    if not len(successes):
        return
    moments = np.append(successes, end)
    long = np.flatnonzero(np.diff(moments) >= 1)
    for place in long.tolist():
        yield Span(float(moments[place]), float(moments[place + 1]))


def _buckets(durations: Floats) -> NDArray[np.int64]:
    """As histogram.bucket_of, joined as seconds.py does."""
    microseconds = np.clip(np.round(durations * 1e6), 0, 2.0**32 - 1).astype(np.int64)
    bits = np.floor(np.log2(np.maximum(microseconds, 1))).astype(np.int64) + 1
    shift = np.maximum(bits - 8, 0)
    found: NDArray[np.int64] = (shift * 128 + (microseconds >> shift)) // FINE_A_BUCKET
    return found
