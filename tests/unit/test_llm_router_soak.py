"""llm_router_soak: `soak` starts where the package `exporter` is this project's alone."""

import subprocess
import sys
from pathlib import Path

import pytest

from exporter.load.stream.running import RunningStream
from exporter.stack.service import SOAK
from llm_router_soak import another_is_found, another_is_installed, something_is_missing
from tests.support.checkout import CHECKOUT

SOAK_SCRIPT = "import sys; sys.argv[0] = 'soak'; from llm_router_soak import main; main()"
"""what pip writes as bin/soak"""
ANOTHERS = "raise SystemExit('it is that of another')"


def another(folder: Path, name: str) -> Path:
    """A module or package of our package's name."""
    place = folder / name
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(ANOTHERS, encoding="utf-8")
    return folder


def soak(folder: Path, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-P", "-c", SOAK_SCRIPT, *arguments],
        cwd=folder,
        env={"PATH": "", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("name", ["exporter.py", "exporter/__init__.py"])
def test_soak_starts_from_a_folder_that_has_an_exporter_of_its_own(name: str, tmp_path: Path) -> None:
    done = soak(another(tmp_path, name), "--version")
    assert (done.returncode, done.stdout.split(",")[0], done.stderr) == (0, "soak", "")


@pytest.mark.parametrize("command", [(*SOAK, "--version"), (*RunningStream.command, "--help")])
@pytest.mark.parametrize("name", ["exporter.py", "exporter/__init__.py"])
def test_what_soak_starts_does_not_look_into_the_folder_that_it_is_started_in(
    command: tuple[str, ...], name: str, tmp_path: Path
) -> None:
    """The worker has no --help: it waits for its plan, and ends at the end of its input."""
    done = subprocess.run(
        command,
        cwd=another(tmp_path, name),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ANOTHERS[20:-2] not in done.stderr
    assert "No module named" not in done.stderr


@pytest.mark.parametrize("name", ["exporter.py", "exporter/__init__.py"])
def test_another_package_of_the_name_is_told_in_one_line(name: str, tmp_path: Path) -> None:
    done = soak(tmp_path, "--version", PYTHONPATH=str(another(tmp_path / "theirs", name)))
    assert (done.returncode, done.stdout) == (2, "")
    found = tmp_path / "theirs" / name.removesuffix("/__init__.py")
    (line,) = done.stderr.splitlines()
    assert line.startswith(
        f"soak: {found}: Python finds this package or module in place of {CHECKOUT}/exporter,"
    )
    assert "PYTHONPATH" in line


def test_a_folder_of_the_name_without_modules_is_in_nobodys_way(tmp_path: Path) -> None:
    (tmp_path / "theirs" / "exporter").mkdir(parents=True)
    # Python takes it after any package on its path, as an installed one is, but before what an editable
    # installation finds by a hook.
    path = f"{tmp_path / 'theirs'}:{CHECKOUT}"
    assert soak(tmp_path, "--version", PYTHONPATH=path).returncode == 0


def test_a_package_that_is_gone_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert another_is_found(CHECKOUT) is None
    monkeypatch.setattr("llm_router_soak.PACKAGE", "no_such_exporter")
    gone = f"{tmp_path}/no_such_exporter: not there; install the project anew"
    assert another_is_found(tmp_path) == gone


def installed(site: Path, name: str, record: str) -> None:
    (site / f"{name}.dist-info").mkdir(parents=True)
    (site / f"{name}.dist-info" / "RECORD").write_text(record, encoding="utf-8")


@pytest.mark.parametrize("file", ["exporter/__init__.py", "exporter/views.py", "exporter.py"])
@pytest.mark.parametrize("before", ["", "click/core.py,sha256=x,1\n"])
def test_another_distribution_with_files_of_the_name_is_told(file: str, before: str, tmp_path: Path) -> None:
    installed(tmp_path, "click-8.2.0", "click/exporter/core.py,sha256=x,1\nclick-8.2.0.dist-info/RECORD,,\n")
    installed(tmp_path, "llm_router_soak-0.1.0", "exporter/__init__.py,sha256=x,1\n")
    installed(
        tmp_path, "my_exporter-1.0", "my_exporter/exporter.py,sha256=x,1\nexporter_tools/x.py,sha256=x,1\n"
    )
    (tmp_path / "half_gone-1.0.dist-info").mkdir()
    assert another_is_installed(tmp_path) is None
    installed(tmp_path, "metrics_exporter-2.1", f"{before}{file},sha256=x,1\n")
    said = another_is_installed(tmp_path)
    assert said is not None
    assert said.startswith("metrics_exporter 2.1: another distribution with a package named exporter")
    assert str(tmp_path) in said


def test_a_module_that_went_with_another_distribution_is_told(tmp_path: Path) -> None:
    names = ("exporter/__init__.py", "exporter/cli/main.py", "exporter/gone.pyc", "other/gone.py")
    installed(tmp_path, "llm_router_soak-0.1.0", "".join(f"{name},sha256=x,1\n" for name in names))
    for name in names[:2]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert something_is_missing(tmp_path) is None
    (tmp_path / "exporter/__init__.py").unlink()
    said = something_is_missing(tmp_path)
    assert said is not None
    assert said.startswith(f"{tmp_path}/exporter/__init__.py: gone, maybe with another distribution")


def test_where_nothing_is_installed_nothing_is_said(tmp_path: Path) -> None:
    assert another_is_installed(tmp_path / "none") is None
    assert something_is_missing(tmp_path / "none") is None
