"""The counters of one watched process with its descendants, from its start to its end."""

from collections.abc import Callable, Iterable, Mapping

from exporter.collectors.process.reading import ProcessReading
from exporter.collectors.process.tree_counters import TreeCounters

ProcessKey = tuple[int, int]
_ThreadKey = tuple[ProcessKey, int]

_Names = tuple[str, ...]
_STAT: _Names = ("user_ticks", "system_ticks", "minor_faults", "major_faults")
_IO: _Names = ("read_bytes", "write_bytes")
_SWITCHES: _Names = ("voluntary_switches", "involuntary_switches")


def _stat_values(reading: ProcessReading) -> tuple[int, ...]:
    """Own + waited, as TreeCounters wants it."""
    stat = reading.stat
    return (
        stat.user_ticks + stat.waited_user_ticks,
        stat.system_ticks + stat.waited_system_ticks,
        stat.minor_faults + stat.waited_minor_faults,
        stat.major_faults + stat.waited_major_faults,
    )


def _io_values(reading: ProcessReading) -> tuple[int, ...] | None:
    """As they are: the kernel keeps the bytes of waited children in the parent's own."""
    return reading.io


_VALUES: Mapping[_Names, Callable[[ProcessReading], tuple[int, ...] | None]] = {
    _STAT: _stat_values,
    _IO: _io_values,
}


class ProcessCounters:
    """Sums that never fall; a restarted process gets a new object and so begins again."""

    def __init__(self) -> None:
        self._counters: dict[_Names, TreeCounters[ProcessKey]] = {
            names: TreeCounters(len(names)) for names in _VALUES
        }
        self._switches: TreeCounters[_ThreadKey] = TreeCounters(len(_SWITCHES))
        self._keys: dict[int, ProcessKey] = {}
        self._parents: dict[ProcessKey, ProcessKey] = {}

    def update(self, readings: list[ProcessReading], vanished: Iterable[int]) -> dict[str, int]:
        """Take in the readings of now; the sums by name, without those that some process does not let read.

        `vanished` are the processes that were listed and ended before they were read. Their parents were
        read before that, so that what they used is not in the parents' waited values yet: they keep their
        last values for this once, lest they be counted again when it is.
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
            values: dict[ProcessKey, tuple[int, ...]] = {}
            kept = list(gone.values())
            unreadable = False
            for reading in readings:
                numbers = values_of(reading)
                if numbers is not None:
                    values[reading.stat.key] = numbers
                elif reading.stat.alive:
                    unreadable = True
                else:
                    kept.append(reading.stat.key)  # a zombie has its last values until it is waited for
            if not unreadable:
                sums.update(zip(names, self._counters[names].update(values, parents, kept), strict=True))
        if all(reading.switches is not None for reading in readings):
            switches = {
                (reading.stat.key, thread): counts
                for reading in readings
                for thread, counts in (reading.switches or {}).items()
            }
            sums.update(zip(_SWITCHES, self._switches.update(switches, {}), strict=True))
        return sums
