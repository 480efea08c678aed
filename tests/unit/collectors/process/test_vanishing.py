"""exporter.collectors.process.process on processes that end while they are read."""

from collections.abc import Callable

import pytest

from exporter.collectors.procfs import ProcFs
from tests.support.fake_proc import ABSENT, FakeProc, fake_proc, scrape, watch

proc = pytest.fixture(fake_proc)


def when_reading(monkeypatch: pytest.MonkeyPatch, path: str, act: Callable[[], None]) -> None:
    """Do something just before a file of the fake /proc is read."""
    real = ProcFs.read

    def read(self: ProcFs, asked: str, *min_bytes: int) -> str:
        if asked == path:
            act()
        return real(self, asked, *min_bytes)

    monkeypatch.setattr(ProcFs, "read", read)


def test_a_child_that_ends_while_it_is_read_is_counted_once(
    proc: FakeProc, monkeypatch: pytest.MonkeyPatch
) -> None:
    collector = watch(proc, name="router")
    proc.process(10, ticks=(100, 0, 0, 0))
    proc.process(11, parent=10, comm="child", ticks=(40, 0, 0, 0))
    assert scrape(collector)["cpu_seconds_total{user}"] == 1.4

    def end() -> None:
        proc.end(11)
        proc.process(10, ticks=(100, 0, 45, 0))

    with monkeypatch.context() as patch:
        when_reading(patch, "11/status", end)  # its parent has been read by then
        found = scrape(collector)
    assert found["cpu_seconds_total{user}"] == 1.4
    assert found["threads"] == 1
    assert scrape(collector)["cpu_seconds_total{user}"] == 1.45


@pytest.mark.parametrize("file", ["stat", "status", "io"])
def test_a_process_that_ends_while_it_is_read_is_absent(
    proc: FakeProc, monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    collector = watch(proc, name="router")
    proc.process(10)
    assert scrape(collector)["up"] == 1
    when_reading(monkeypatch, f"10/{file}", lambda: proc.end(10) if (proc.root / "10").exists() else None)
    assert scrape(collector) == ABSENT


def test_whenever_a_process_vanishes_what_is_shown_is_absent_or_right_and_never_zero(
    proc: FakeProc, monkeypatch: pytest.MonkeyPatch
) -> None:
    for inode, state in ((71, "0A"), (72, "01"), (73, "08")):
        proc.socket(8080, state, inode)

    def start(pid: int) -> None:
        proc.process(
            pid,
            ticks=(100, 50, 20, 10),
            faults=(7, 3, 2, 1),
            io=(1000, 2000),
            sockets=(71, 72, 73),
            switches=(5, 6),
            threads=2,
        )

    left = 0

    def end_at_the_last(method: str) -> None:
        real = getattr(ProcFs, method)

        def access(self: ProcFs, path: str, *min_bytes: int) -> object:
            nonlocal left
            if path.startswith("10/"):
                left -= 1
                if left == 0:
                    proc.end(10)
            return real(self, path, *min_bytes)

        monkeypatch.setattr(ProcFs, method, access)

    for method in ("read", "link", "names", "inode"):
        end_at_the_last(method)
    start(10)
    whole = scrape(watch(proc, port=8080))
    accesses = -left
    assert accesses > 15
    outcomes = set()
    hidden = ABSENT | {"unwatched{hidden}": 1}
    for number in range(1, accesses + 1):
        start(10)
        collector = watch(proc, port=8080)
        left = number
        found = scrape(collector)
        outcomes.add(found["up"])
        # Its socket stays in this /proc, of a process that cannot be found.
        assert found in (ABSENT, hidden) or found.items() <= whole.items(), number
        assert scrape(collector) == hidden
        left = 0
        start(20)
        assert scrape(collector)["restarts_total"] == found["up"]
        proc.end(20)
    assert outcomes == {0, 1}
