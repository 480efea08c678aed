"""Throughput in paired runs: the live engine and bare wrk in turns, and hey in some of the rounds."""

import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from math import comb
from pathlib import Path

from bare_load import bare_wrk, hey
from cpu_account import Span, span_of
from live_run import LiveLoad, LiveRun
from table import Row, answer

from exporter.stack.service import Service

HEY_EVERY = 3
"""hey runs in every third round"""
MIN_OF_WRK = 0.98
MIN_OF_HEY = 1.3
MAX_CPU_PERCENT = 3.0
QUIET_SHARE = 0.02
"""others' part of the machine's CPU below which its throughputs are the load's alone"""


@dataclass(frozen=True)
class Round:
    """Runs made one right after the other."""

    live: LiveRun
    live_cpu: Span
    wrk: float
    """requests a second of bare wrk"""
    wrk_cpu: Span
    hey: float | None
    """requests a second of hey, in the rounds that have it"""

    @property
    def ratio(self) -> float:
        """Live throughput over bare wrk's."""
        return self.live.throughput / self.wrk

    @property
    def cost_ratio(self) -> float:
        """CPU a request of everything that was run (wrk, nginx, exporter): live over bare."""
        live = self.live_cpu.ours / self.live.totals.requests
        return live / (self.wrk_cpu.ours / (self.wrk * self.live.totals.duration_seconds))


def run_pairs(load: LiveLoad, target: Service, pairs: int, seconds: int, folder: Path) -> list[Round]:
    """`pairs` rounds, A B, B A, A B, …: what drifts on the machine then falls on both alike."""
    services = (target, load.exporter)

    def live() -> tuple[LiveRun, Span]:
        with span_of(services) as span:
            run = load.run(seconds)
        return run, span

    def bare() -> tuple[float, Span]:
        with span_of(services) as span:
            throughput = bare_wrk(load.workload, load.connections, seconds, folder).throughput
        return throughput, span

    rounds = []
    for number in range(pairs):
        if number % 2 == 0:
            with_hooks, without = live(), bare()
        else:
            without, with_hooks = bare(), live()
        heys = None
        if number % HEY_EVERY == min(HEY_EVERY // 2, pairs - 1):
            heys = hey(load.workload, load.connections, seconds, folder)
        rounds.append(Round(*with_hooks, *without, heys))
        print(_line(number + 1, pairs, rounds[-1]), file=sys.stderr, flush=True)
    return rounds


def _line(number: int, pairs: int, this: Round) -> str:
    live = this.live
    against_hey = "" if this.hey is None else f"; hey {this.hey:,.0f}/s: {live.throughput / this.hey:.2f}"
    return (
        f"  pair {number}/{pairs}: live {live.throughput:,.0f}/s, bare wrk {this.wrk:,.0f}/s: "
        f"{this.ratio:.3f}{against_hey}; /metrics {live.counted:,} == wrk {live.totals.requests:,}: "
        f"{answer(live.nothing_lost)}; exporter {cpu_percent([live]):.1f} % of a core"
    )


def cpu_percent(runs: Sequence[LiveRun]) -> float:
    """The exporter's CPU in percent of one core while the load of the runs lasted."""
    return 100 * sum(run.cpu_seconds for run in runs) / sum(run.wall_seconds for run in runs)


def others_share(rounds: Sequence[Round]) -> float:
    """The part of the machine's CPU that went to other processes during the rounds."""
    spans = [span for each in rounds for span in (each.live_cpu, each.wrk_cpu)]
    return sum(span.others_share * span.wall for span in spans) / sum(span.wall for span in spans)


def spread(ratios: Sequence[float]) -> str:
    """Median, its 95 % interval where there are pairs enough for one, smallest and greatest as text."""
    interval = median_interval(ratios)
    known = "" if interval is None else f"95 %: {interval[0]:.3f} to {interval[1]:.3f}; "
    return f"{statistics.median(ratios):.3f} ({known}all: {min(ratios):.3f} to {max(ratios):.3f})"


def median_interval(values: Sequence[float]) -> tuple[float, float] | None:
    """The 95 % interval of the median, whatever the distribution; None of fewer than six values.

    How many values lie below the median is a matter of tossing coins: the interval reaches from the k-th
    smallest to the k-th greatest, k the last for which fewer than k are below with a probability of 2.5 %.
    """
    ordered, n = sorted(values), len(values)
    below, k = 1, 0
    while below <= 0.025 * 2**n:
        k += 1
        below += comb(n, k)
    return (ordered[k - 1], ordered[n - k]) if k else None


def unsaturated_row(rounds: Sequence[Round]) -> Row:
    """The table's row of rounds at a target that takes its time, so that no CPU is at its limit."""
    ratios = [each.ratio for each in rounds]
    return Row(f"  at a router that takes its time, {len(ratios)} pairs", spread(ratios))


def pair_rows(rounds: Sequence[Round]) -> list[Row]:
    """The table's rows of these rounds."""
    connections = rounds[0].live.connections
    of_wrk = [each.ratio for each in rounds]
    of_hey = [each.live.throughput / each.hey for each in rounds if each.hey is not None]
    runs = [each.live for each in rounds]
    whole = sum(run.nothing_lost for run in runs)
    cpu = cpu_percent(runs)
    others = others_share(rounds)
    return [
        Row(
            f"live throughput / bare wrk -t{connections} -c{connections}, median of {len(of_wrk)} pairs",
            spread(of_wrk),
            f">= {MIN_OF_WRK}",
            statistics.median(of_wrk) >= MIN_OF_WRK,
        ),
        Row("  CPU a request of all that ran, live / bare", spread([each.cost_ratio for each in rounds])),
        Row(
            "  other processes' part of the machine meanwhile",
            f"{others:.1%}" + ("" if others <= QUIET_SHARE else ", so not a quiet machine"),
        ),
        Row(
            f"live throughput / hey -c{connections}, median of {len(of_hey)}",
            spread(of_hey),
            f">= {MIN_OF_HEY}",
            statistics.median(of_hey) >= MIN_OF_HEY,
        ),
        Row(
            "runs whose requests on /metrics equal wrk's",
            f"{whole} of {len(runs)}",
            "all",
            whole == len(runs),
        ),
        Row(
            "exporter CPU at full speed, scraped every 5 s",
            f"{cpu:.1f} % of a core",
            f"<= {MAX_CPU_PERCENT:.0f} %",
            cpu <= MAX_CPU_PERCENT,
        ),
    ]
