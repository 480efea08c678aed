"""The series of one exporter or of several as the checks and the reports read them.

A Prometheus gives what it scrapes the labels `job` and `instance`. Of one exporter they say nothing, and are
left out: its series are those of a run's own record. Of several

- what a load counts (`benchmark_*` counters and histograms) is summed, bucket by bucket;
- a process, a node or a GPU whose name more than one exporter has is called NAME@INSTANCE;
- the label `instance` stays on all others.
"""

from array import array
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import accumulate, pairwise
from typing import NamedTuple

from exporter.timeseries import Key, Labels, Loss, Series, SeriesStore

TARGET = ("job", "instance")
ROUTER_JOB = "router"
"""the job of a router's own metrics, which are no exporter's"""
COUNTED = ("_total", "_bucket", "_count", "_sum")
"""how the names of counters and histograms end"""
_LOAD = "benchmark_"
_NAMED = {
    "process": ("observed_process_", "gpu_process_"),
    "node": ("router_node_",),
    "gpu": ("gpu_",),
}
"""labels that name a thing of a host, and how the metrics begin that have them"""


class Target(NamedTuple):
    """An exporter as a Prometheus calls it."""

    job: str
    instance: str


def target_of(labels: Labels) -> Target | None:
    """Whose series it is; None for a router's own metrics, and where it is not labelled."""
    found = dict(labels)
    if "instance" not in found or found.get("job") == ROUTER_JOB:
        return None
    return Target(found.get("job", ""), found["instance"])


def targets_of(store: SeriesStore) -> tuple[Target, ...]:
    """The exporters whose series are in a store."""
    return tuple(sorted({found for key in list(store.keys()) if (found := target_of(key[1])) is not None}))


def is_of_load(name: str) -> bool:
    """Whether it is a counter or a histogram of a load."""
    return name.startswith(_LOAD) and name.endswith(COUNTED)


class HostsView(SeriesStore):
    """A store of what a Prometheus scraped, as it is judged; `raw` has `job` and `instance` on its series.

    `loads` are the exporters whose load is meant: what others count of theirs is left out.
    """

    def __init__(self, raw: SeriesStore, loads: Collection[Target]) -> None:
        super().__init__()
        self._raw = raw
        keys = list(raw.keys())
        self.targets = targets_of(raw)
        shared = _shared(keys)
        self._of: dict[Key, list[Key]] = {}
        for key in keys:
            if is_of_load(key[0]) and target_of(key[1]) not in loads:
                continue
            seen = (key[0], self._seen(key, shared))
            if seen not in self._of:
                self._of[seen] = []
                self._named[key[0]].append(seen)
            self._of[seen].append(key)

    @property
    def loss(self) -> Loss | None:  # type: ignore[override]
        """What is missing of all that was read."""
        return self._raw.loss

    def keys(self) -> Iterable[Key]:
        return self._of.keys()

    def series(self, key: Key) -> Series:
        found = [self._raw.series(each) for each in self._of[key]]
        if len(found) == 1:
            return Series(key[0], key[1], found[0].times, found[0].values)
        return _summed(key, [each for each in found if each.times])

    def _seen(self, key: Key, shared: Mapping[str, set[str]]) -> Labels:
        name, labels = key
        target = target_of(labels)
        if target is None:
            return labels
        alone = len(self.targets) == 1
        kept = []
        for label, value in labels:
            if label == "job" or (label == "instance" and (alone or is_of_load(name))):
                continue
            is_shared = value in shared.get(label, ()) and name.startswith(_NAMED[label])
            kept.append((label, f"{value}@{target.instance}" if is_shared else value))
        return tuple(kept)


def _shared(keys: Iterable[Key]) -> dict[str, set[str]]:
    """By label, the names that more than one exporter has."""
    owners: dict[str, defaultdict[str, set[Target]]] = {label: defaultdict(set) for label in _NAMED}
    for name, labels in keys:
        target = target_of(labels)
        if target is None:
            continue
        for label, begins in _NAMED.items():
            if name.startswith(begins):
                for each, value in labels:
                    if each == label:
                        owners[label][value].add(target)
    return {
        label: {value for value, targets in found.items() if len(targets) > 1}
        for label, found in owners.items()
    }


def _summed(key: Key, parts: Sequence[Series]) -> Series:
    """Counters of several hosts as one: how much all had risen, at each time at which any was scraped.

    Resets are bridged. The sum begins at that of the first samples.
    """
    whole = Series(*key)
    if not parts:
        return whole
    rises = [
        list(accumulate((risen(a, b) for a, b in pairwise(each.values)), initial=each.values[0]))
        for each in parts
    ]
    times = sorted({time for each in parts for time in each.times})
    for time in times:
        places = [max(bisect_right(each.times, time) - 1, 0) for each in parts]
        whole.values.append(sum(rise[place] for rise, place in zip(rises, places, strict=True)))
    whole.times = array("d", times)
    return whole


def added(total: Series | None, series: Series) -> Series:
    """The sum of two counters, or of two gauges: between its samples each is what it was last."""
    if total is None:
        return series
    if total.times == series.times:
        values = array("d", map(sum, zip(total.values, series.values, strict=True)))
        return Series(total.name, total.labels, total.times, values)
    whole = Series(total.name, total.labels, array("d", sorted({*total.times, *series.times})))
    for time in whole.times:
        places = [bisect_right(each.times, time) - 1 for each in (total, series)]
        known = [
            each.values[place] for each, place in zip((total, series), places, strict=True) if place >= 0
        ]
        whole.values.append(sum(known))
    return whole


def risen(before: float, after: float) -> float:
    """How much a counter rose between two samples: after a reset it began at 0."""
    return after - before if after >= before else after
