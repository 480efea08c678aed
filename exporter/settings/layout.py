"""The shipped files laid out in a folder of the user's own, beside the package that they belong to.

The folder is then as a checkout is: paths in its files hold, and the image of its compose files can be built.
"""

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from exporter.errors import ConfigurationError
from exporter.settings.shipped import INSTALLED, PACKAGE, ROOT
from exporter.settings.shipped_files import shipped_files

NAMED = 3
"""of the files that differ"""


@dataclass(frozen=True)
class LaidOut:
    """The names of files, from the folder: those that were written, and those that were there already."""

    written: tuple[str, ...]
    kept: tuple[str, ...]


def lay_out(folder: Path, root: Path = ROOT, package: Path = PACKAGE) -> LaidOut:
    """Write every shipped file and the package into a folder, made where it is missing.

    Nothing that is there is replaced. Raises ConfigurationError where a file is there and differs (then
    nothing is written), and where one cannot be written: it then is not there, and those before it are.
    """
    wanted = _wanted(root, package)
    if os.path.lexists(folder) and not folder.is_dir():
        raise ConfigurationError(f"{folder}: is no folder; name another")
    try:
        there = {name for name in wanted if os.path.lexists(folder / name)}
        different = sorted(name for name in there if not _is_same(folder / name, wanted[name]))
        if different:
            named = ", ".join(str(folder / name) for name in different[:NAMED])
            more = f" and {len(different) - NAMED} more" if len(different) > NAMED else ""
            raise ConfigurationError(
                f"{named}{more}: there already, and not as shipped; nothing was "
                "written: name another folder and compare, or move what differs away"
            )
        missing = tuple(sorted(wanted.keys() - there))
        for name in missing:
            _write(folder / name, wanted[name])
    except OSError as error:
        raise ConfigurationError(
            f"{error.filename or folder}: cannot be written ({error.strerror or error}); "
            "what is written stays: see to it and run this again, or name another folder"
        ) from error
    return LaidOut(missing, tuple(sorted(there)))


def _wanted(root: Path, package: Path) -> Mapping[str, Path]:
    """Where each file comes from, by its name in the folder."""
    try:
        shipped = {name: root / name for name in shipped_files(root)}
    except FileNotFoundError as error:
        raise ConfigurationError(f"{error}; install the project anew (in a checkout: git restore)") from error
    modules = {
        f"{package.name}/{path.relative_to(package).as_posix()}": path
        for path in package.rglob("*")
        if path.is_file() and path.suffix != ".pyc" and not path.is_relative_to(package / INSTALLED.name)
    }
    return shipped | modules


def _is_same(target: Path, source: Path) -> bool:
    if not target.is_file() or target.stat().st_size != source.stat().st_size:
        return False
    return target.read_bytes() == source.read_bytes()


def _write(target: Path, source: Path) -> None:
    """The file, whole or not at all, with the caller's usual mode; what may be run stays so."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.new")
    mode = 0o777 if os.access(source, os.X_OK) else 0o666
    try:
        with open(temporary, "xb", opener=lambda path, flags: os.open(path, flags, mode)) as file:
            file.write(source.read_bytes())
        temporary.rename(target)
    finally:
        with suppress(OSError):
            temporary.unlink()
