"""What the probes of the router came to, and whether the load was answered meanwhile.

A probe that fails is one witness and the load another, as for the alert RouterDown: the router is down where
neither got an answer in the same seconds, which are those since the scrape before. Without a load the probe
alone says it.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from exporter.live.probe_result import ProbeResult, result_named
from exporter.timeseries import SeriesStore
from exporter.verdict.finding import Said, Span, in_both, joined

MAX_FAILED_RATIO = 0.2
PROBED = ("router_probe_result", "router_up")
_BUSY = (ProbeResult.TIMEOUT, ProbeResult.CLOSED)
"""what a router at its limit does to a probe"""


@dataclass(frozen=True)
class _Probe:
    time: float
    """Unix s"""
    result: ProbeResult
    served: bool | None
    """whether the load got a 2xx in the same seconds; None where there was no load"""

    @property
    def failed(self) -> bool:
        return self.result is not ProbeResult.ANSWERED

    @property
    def down(self) -> bool:
        return self.failed and not self.served and not self.result.unknown

    @property
    def says_nothing(self) -> bool:
        """It was not the router under load that was asked, or nobody vouches that it was."""
        elsewhere = self.result not in _BUSY and not self.result.unreadable
        return self.failed and (self.result.unknown or (bool(self.served) and elsewhere))


def probing_hosts(store: SeriesStore) -> list[str]:
    """The exporters that probe, where several are told apart; none of them otherwise."""
    found = {each.label("instance") for name in PROBED for each in store.each(name)}
    return sorted(host for host in found if host is not None)


class Probes:
    """Every probe that a scrape of the run shows; of several exporters, those of one (`host`)."""

    def __init__(self, store: SeriesStore, host: str | None = None) -> None:
        labels = {} if host is None else {"instance": host}
        self._probes = _probes(store, labels)
        timeouts = store.select("router_probe_timeout_seconds", **labels)
        self._timeout_seconds = timeouts[0].values[-1] if timeouts else 0.0

    def __bool__(self) -> bool:
        return bool(self._probes)

    def outage(self) -> Said | None:
        """That the router was down and why; None where it was not."""
        down = [probe for probe in self._probes if probe.down]
        twice = any(before.down and after.down for before, after in pairwise(self._probes))
        if not twice and not self._are_too_many(down):
            return None
        said = Said("it was down: ", "ルーターが停止: ") + self._count(down)
        if any(probe.served is not None for probe in down):
            said += Said(", and no request was answered 2xx in these seconds", "、同じ時間に 2xx の応答なし")
        return said

    def outages(self) -> list[Span]:
        """When it was down twice in a row or more, until the first probe or load that was answered again."""
        found: list[Span] = []
        for before, after in pairwise(self._probes):
            if before.down and after.down:
                since = found.pop().since if found and found[-1].until == before.time else before.time
                found.append(Span(since, after.time))
            elif found and before.down and found[-1].until == before.time:
                found[-1] = Span(found[-1].since, after.time)
        return found

    def missing(self) -> Said | None:
        """That the probes say nothing of the router, why and what to do; None where they do."""
        nothing = [probe for probe in self._probes if probe.says_nothing]
        if not self._are_too_many(nothing):
            return None
        results = {probe.result for probe in nothing}
        if ProbeResult.CERTIFICATE_UNTRUSTED in results:
            advice = Said(
                ": name its authority with --cacert, or take any certificate with --insecure",
                ": --cacert で認証局を指定するか --insecure を使う",
            )
        elif any(result.unknown for result in results):
            advice = Said(": --insecure takes any certificate", ": --insecure ならどの証明書も受け入れる")
        else:
            advice = Said(
                " while requests were answered: does the exporter ask this router?",
                "、その間もリクエストには応答: エクスポーターの問い合わせ先を確認",
            )
        return self._count(nothing) + advice

    def answered(self) -> Said:
        """How the probes of a router fared that was up."""
        if not self._probes:
            return Said("was not probed", "プローブなし")
        meanwhile = Said(" while requests were answered", "、その間もリクエストには応答")
        failed = [probe for probe in self._probes if probe.failed]
        slow = _if_served([probe for probe in failed if probe.result in _BUSY])
        unreadable = _if_served([probe for probe in failed if probe.result.unreadable])
        others = [probe for probe in failed if probe not in (*slow, *unreadable)]
        parts = []
        if slow:
            what = Said("slow to answer its probe: ", "プローブへの応答が遅い: ")
            parts.append(what + self._count(slow) + meanwhile)
        if unreadable:
            what = Said("its model list could not be read: ", "モデル一覧を読めない: ")
            parts.append(what + self._count(unreadable) + meanwhile)
        if others:
            parts.append(self._count(others))
        return joined(parts) if parts else Said("answered every probe", "すべてのプローブに応答")

    def _are_too_many(self, some: Sequence[_Probe]) -> bool:
        return len(some) > max(1, MAX_FAILED_RATIO * len(self._probes))

    def _count(self, some: Sequence[_Probe]) -> Said:
        """How many failed, and for which reasons."""
        total = len(self._probes)
        reasons = [
            in_both(result.sentences(self._timeout_seconds))
            for result, _ in Counter(probe.result for probe in some).most_common()
        ]
        failed = Said(
            f"{len(some)} of {total} probes failed (", f"プローブ {total} 回のうち {len(some)} 回失敗 ("
        )
        return failed + joined(reasons, ", ") + in_both((")", ")"))


def _if_served(probes: list[_Probe]) -> list[_Probe]:
    return probes if any(probe.served for probe in probes) else []


def _probes(store: SeriesStore, labels: Mapping[str, str]) -> list[_Probe]:
    results = {
        time: result_named(series.label("result"))
        for series in store.select("router_probe_result", **labels)
        for time, value in zip(series.times, series.values, strict=True)
        if value
    } or {
        # An exporter of before says no more.
        time: ProbeResult.ANSWERED if value else ProbeResult.FAILED
        for series in store.select("router_up", **labels)
        for time, value in zip(series.times, series.values, strict=True)
    }
    # Of several hosts the load is the sum of all, at every scrape of any.
    served = _served(store, results if labels else None)
    return [_Probe(time, results[time], served.get(time)) for time in sorted(results)]


def _served(store: SeriesStore, at: Collection[float] | None) -> dict[float, bool]:
    """By time of a scrape: whether the load got a 2xx since the scrape before; none without a load.

    `at` are the scrapes that count; None: all.
    """
    totals: defaultdict[float, float] = defaultdict(float)
    for series in store.select("benchmark_requests_total", status_class="2xx"):
        for time, value in zip(series.times, series.values, strict=True):
            if at is None or time in at:
                totals[time] += value
    return {after: totals[after] > totals[before] for before, after in pairwise(sorted(totals))}
