"""Times without a success and long requests, of what the exporters published of their runs' own pace."""

from collections.abc import Iterator, Sequence

from exporter.live.run_pace import LongestRequest
from exporter.run.scraped_counts import Counters
from exporter.run.scraped_runs import UNDER_LOAD, ScrapedRun
from exporter.verdict.elapsed import together
from exporter.verdict.evidence import ScrapedStall
from exporter.verdict.finding import Span

LONGEST_GAP = "benchmark_longest_success_gap_seconds"
STALL, BOUND = "benchmark_stall_seconds", "benchmark_stall_bound_seconds"
OF = ("success_gap", "request")
SHOWN_SECONDS = 30.0
"""for how long what is over is shown: scrapes that are further apart may miss it"""


def stalls_of(counters: Counters, run: ScrapedRun, host: str, interval: float) -> Iterator[ScrapedStall]:
    """The longest of each kind in a run; nothing of a kind that is not known."""
    for of in OF:
        times = [_within(samples, run) for samples in _samples(counters, STALL, of=of)]
        longest = max((value for samples in times for _, value in samples), default=None)
        if of == "success_gap":
            whole = [value for each in _samples(counters, LONGEST_GAP) for _, value in _within(each, run)]
            longest = max([*whole, *([] if longest is None else [longest])], default=None)
        elif interval > SHOWN_SECONDS:
            longest = None
        if longest is None:
            continue
        bounds = [_within(samples, run)[-1:] for samples in _samples(counters, BOUND, of=of)]
        bound = max((value for samples in bounds for _, value in samples), default=None)
        beyond = [
            Span(max(time - value, run.start), time)
            for samples in times
            for time, value in samples
            if bound is not None and value >= bound
        ]
        yield ScrapedStall(of, longest, bound, together(beyond, 1.0), host)


def longest_request(counters: Counters, run: ScrapedRun) -> LongestRequest | None:
    """The longest of a run, as far as scrapes show it; whether it was answered is not told."""
    found = [sample for each in _samples(counters, STALL, of="request") for sample in _within(each, run)]
    if not found:
        return None
    time, seconds = max(found, key=lambda sample: sample[1])
    return LongestRequest(seconds, time, answered=True) if seconds else None


def stalled_at_end(counters: Counters, run: ScrapedRun) -> int:
    """Connections that were stalled at the last scrape of the load."""
    until = _load_end(run)
    if until is None:
        return 0
    found = [
        [value for time, value in samples if time <= until][-1:]
        for samples in _samples(counters, "benchmark_connections", state="stalled")
    ]
    return round(sum(value for each in found for value in each))


def may_be_stalled(counters: Counters, run: ScrapedRun, stall_after: float) -> bool:
    """Whether a request that had no answer for that long may have been open when the load ended."""
    until = _load_end(run)
    if until is None:
        return False
    return any(
        value >= stall_after and time > until
        for samples in _samples(counters, STALL, of="request")
        for time, value in _within(samples, run)
    )


def _load_end(run: ScrapedRun) -> float | None:
    return next((each.until for each in reversed(run.phases) if each.phase in UNDER_LOAD), None)


def _samples(counters: Counters, name: str, **labels: str) -> Iterator[list[tuple[float, float]]]:
    for series in counters.series(name, **labels):
        yield list(zip(series.times, series.values, strict=True))


def _within(samples: Sequence[tuple[float, float]], run: ScrapedRun) -> list[tuple[float, float]]:
    return [(time, value) for time, value in samples if run.start < time <= run.until]
