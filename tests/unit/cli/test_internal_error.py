"""exporter.cli.main: an error of the program itself is no failed router."""

import re
from pathlib import Path

import pytest

from exporter.cli import main as command


def test_it_has_an_exit_code_of_its_own_one_line_and_a_traceback_in_a_file(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def fail(standalone_mode: bool) -> None:
        raise RuntimeError(f"two\nlines {standalone_mode}")

    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setattr(command.soak, "main", fail)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    with pytest.raises(SystemExit) as end:
        command.main()
    assert end.value.code == 70
    [line] = capsys.readouterr().err.splitlines()
    found = re.search(r"RuntimeError: two lines False.*in (\S+)$", line)
    assert found and Path(found[1]).parent == tmp_path
    assert "RuntimeError: two\nlines False" in Path(found[1]).read_text(encoding="utf-8")


def test_where_no_file_can_be_written_the_traceback_is_on_standard_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def fail(standalone_mode: bool) -> None:
        raise RuntimeError("no way")

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
    monkeypatch.setattr(command.soak, "main", fail)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    with pytest.raises(SystemExit) as end:
        command.main()
    assert end.value.code == 70
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("Traceback")
    assert lines[-1].endswith("(RuntimeError: no way); its traceback is above: no file can be written")
