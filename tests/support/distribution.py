"""The project as others get it: a wheel and a source distribution, built by pip's own way from a copy."""

import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from zipfile import ZipFile

from tests.support.checkout import CHECKOUT

NOT_OF_THE_CHECKOUT = shutil.ignore_patterns(
    *(".git", ".venv", "build", "*.egg-info", "__pycache__", ".*_cache", ".hypothesis")
)
SDIST = "import sys; from setuptools import build_meta; build_meta.build_sdist(sys.argv[1])"


def copy_of_the_checkout(folder: Path) -> Path:
    """All that a user's checkout may hold, but for what tools leave there."""
    shutil.copytree(CHECKOUT, folder, ignore=NOT_OF_THE_CHECKOUT, symlinks=True)
    return folder


def build_wheel(source: Path, folder: Path) -> Path:
    """The wheel of a source folder, in `folder`."""
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index", "--no-build-isolation"]
    _run([*pip, "--disable-pip-version-check", "--wheel-dir", str(folder), str(source)], folder.parent)
    (wheel,) = folder.glob("*.whl")
    return wheel


def build_sdist(source: Path, folder: Path) -> Path:
    """The source distribution of a source folder, unpacked in `folder`."""
    folder.mkdir()
    _run([sys.executable, "-c", SDIST, str(folder)], source)
    (archive,) = folder.glob("*.tar.gz")
    with tarfile.open(archive) as file:
        file.extractall(folder, filter="data")
    return folder / archive.name.removesuffix(".tar.gz")


def names_in(wheel: Path) -> set[str]:
    """The files of a wheel but for its own description."""
    with ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name}


def _run(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
