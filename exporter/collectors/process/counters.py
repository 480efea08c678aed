"""Counters of a watched process with its descendants, which never fall although processes come and go."""

from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias

from exporter.collectors.process.reading import ProcessReading

_Key: TypeAlias = tuple[int, ...]
"""(pid, start time) of a process, (pid, start time, id) of a thread"""
_Values: TypeAlias = Mapping[_Key, tuple[int, ...]]


class TreeCounters:
    """The sums of some counters over a tree of processes.

    The kernel adds what a child used to its parent's `waited` values when the parent waits for it. A value
    given here is therefore own + waited, and the sum grows by

        max(0, value - last value - what the children that ended since had already been counted for)

    for each process still there. So a child that lived between two scrapes is counted (by its parent's
    waited values), none is counted twice, and an ended child that nobody waited for takes nothing away.
    """

    def __init__(self, counters: int) -> None:
        self._totals = [0] * counters
        self._nothing = (0,) * counters
        self._values: dict[_Key, tuple[int, ...]] = {}
        self._parents: Mapping[_Key, _Key] = {}

    def update(self, values: _Values, parents: Mapping[_Key, _Key], kept: Iterable[_Key]) -> list[int]:
        """Take in the values of now, one of each counter, and return the sums.

        A key that was there before and is not now has ended, but for those in `kept`, which stay as they
        were. `parents` leads from a process to its parent; a thread has none, nobody inherits from it.
        """
        now = {key: self._values[key] for key in kept if key in self._values} | dict(values)
        already_counted: dict[_Key, tuple[int, ...]] = {}
        for key, value in self._values.items():
            if key not in now:
                heir = self._heir(key, now)
                if heir is not None:
                    sums = zip(already_counted.get(heir, self._nothing), value, strict=True)
                    already_counted[heir] = tuple(map(sum, sums))
        for key, value in now.items():
            last = self._values.get(key, self._nothing)
            if value == last:
                continue  # it adds nothing, as most do not from one scrape to the next
            counted = already_counted.get(key, self._nothing)
            for place, (one, last_one, counted_one) in enumerate(zip(value, last, counted, strict=True)):
                # A value below the last one is another bearer of the key (a reused thread id).
                growth = one - last_one if one >= last_one else one
                self._totals[place] += max(0, growth - counted_one)
        self._values = now
        self._parents = dict(parents)
        return list(self._totals)

    def _heir(self, key: _Key, now: _Values) -> _Key | None:
        """The nearest ancestor that is still there."""
        parent = self._parents.get(key)
        while parent is not None and parent not in now:
            parent = self._parents.get(parent)
        return parent


def _stat_values(reading: ProcessReading) -> _Values:
    """Own + waited, as TreeCounters wants it."""
    stat = reading.stat
    user = stat.user_ticks + stat.waited_user_ticks
    system = stat.system_ticks + stat.waited_system_ticks
    minor = stat.minor_faults + stat.waited_minor_faults
    major = stat.major_faults + stat.waited_major_faults
    return {stat.key: (user, system, minor, major)}


def _io_values(reading: ProcessReading) -> _Values | None:
    """As they are: the kernel keeps the bytes of waited children in the parent's own."""
    return None if reading.io is None else {reading.stat.key: reading.io}


def _switch_values(reading: ProcessReading) -> _Values | None:
    if reading.switches is None:
        return None
    return {(*reading.stat.key, thread): counts for thread, counts in reading.switches.items()}


_VALUES: Mapping[tuple[str, ...], Callable[[ProcessReading], _Values | None]] = {
    ("user_ticks", "system_ticks", "minor_faults", "major_faults"): _stat_values,
    ("read_bytes", "write_bytes"): _io_values,
    ("voluntary_switches", "involuntary_switches"): _switch_values,
}


class ProcessCounters:
    """Sums that never fall; a restarted process gets a new object and so begins again."""

    def __init__(self) -> None:
        self._counters = {names: TreeCounters(len(names)) for names in _VALUES}
        self._keys: dict[int, _Key] = {}
        self._parents: dict[_Key, _Key] = {}

    def update(self, readings: list[ProcessReading], vanished: Iterable[int]) -> dict[str, int]:
        """Take in the readings of now; the sums by name, without those that some process does not let read.

        `vanished` are the processes that were listed and ended before they were read. Their parents were
        read before that, so that what they used is not in the parents' waited values yet: they keep their
        last values for this once, or they would be counted again when it is.
        """
        gone = {pid: self._keys[pid] for pid in vanished if pid in self._keys}
        keys = {reading.stat.pid: reading.stat.key for reading in readings}
        parents = {key: self._parents[key] for key in gone.values() if key in self._parents}
        for reading in readings:
            if reading.stat.parent_pid in keys:
                parents[reading.stat.key] = keys[reading.stat.parent_pid]
        self._keys, self._parents = gone | keys, parents
        sums: dict[str, int] = {}
        for names, values_of in _VALUES.items():
            values: dict[_Key, tuple[int, ...]] = {}
            kept = list(gone.values())
            for reading in readings:
                own = values_of(reading)
                if own is not None:
                    values.update(own)
                elif values_of is _io_values and not reading.stat.alive:
                    kept.append(reading.stat.key)  # a zombie has its last values until it is waited for
                else:
                    break
            else:
                sums.update(zip(names, self._counters[names].update(values, parents, kept), strict=True))
        return sums
