"""exporter.live.runs: nothing is lost and nothing counted twice, whatever is lost, repeated or killed."""

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.errors import WireError
from exporter.live.message import WorkerCounts, values_of
from exporter.live.runs import LiveRuns
from exporter.live.state_file import StateFile
from exporter.live.totals import Totals
from tests.support.clocks import FakeClock
from tests.support.live_messages import INDEX, LOCAL_MODEL, RUN, message, register
from tests.support.worker_histories import Expected, History, expected_of, histories, holds

WORKERS = 3


class Observed:
    """What a scrape has shown; a later one must never show less."""

    def __init__(self) -> None:
        self._before = Expected({}, list(values_of()))

    def take(self, totals: Totals) -> None:
        now = holds(totals)
        assert all(now.counts.get(index, 0) >= count for index, count in self._before.counts.items())
        assert all(a >= b for a, b in zip(now.values, self._before.values, strict=True))
        self._before = now


class KilledExporter:
    """An exporter that can be scraped, and killed and started again at any moment."""

    def __init__(self, folder: Path) -> None:
        self._clock = FakeClock()
        self._file = folder / "state.json"
        self._observed = Observed()
        self.runs = LiveRuns(self._clock)
        self._state_file = StateFile(self._file)
        register(self.runs, connections=WORKERS)

    def scrape(self) -> None:
        self._state_file.save(self.runs)
        self._observed.take(self.runs.models[LOCAL_MODEL])

    def kill_and_restart(self) -> None:
        self._clock.advance(5)
        self.runs = LiveRuns(self._clock)
        self._state_file = StateFile(self._file)
        self._state_file.load(self.runs)
        # The run's own command announces it again as soon as it notices.
        register(self.runs, connections=WORKERS)

    def receive(self, one: WorkerCounts) -> None:
        try:
            self.runs.apply(one)
        except WireError as error:
            assert error.reason == "replayed"


def scraped_or_killed(data: st.DataObject, exporter: KilledExporter) -> None:
    for step in data.draw(st.lists(st.sampled_from(["scrape", "kill"]), max_size=2)):
        if step == "scrape":
            exporter.scrape()
        else:
            exporter.kill_and_restart()


@settings(max_examples=40)
@given(histories(WORKERS), st.data())
def test_any_loss_repetition_order_and_restart_ends_at_the_last_report_of_every_worker(
    found: list[History], data: st.DataObject
) -> None:
    early = [one for history in found for report in history.reports[:-1] for one in report]
    early += [history.last[0] for history in found if len(history.last) == 1]
    arriving = data.draw(st.lists(st.sampled_from(early), max_size=20)) if early else []
    with tempfile.TemporaryDirectory() as folder:
        exporter = KilledExporter(Path(folder))
        for one in arriving:
            exporter.receive(one)
            scraped_or_killed(data, exporter)
        for history in data.draw(st.permutations(found)):
            for one in history.last:
                exporter.receive(one)
            exporter.scrape()
        for one in data.draw(st.lists(st.sampled_from([one for h in found for one in h.last]), max_size=5)):
            exporter.receive(one)
        exporter.scrape()
        expected = expected_of(found)
        assert holds(exporter.runs.runs[RUN].published) == expected
        assert holds(exporter.runs.models[LOCAL_MODEL]) == expected


def test_a_worker_silent_from_the_restart_to_its_last_report_is_counted_once(tmp_path: Path) -> None:
    exporter = KilledExporter(tmp_path)
    exporter.receive(message({INDEX: 40}, worker=0))
    exporter.receive(message({INDEX: 2}, worker=1))
    exporter.scrape()
    exporter.kill_and_restart()
    seen = []
    for worker, sequence, count in ((1, 2, 5), (1, 3, 41), (1, 4, 45), (0, 9, 60)):
        exporter.receive(message({INDEX: count}, worker=worker, sequence=sequence))
        exporter.scrape()
        seen.append(exporter.runs.models[LOCAL_MODEL].requests()[1])
    assert seen == [42, 42, 45, 105]


def test_what_was_received_but_never_scraped_is_counted_once_after_a_kill(tmp_path: Path) -> None:
    exporter = KilledExporter(tmp_path)
    exporter.receive(message({INDEX: 10}))
    exporter.scrape()
    exporter.receive(message({INDEX: 30}, sequence=2))
    exporter.kill_and_restart()
    assert exporter.runs.models[LOCAL_MODEL].requests()[1] == 10
    exporter.receive(message({INDEX: 31}, sequence=3))
    assert exporter.runs.models[LOCAL_MODEL].requests()[1] == 31
