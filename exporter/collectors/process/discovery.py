"""Finding the watched processes of an entry, and knowing cheaply that they are still the same."""

import logging

from exporter.collectors.proc_files import ProcessStat
from exporter.collectors.process.listener import Found
from exporter.collectors.process.search import ProcessSearch, Searched, Unwatched
from exporter.collectors.process.table import ProcessTable
from exporter.collectors.process.tcp_tables import TcpTables
from exporter.collectors.procfs import ProcFs
from exporter.log import ProblemLog
from exporter.settings.exporter_config import MAX_REPLICAS, WatchedProcess

_LOG = logging.getLogger(__name__)

_MAX_PIDS_NAMED = 5
# A search looks at every process, so it is made where something has changed. So many calls later it is made
# all the same, for a process that waited long before it executed its program;
_CALLS_BEFORE_A_SEARCH = 120
# and so many later for what is behind a forwarder, and for other listeners on a port.
_CALLS_BEFORE_A_LOOK = 6


class ProcessFinder:
    """The separate processes that match one WatchedProcess: the main ones, each with its descendants.

    Each has a place, which it keeps; there is one place, or MAX_REPLICAS for `each: true`. At first they are
    filled by age. One that starts later takes the first that is free: so a replica that was restarted is in
    its old place. What was found is kept by (pid, start time) and checked at each call with a read or two.
    """

    def __init__(self, watched: WatchedProcess, proc: ProcFs, table: ProcessTable, own_pid: int) -> None:
        self.unwatched = dict.fromkeys(Unwatched, 0)
        """how many are known not to be watched, as of the last search"""
        self._name = watched.name
        self._port = watched.match.port
        self._max_places = MAX_REPLICAS if watched.each else 1
        self._table = table
        self._search = ProcessSearch(watched.match, proc, table, own_pid)
        self._by_text = watched.match.name is not None or watched.match.command_line is not None
        self._places: list[Found | None] = [None]
        self._sockets: set[str] = set()
        self._calls = 0
        self._problems = ProblemLog(_LOG)

    def find(self, tables: TcpTables) -> list[ProcessStat | None]:
        """The process in each place as it is now, None where there is none. A zombie is none.

        The table is searched as it was last refreshed.
        """
        places = [None if found is None else self._search.as_now(found) for found in self._places]
        self._calls += 1
        if self._has_news(places, tables):
            self._calls = 0
            self._sockets = self._listening(tables)
            self._fill(places, self._search.search(tables))
        self._places = places
        return [None if found is None else found.stat for found in places]

    def _has_news(self, places: list[Found | None], tables: TcpTables) -> bool:
        """Whether a search may find others than those in their places."""
        look = self._calls % _CALLS_BEFORE_A_LOOK == 0
        if not any(places):
            forwarded = self.unwatched[Unwatched.FORWARDED]
            return look or not forwarded or self._sockets != self._listening(tables)
        if self._port is not None:
            return (look or None in places) and self._sockets != self._listening(tables)
        if self._calls >= _CALLS_BEFORE_A_SEARCH:
            return True
        if not self._by_text:
            return None in places
        known = {found.stat.pid for found in places if found is not None}
        young = self._table.young_pids()
        strangers = [pid for pid in young if not known & {pid, *self._table.ancestors(pid)}]
        return any(True for _ in self._search.matching(strangers))

    def _listening(self, tables: TcpTables) -> set[str]:
        """The sockets that listen on the port."""
        if self._port is None:
            return set()
        return {socket for sockets in tables.listeners(self._port) for socket in sockets}

    def _fill(self, places: list[Found | None], searched: Searched) -> None:
        kept = {found.stat.key for found in places if found is not None}
        waiting = [found for found in searched.found if found.stat.key not in kept]
        while waiting and (None in places or len(places) < self._max_places):
            free = places.index(None) if None in places else len(places)
            places[free : free + 1] = [waiting.pop(0)]
        self.unwatched = {reason: searched.unwatched.get(reason, 0) for reason in Unwatched}
        problems = [searched.problem] if searched.problem else []
        if waiting:
            self.unwatched[Unwatched.SEVERAL] = len(waiting)
            problems.append(self._several(waiting))
        self._problems.update([f"watched process {self._name}: {problem}" for problem in problems])

    def _several(self, waiting: list[Found]) -> str:
        pids = ", ".join(str(found.stat.pid) for found in waiting[:_MAX_PIDS_NAMED])
        more = ", …" if len(waiting) > _MAX_PIDS_NAMED else ""
        remedy = f"at most {MAX_REPLICAS} are" if self._max_places > 1 else "`each: true` watches all"
        return f"{len(waiting)} more match and are not watched (process {pids}{more}); {remedy}"
