"""The evidence of a window of a Prometheus, made of its scrapes alone."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from exporter.live.figures import Quantiles
from exporter.live.message import MAX_PAIRS, FailureReason, Pair, Phase, Route, StatusClass
from exporter.live.seconds import Seconds
from exporter.run.scraped_counts import Counters, bound_of, merged, quantiles
from exporter.run.scraped_pace import longest_request, may_be_stalled, stalled_at_end, stalls_of
from exporter.run.scraped_runs import ScrapedRun, joint_phases, runs_of, together_in_time
from exporter.run.scraped_seconds import reason_of, seconds_of, status_of, stretches
from exporter.run.scraped_streams import streams_of
from exporter.run.window import IDENTITY, Scraped, WindowSeries
from exporter.run.window_times import Window
from exporter.verdict.evidence import (
    AlertSpan,
    Evidence,
    LoadKnown,
    PhaseSpan,
    ScrapedFrom,
    Watching,
)
from exporter.verdict.finding import Said
from exporter.verdict.hosts import HostsView

STALL_AFTER_SECONDS = 30.0
"""`--stall-after` of a run, which no metric tells: its default"""
SUCCESS = StatusClass.SUCCESS.value
DURATIONS = "benchmark_request_duration_seconds"


@dataclass(frozen=True)
class ScrapedLoad:
    """A window, read: its evidence, and what the reports say beside it."""

    evidence: Evidence
    quantiles: Quantiles
    """of 2xx after the warm-up; of all where nothing came after it"""
    whole_quantiles: Quantiles
    runs: tuple[ScrapedRun, ...]


class WindowEvidence:
    """Makes it, exporter by exporter."""

    def __init__(self, read: WindowSeries, run: str | None = None) -> None:
        """`run` is the id or the label of those that are meant; None: all that are in the window."""
        self.read = read
        self._hosts: list[tuple[Scraped, Counters, list[ScrapedRun]]] = []
        for scraped in read.exporters:
            every = runs_of(read.store, scraped, read.window)
            meant = [each for each in every if run in (None, each.run, each.labels.get("label"))]
            window = read.window if run is None else _window_of(meant, every, read.window)
            self._hosts.append((scraped, Counters(read.store, scraped, window), meant))
        self.runs = tuple(run for _, _, runs in self._hosts for run in runs)
        self.loads = tuple(each.target for each, _, runs in self._hosts if runs or run is None)
        """the exporters whose load is meant"""
        self.view = HostsView(read.store, self.loads)

    @property
    def has_load(self) -> bool:
        """Whether a load of this project was counted in the window."""
        return any(run.labels.get("engine") for run in self.runs) or any(True for _ in self._pairs())

    def watched(
        self,
        prometheus: str,
        alerts: tuple[AlertSpan, ...] | None,
        has_rules: bool,
        asked: Mapping[str, tuple[float, ...] | None],
    ) -> Evidence:
        """All that is known of a window without a load of this project: the whole of it counts as load."""
        window = self.read.window
        return Evidence(
            requests=dict.fromkeys(StatusClass, 0),
            statuses={},
            failures=dict.fromkeys(FailureReason, 0),
            planned_seconds=window.seconds,
            measured_seconds=window.seconds,
            ended_early=None,
            stalled=0,
            totals={},
            scrapes=sum(each.scrapes for each in self.read.exporters),
            failed_scrapes=sum(each.failed for each in self.read.exporters),
            series=self.view,
            watching=self.watching(prometheus),
            phases=(PhaseSpan(window.since, window.until, Phase.LOAD),),
            instance=self._instances[0] if len(self._instances) == 1 else "",
            instances=frozenset(self._instances),
            alerts=alerts,
            asked=asked,
            load_known=LoadKnown.NOTHING,
            scraped=self._scraped_from(has_rules, 0),
        )

    def load(
        self,
        prometheus: str,
        alerts: tuple[AlertSpan, ...] | None,
        has_rules: bool,
        asked: Mapping[str, tuple[float, ...] | None],
        allowed_statuses: frozenset[str],
    ) -> ScrapedLoad:
        """All that is known of it. `prometheus` is its URL."""
        phases = joint_phases(self.runs)
        groups = together_in_time(self.runs)
        warm = [(counters, _warm(runs)) for _, counters, runs in self._loaded()]
        whole = merged(counters.buckets(DURATIONS, status_class=SUCCESS) for counters, _ in warm)
        after = merged(counters.buckets(DURATIONS, since, status_class=SUCCESS) for counters, since in warm)
        failures = self._failures()
        measured = sum(max(run.load_seconds for run in group) for group in groups) or self.read.window.seconds
        requests = [(run, counters) for _, counters, runs in self._hosts for run in runs]
        longest = [found for run, counters in requests if (found := longest_request(counters, run))]
        pairs = tuple(dict.fromkeys(self._pairs()))[:MAX_PAIRS]
        engines = {run.labels.get("engine", "") for run in self.runs}
        evidence = Evidence(
            requests=self._requests(),
            statuses=self._statuses(),
            failures=failures,
            planned_seconds=measured,
            measured_seconds=measured,
            ended_early=None,
            stalled=sum(stalled_at_end(counters, run) for run, counters in requests),
            totals={},
            scrapes=sum(each.scrapes for each in self.read.exporters),
            failed_scrapes=sum(each.failed for each in self.read.exporters),
            series=self.view,
            watching=self.watching(prometheus),
            route=pairs[0].route if pairs else Route.LOCAL,
            connections=max((sum(map(_connections, group)) for group in groups), default=1),
            seconds=self._seconds(phases),
            longest_request=max(longest, key=lambda each: each.seconds, default=None),
            stall_after_seconds=STALL_AFTER_SECONDS,
            phases=phases,
            instance=self._instances[0] if len(self._instances) == 1 else "",
            instances=frozenset(self._instances),
            pairs=pairs,
            alerts=alerts,
            asked=asked,
            allowed_statuses=allowed_statuses,
            load_known=LoadKnown.SCRAPED,
            scraped=self._scraped_from(has_rules, len(groups)),
            engine=next(iter(engines)) if len(engines) == 1 else "",
            streams=streams_of(warm),
            median_seconds=quantiles(whole)["0.5"],
        )
        return ScrapedLoad(evidence, quantiles(after or whole), quantiles(whole), self.runs)

    @property
    def _instances(self) -> list[str]:
        return [each.target.instance for each in self.read.exporters]

    def _loaded(self) -> list[tuple[Scraped, Counters, list[ScrapedRun]]]:
        """The exporters that count a load."""
        return [
            each
            for each in self._hosts
            if each[0].target in self.loads and any(True for _ in each[1].series("benchmark_requests_total"))
        ]

    def watching(self, prometheus: str) -> Watching:
        """Which router is watched, as far as the series tell."""
        # By the names that alerts have, too.
        series = self.read.store
        processes = sorted(
            {name for each in series.each("observed_process_up") if (name := each.label("process"))}
        )
        is_watched = bool(processes) or any(True for _ in series.each("router_up"))
        targets = sorted({found for run in self.runs if (found := run.labels.get("target"))})
        router = ", ".join(targets) or "the router"
        instances = ", ".join(self._instances[:5]) + (", …" if len(self._instances) > 5 else "")
        return Watching(f"{instances} ({prometheus})", router if is_watched else None, tuple(processes))

    def _requests(self) -> dict[StatusClass, int]:
        found = dict.fromkeys(StatusClass, 0)
        for _, counters, _ in self._hosts:
            for name, count in counters.by("benchmark_requests_total", "status_class").items():
                if name in set(StatusClass):
                    found[StatusClass(name)] += round(count)
        return found

    def _statuses(self) -> dict[str, int]:
        """By status, where one has a series; all 2xx as `2xx`, others without one as `4xx` and the like."""
        found: Counter[str] = Counter()
        requests = self._requests()
        for name in (StatusClass.SUCCESS, StatusClass.INFORMATIONAL, StatusClass.REDIRECT):
            found[name.value] += requests[name]
        for _, counters, _ in self._hosts:
            for series in counters.series("benchmark_error_responses_total"):
                found[status_of(series)] += round(sum(each.count for each in counters.rises(series)))
        return {status: count for status, count in sorted(found.items()) if count}

    def _failures(self) -> dict[FailureReason, int]:
        found = dict.fromkeys(FailureReason, 0)
        for _, counters, _ in self._hosts:
            for series in counters.series("benchmark_request_failures_total"):
                reason = reason_of(series)
                if reason is not None:
                    found[reason] += round(sum(each.count for each in counters.rises(series)))
        return found

    def _pairs(self) -> Iterator[Pair]:
        for _, counters, _ in self._hosts:
            for name in ("benchmark_requests_total", "benchmark_request_failures_total"):
                for series in counters.series(name):
                    route, model = series.label("route") or "", series.label("model")
                    if model is not None and route in set(Route) and any(counters.rises(series)):
                        yield Pair(Route(route), model)

    def _seconds(self, phases: Sequence[PhaseSpan]) -> Seconds:
        return seconds_of([stretches(counters, scraped) for scraped, counters, _ in self._loaded()])

    def _scraped_from(self, has_rules: bool, loads: int) -> ScrapedFrom:
        several = len(self.read.exporters) > 1
        hosts = [(scraped, counters, run) for scraped, counters, runs in self._hosts for run in runs]
        return ScrapedFrom(
            interval_seconds=max((each.interval for each in self.read.exporters), default=0.0),
            unseen={
                each.target.instance: each.failed / each.expected
                for each in self.read.exporters
                if each.failed and each.expected
            },
            stalls=tuple(
                stall
                for scraped, counters, run in hosts
                for stall in stalls_of(
                    counters, run, scraped.target.instance if several else "", scraped.interval
                )
            ),
            notes=tuple(self._notes()),
            loads=loads,
            maybe_stalled=any(
                may_be_stalled(counters, run, STALL_AFTER_SECONDS) for _, counters, run in hosts
            ),
            has_rules=has_rules,
        )

    def _notes(self) -> Iterator[Said]:
        """What is to be known before its figures are believed."""
        for scraped, counters, runs in self._hosts:
            if (
                runs
                and (late := scraped.times[0] - runs[0].start) > 0
                and _counts_at_first(counters, scraped)
            ):
                host, seconds = scraped.target.instance, f"{late:.0f}"
                yield Said(
                    f"{host} was first scraped {seconds} s after its load began: what it counted before is "
                    "not known",
                    f"{host} の最初のスクレイプは負荷開始の {seconds} 秒後。それ以前の件数は不明",
                )
            for run in runs:
                if run.phases and not run.ended:
                    host, label = scraped.target.instance, run.labels.get("label", run.run)
                    yield Said(
                        f"the end of {label} at {host} was not scraped: its last seconds are not counted",
                        f"{host} の {label} の終わりはスクレイプされていない。最後の数秒は数えていない",
                    )
        loaded = self._loaded()
        bounds = {
            frozenset(filter(None, map(bound_of, counters.series(f"{DURATIONS}_bucket"))))
            for _, counters, _ in loaded
        }
        if len(bounds) > 1:
            yield Said(
                "the load hosts have different buckets: quantiles are of the bounds that all have",
                "負荷ホストのバケットが異なる。分位数は共通の境界による",
            )
        versions = self._versions([each for each, _, _ in loaded])
        if len(set(versions.values())) > 1:
            named = ", ".join(f"{host} {version}" for host, version in versions.items())
            yield Said(f"the load hosts differ in their version: {named}", f"負荷ホストの版が異なる: {named}")

    def _versions(self, exporters: Iterable[Scraped]) -> dict[str, str]:
        return {
            each.target.instance: series.label("version") or ""
            for each in exporters
            for series in self.read.store.each(IDENTITY, job=each.target.job, instance=each.target.instance)
        }


def _window_of(meant: Sequence[ScrapedRun], every: Sequence[ScrapedRun], window: Window) -> Window:
    """When an exporter counted the runs that are meant, and no later one; no time where it did not."""
    if not meant:
        return Window(window.until, window.until)
    until = max(each.until for each in meant)
    later = [each.start for each in every if each not in meant and each.start > until]
    return Window(min(each.start for each in meant), min([*later, window.until]))


def _counts_at_first(counters: Counters, scraped: Scraped) -> bool:
    """Whether it had counted something at its very first scrape."""
    return any(
        series.values[0] and series.times[0] == scraped.times[0]
        for name in ("benchmark_requests_total", "benchmark_request_failures_total")
        for series in counters.series(name)
    )


def _warm(runs: Sequence[ScrapedRun]) -> float:
    """When (Unix s) the warm-up of an exporter's first load was over; 0 where there was none."""
    return next((each.since for run in runs for each in run.phases if each.phase == "load"), 0.0)


def _connections(run: ScrapedRun) -> int:
    text = run.labels.get("connections", "")
    return int(text) if text.isascii() and text.isdecimal() else 1
