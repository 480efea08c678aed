"""`soak files`: what it says it has written."""

import re
from pathlib import Path

from click.testing import CliRunner

from exporter.cli.main import soak
from exporter.settings.shipped_files import SHIPPED


def test_it_counts_what_it_has_written_by_what_it_is_for(tmp_path: Path) -> None:
    done = CliRunner().invoke(soak, ["files", str(tmp_path / "new")], catch_exceptions=False)
    assert done.exit_code == 0
    head, *lines = done.output.splitlines()
    count = sum(path.is_file() for path in (tmp_path / "new").rglob("*"))
    assert head == f"{tmp_path / 'new'}: {count:,} files written"
    shown = {line.split()[0]: int(line.split()[1]) for line in lines}
    assert shown["prometheus/"] == sum(path.is_file() for path in (tmp_path / "new/prometheus").rglob("*"))
    assert shown["compose.yaml"] == 1
    assert sum(shown.values()) == count
    # Whatever is shipped, a line says what for.
    tops = {pattern.split("/")[0] for pattern in SHIPPED}
    assert {name.rstrip("/") for name in shown} >= {
        top for top in tops if re.match("compose|graf|prom|scr", top)
    }


def test_it_says_what_was_there(tmp_path: Path) -> None:
    CliRunner().invoke(soak, ["files", str(tmp_path)], catch_exceptions=False)
    (tmp_path / "compose.yaml").unlink()
    done = CliRunner().invoke(soak, ["files", str(tmp_path)], catch_exceptions=False)
    head, line = done.output.splitlines()
    assert re.fullmatch(rf"{tmp_path}: 1 files written, \d{{3}} were there as shipped", head)
    assert line.split()[:2] == ["compose.yaml", "1"]
