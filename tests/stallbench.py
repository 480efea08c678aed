"""The check `stalls` on simulated loads: `python -m tests.stallbench --clean 3000 --stalled 1000`.

Each load is simulated request by request, each worker reports as wrk's do, some of the datagrams are lost,
and the check judges what comes of it. What is right is known from the requests themselves.
"""

import argparse
import math
import random
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise

from exporter.live.histogram import bucket_of
from exporter.live.message import Phase, WorkerCounts
from exporter.live.pace import PaceRecord
from exporter.live.run_pace import RunPace
from exporter.live.seconds import FINE_A_BUCKET, SecondCounts, Seconds
from exporter.verdict.evidence import Evidence, PhaseSpan
from exporter.verdict.finding import Finding, Outcome, Span
from exporter.verdict.stalls import judge_stalls
from tests.support.run_results import BEGAN, evidence, requests_by_class

Draw = Callable[[random.Random], float]
"""a duration in seconds"""


MIN_SUCCESSES = 100
"""in a load that stands still: of fewer nobody knows the pace"""


@dataclass(frozen=True)
class Load:
    """One load, as it is planned."""

    kind: str
    connections: int
    seconds: float
    duration: Draw
    failing: float = 0.0
    freezes: tuple[Span, ...] = ()
    """times in which nothing goes on"""
    refuses: bool = False
    """in these times requests fail at once"""
    hang: tuple[float, float] | None = None
    """from when on, and for how long, one request of the first connection hangs"""


@dataclass
class Ran:
    """What became of it: of each connection its requests: when sent, when ended, and whether as a success."""

    load: Load
    requests: list[list[tuple[float, float, bool]]] = field(default_factory=list)

    def _succeeded(self) -> Iterator[tuple[float, float]]:
        for each in self.requests:
            yield from ((sent, end) for sent, end, good in each if good and end <= self.load.seconds)

    @property
    def successes(self) -> list[float]:
        """When each success ended, in order."""
        return sorted(end for _, end in self._succeeded())

    @property
    def durations(self) -> list[float]:
        """Of the successes, in order."""
        return sorted(end - sent for sent, end in self._succeeded())

    def gaps(self) -> list[Span]:
        """Every time between two successes, the begin and the end of the load among them."""
        return [Span(a, b) for a, b in pairwise([0.0, *self.successes, self.load.seconds])]


def run(load: Load, chosen: random.Random) -> Ran:
    """Send the requests of all connections, one after the other on each."""
    found = Ran(load)
    for connection in range(load.connections):
        at, requests, hung = 0.0, list[tuple[float, float, bool]](), connection > 0 or load.hang is None
        while at < load.seconds:
            sent, took, success = at, load.duration(chosen), chosen.random() >= load.failing
            if not success:
                took = min(took, 0.05)
            if not hung and load.hang is not None and at >= load.hang[0]:
                hung, took = True, load.hang[1]
            for freeze in load.freezes:
                if sent < freeze.until and freeze.since < sent + took:
                    if load.refuses:
                        success = success and sent + took < freeze.since
                        took = took if success else max(freeze.since - sent, 0.0) + 0.3
                    else:
                        took += freeze.until - max(freeze.since, sent)
            at = sent + took
            requests.append((sent, at, success))
        found.requests.append(requests)
    return found


def judged(ran: Ran, chosen: random.Random, lost: float) -> Finding:
    """The check on what comes of the workers' reports, of which a share is lost."""
    pace, limit = RunPace(BEGAN), ran.load.seconds
    pace.on_this_machine()
    messages: list[tuple[float, WorkerCounts]] = []
    for worker, requests in enumerate(ran.requests):
        messages += _reports(worker, requests, limit)
    for at, message in sorted(messages, key=lambda each: each[0]):
        if message.final or chosen.random() >= lost:
            pace.take(message, at)
    durations: Counter[int] = Counter()
    for seconds in ran.durations:
        durations[bucket_of(round(seconds * 1e6)) // FINE_A_BUCKET] += 1
    return judge_stalls(_evidence(ran, pace, durations))


def _evidence(ran: Ran, pace: RunPace, durations: Counter[int]) -> Evidence:
    limit, count = ran.load.seconds, len(ran.successes)
    seconds = Seconds()
    seconds.append(SecondCounts(int(BEGAN), count, durations=durations))
    status = pace.status(limit)
    return evidence(
        requests=requests_by_class(_2xx=count),
        seconds=seconds,
        phases=(PhaseSpan(BEGAN, BEGAN + limit, Phase.LOAD),),
        connections=ran.load.connections,
        success_gaps=tuple(Span(BEGAN + a, BEGAN + b) for a, b in status.gaps),
        unknown_gaps=tuple(Span(BEGAN + a, BEGAN + b) for a, b in status.unknown),
        longest_request=pace.longest_request([], limit),
    )


def _reports(
    worker: int, requests: list[tuple[float, float, bool]], limit: float
) -> Iterator[tuple[float, WorkerCounts]]:
    """As live.lua sends them: once a second, and after half a second of one request or without a success."""
    record, reported, sequence, waiting = PaceRecord(0.0), 0.0, 0, 0.0

    def report(at: float, final: bool) -> tuple[float, WorkerCounts]:
        pace, waiting_ms = record.pace(at * 1e6, 1000), round(1000 * waiting)
        return at, WorkerCounts(
            b"", worker, sequence, 0, final, 1, 1, (), (), waiting_ms=waiting_ms, pace=pace
        )

    yield report(0.0, False)
    for sent, end, success in requests:
        if end > limit:
            waiting = limit - sent
            break
        told = success and record.succeeded(end * 1e6)
        record.took((end - sent) * 1e6, end * 1e6, success)
        if told or end - reported >= 1 or end - sent >= 0.5:
            sequence, reported = sequence + 1, end
            yield report(end, False)
    sequence += 1
    yield report(limit, True)


def _lognormal(median: float, sigma: float) -> Draw:
    return lambda chosen: median * math.exp(chosen.gauss(0, sigma))


def _mixed(fast: Draw, slow: Draw, share: float) -> Draw:
    return lambda chosen: (slow if chosen.random() < share else fast)(chosen)


KINDS = ("steady", "failing", "pauses", "outage", "slow", "slow pair", "together", "mixed", "sparse")


def clean(seed: int) -> Load:
    """A load that keeps its pace, of many kinds."""
    chosen = random.Random(seed)
    kind = chosen.choice(KINDS)
    return _of_slow_answers(kind, chosen) if kind in KINDS[4:] else _of_fast_answers(kind, chosen)


def _of_slow_answers(kind: str, chosen: random.Random) -> Load:
    """A model that takes long, answers in batches of all connections, fast and slow ones, a few a minute."""
    length, connections = chosen.uniform(60, 600), chosen.randrange(1, 17)
    if kind == "together":
        draw = _lognormal(chosen.uniform(11, 40), 0.005)
        return Load(kind, chosen.randrange(16, 257), chosen.uniform(45, 240), draw)
    if kind == "mixed":
        draw = _mixed(_lognormal(0.2, 0.3), _lognormal(chosen.uniform(5, 30), 0.1), chosen.uniform(0.1, 0.6))
        return Load(kind, connections, length, draw)
    if kind == "sparse":
        return Load(kind, 1, length, _lognormal(chosen.uniform(0.5, 3), 0.2))
    draw = _lognormal(chosen.uniform(3, 40), chosen.choice([0.0, 0.05, 0.3]))
    return Load(kind, 2 if kind == "slow pair" else connections, 2 * length, draw)


def _of_fast_answers(kind: str, chosen: random.Random) -> Load:
    """With failures, with pauses as garbage collections make them, with an outage short of a stall."""
    length = chosen.uniform(30, 180)
    draw = _lognormal(chosen.choice([0.02, 0.1, 0.5, 1.5]), chosen.choice([0.1, 0.4]))
    connections = chosen.choice([1, 4, 10]) if length < 60 else chosen.choice([1, 2, 4])
    failing = chosen.uniform(0.01, 0.5) if kind == "failing" else 0.0
    freezes: list[Span] = []
    at = chosen.uniform(2, 20)
    while kind == "pauses" and at < length:
        freezes.append(Span(at, at + chosen.uniform(0.3, 4)))
        at += chosen.uniform(8, 40)
    if kind == "outage":
        since = chosen.uniform(1, length - 10)
        # The first answer after it takes its time, too.
        freezes.append(Span(since, since + max(9.0 - 4 * draw(random.Random(1)), 1.0)))
    refuses = kind == "outage" and chosen.random() < 0.5
    return Load(kind, connections, length, draw, failing, tuple(freezes), refuses)


def stalled(seed: int) -> Load | None:
    """A clean load in which all stands still, once or twice, or one request hangs, far beyond its own pace.

    None where its own pace is so slow that nothing short of minutes would be.
    """
    chosen = random.Random(-seed - 1)
    plan = clean(seed)
    twins = [run(plan, random.Random(seed + i)) for i in range(3)]
    durations = min((twin.durations for twin in twins), key=len)
    if len(durations) < MIN_SUCCESSES or plan.kind in ("together", "outage"):
        return None
    if plan.connections > 1 and chosen.random() < 0.25:
        least = max(10.0, *(5 * twin.durations[-1] for twin in twins))
        hang = chosen.uniform(0, plan.seconds / 2), least * chosen.uniform(1.1, 3)
        return replace(plan, seconds=plan.seconds + least, hang=hang)
    # What its own pace would hide: how far apart successes are in three such loads, and how long they take.
    least = max(10.0, *(20 * _p99(each.seconds for each in twin.gaps()) for twin in twins))
    least = max(least, *(1.5 * twin.durations[len(twin.durations) // 2] for twin in twins))
    least = max(least, *(twin.durations[-1] for twin in twins))
    if least > 45:
        return None
    freezes, at = [], chosen.uniform(0, plan.seconds)
    for _ in range(chosen.choice([1, 1, 1, 2])):
        length = least * chosen.uniform(1.15, 3)
        freezes.append(Span(at, at + length))
        at += length + chosen.uniform(5, 40)
    seconds = freezes[-1].until + chosen.choice([0.0, chosen.uniform(5, 60)])
    return replace(plan, seconds=seconds, freezes=tuple(freezes), refuses=chosen.random() < 0.4)


def _p99(values: Iterable[float]) -> float:
    found = sorted(values)
    return found[math.ceil(0.99 * len(found)) - 1]


def _true_stalls(ran: Ran) -> list[Span]:
    """What the requests themselves say of what was planned."""
    load = ran.load
    if load.hang is not None:
        sent, end, _ = max(ran.requests[0], key=lambda each: min(each[1], load.seconds) - each[0])
        return [Span(sent, min(end, load.seconds))]
    return [gap for gap in ran.gaps() if any(_middle(each, gap) for each in load.freezes)]


@dataclass
class Score:
    """How many were judged right."""

    total: int = 0
    right: int = 0
    unsure: Counter[float] = field(default_factory=Counter)
    """those that are inconclusive, by the share of their datagrams that was lost"""
    wrong: list[str] = field(default_factory=list)


def score_clean(seeds: range) -> Score:
    """Loads that keep their pace: none fails."""
    score = Score()
    for seed in seeds:
        chosen = random.Random(seed)
        ran, lost = run(clean(seed), chosen), chosen.choice([0.0, 0.0, 0.05, 0.3])
        found = judged(ran, chosen, lost)
        score.total += 1
        score.unsure[lost] += found.outcome == Outcome.INCONCLUSIVE
        if found.outcome == Outcome.FAIL:
            score.wrong.append(f"{seed} ({clean(seed).kind}): {found.text}")
        else:
            score.right += 1
    return score


def score_stalled(seeds: Iterator[int], wanted: int) -> Score:
    """Loads that stand still: each time is found, from when to when to the second."""
    score = Score()
    while score.total < wanted:
        seed = next(seeds)
        load = stalled(seed)
        if load is None:
            continue
        chosen = random.Random(seed)
        ran = run(load, chosen)
        if len(ran.successes) < MIN_SUCCESSES:
            continue
        found = judged(ran, chosen, chosen.choice([0.0, 0.0, 0.05]))
        true = _true_stalls(ran)
        told = [Span(each.since - BEGAN, each.until - BEGAN) for each in found.spans]
        score.total += 1
        exact = all(any(_same(gap, each) for each in told) for gap in true)
        if found.outcome == Outcome.FAIL and exact:
            score.right += 1
        else:
            score.wrong.append(f"{seed} ({load.kind}): {found.outcome}, {found.text}; {true}")
    return score


def _middle(freeze: Span, gap: Span) -> bool:
    middle = (freeze.since + freeze.until) / 2
    return gap.since <= middle <= gap.until


def _same(one: Span, other: Span) -> bool:
    return abs(one.since - other.since) < 1 and abs(one.until - other.until) < 1


def main() -> int:
    """Print both; 0 where all were judged right, else 1."""
    parser = argparse.ArgumentParser(prog="stallbench", description="The check `stalls` on simulated loads.")
    parser.add_argument("--clean", type=int, default=3000, help="loads that keep their pace (default 3000)")
    parser.add_argument("--stalled", type=int, default=1000, help="loads that stand still (default 1000)")
    parser.add_argument("--first", type=int, default=50_000, help="the first seed (default 50000)")
    options = parser.parse_args()
    good = score_clean(range(options.first, options.first + options.clean))
    bad = score_stalled(iter(range(options.first + options.clean, sys.maxsize)), options.stalled)
    for line in (*good.wrong, *bad.wrong):
        print(line)
    unsure = ", ".join(
        f"{count} with {lost:.0%} of the datagrams lost" for lost, count in good.unsure.items()
    )
    print(
        f"clean: {len(good.wrong)} of {good.total} failed, {good.unsure.total()} inconclusive ({unsure}); "
        f"stalled: {bad.right} of {bad.total} found, to the second"
    )
    return 1 if good.wrong or bad.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
