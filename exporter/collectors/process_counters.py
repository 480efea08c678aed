"""The counters of one watched process with its descendants, from its start to its end."""

from collections.abc import Callable, Iterable, Mapping

from exporter.collectors.process_reading import ProcessReading
from exporter.collectors.tree_counter import TreeCounter

ProcessKey = tuple[int, int]
_ThreadKey = tuple[ProcessKey, int]


def _io(reading: ProcessReading, key: str) -> int | None:
    return None if reading.io is None else reading.io.get(key)


# Own + waited, as TreeCounter wants it; the kernel keeps the bytes of waited children in the parent's own.
_VALUES: Mapping[str, Callable[[ProcessReading], int | None]] = {
    "user_ticks": lambda reading: reading.stat.user_ticks + reading.stat.waited_user_ticks,
    "system_ticks": lambda reading: reading.stat.system_ticks + reading.stat.waited_system_ticks,
    "minor_faults": lambda reading: reading.stat.minor_faults + reading.stat.waited_minor_faults,
    "major_faults": lambda reading: reading.stat.major_faults + reading.stat.waited_major_faults,
    "read_bytes": lambda reading: _io(reading, "read_bytes"),
    "write_bytes": lambda reading: _io(reading, "write_bytes"),
}
_SWITCHES = ("voluntary_switches", "involuntary_switches")


class ProcessCounters:
    """Sums that never fall; a restarted process gets a new object and so begins again."""

    def __init__(self) -> None:
        self._counters: dict[str, TreeCounter[ProcessKey]] = {name: TreeCounter() for name in _VALUES}
        self._switches: dict[str, TreeCounter[_ThreadKey]] = {name: TreeCounter() for name in _SWITCHES}
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
        for name, value in _VALUES.items():
            values: dict[ProcessKey, int] = {}
            kept = list(gone.values())
            unreadable = False
            for reading in readings:
                number = value(reading)
                if number is not None:
                    values[reading.stat.key] = number
                elif reading.stat.alive:
                    unreadable = True
                else:
                    kept.append(reading.stat.key)  # a zombie has its last value until it is waited for
            if not unreadable:
                sums[name] = self._counters[name].update(values, parents, kept)
        if all(reading.switches is not None for reading in readings):
            for place, name in enumerate(_SWITCHES):
                switches = {
                    (reading.stat.key, thread): counts[place]
                    for reading in readings
                    for thread, counts in (reading.switches or {}).items()
                }
                sums[name] = self._switches[name].update(switches, {})
        return sums
