"""exporter.stack.replay: what is refused before anything is written."""

import gzip
from pathlib import Path

import pytest

from exporter.errors import ConfigurationError
from exporter.stack.replay import replay
from tests.support.checkout import CHECKOUT
from tests.support.clocks import FakeClock


def why(folder: Path, output: Path, clock: FakeClock) -> str:
    with pytest.raises(ConfigurationError) as error:
        replay(folder, output, CHECKOUT / "prometheus" / "rules", "no-such-promtool", clock)
    return str(error.value)


def write(folder: Path, text: bytes) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "series.om.gz").write_bytes(text)


def test_a_folder_without_series_is_refused(tmp_path: Path, clock: FakeClock) -> None:
    run, output = tmp_path / "run", tmp_path / "data"
    assert why(run, output, clock).startswith(f"{run}/series.om.gz: cannot be read (")
    write(run, b"not gzip")
    assert why(run, output, clock).startswith(f"{run}/series.om.gz: cannot be read (")
    write(run, gzip.compress(b"up 1 1.000\n" * 1000)[:-20])
    assert why(run, output, clock).startswith(f"{run}/series.om.gz: cannot be read (")
    write(run, gzip.compress(b"# EOF\n"))
    assert why(run, output, clock) == f"{run}/series.om.gz: no series of a run"
    assert not output.exists()


def test_what_a_prometheus_is_still_writing_is_left_to_it(tmp_path: Path, clock: FakeClock) -> None:
    run, output = tmp_path / "run", tmp_path / "data"
    (output / "wal").mkdir(parents=True)
    write(run, gzip.compress(f"up 1 {clock.wall() - 3 * 3600 + 1:.3f}\n# EOF\n".encode()))
    assert why(run, output, clock).startswith(f"{run}: the run ended less than three hours ago")
    # Of an empty folder nobody writes, and of an older run's time neither.
    assert why(run, tmp_path / "empty", clock).startswith("no-such-promtool: ")
    write(run, gzip.compress(f"up 1 {clock.wall() - 3 * 3600 - 1:.3f}\n# EOF\n".encode()))
    assert why(run, output, clock).startswith("no-such-promtool: ")
