"""`soak` starts here, under a name that is nobody else's, and makes sure that the package `exporter` is ours.

Any project may have a package of that name: a folder of PYTHONPATH, or another distribution, whose files pip
writes over ours without a word, or ours over its own.
"""

import sys
from importlib.util import find_spec
from pathlib import Path

HERE = Path(__file__).resolve().parent
PACKAGE = "exporter"
BAD_USAGE = 2
DESCRIPTION = f"{Path(__file__).stem}-*.dist-info"
"""the folder of what pip knows of this distribution"""
_FILES = (f"{PACKAGE}/".encode(), f"{PACKAGE}.py,".encode())
"""how a line of a RECORD begins, for files that come into each other's way"""
_OWN_ENVIRONMENT = "give each an environment of its own (python3 -m venv)"


def main() -> None:
    """`soak`, or one line on standard error and exit code 2 where `exporter` may be another's."""
    complaint = another_is_found(HERE) or another_is_installed(HERE) or something_is_missing(HERE)
    if complaint:
        print(f"soak: {complaint}", file=sys.stderr)
        sys.exit(BAD_USAGE)
    # Not before it is known whose it is.
    from exporter.cli.main import main as soak  # noqa: PLC0415

    soak()


def another_is_found(folder: Path) -> str | None:
    """What to say where Python finds another package of our name than the one in `folder`, else None."""
    spec = find_spec(PACKAGE)
    places = [*(spec.submodule_search_locations or ()), spec.origin] if spec else []
    found = next(filter(None, places), None)
    ours = folder / PACKAGE
    if found is None:
        return f"{ours}: not there; install the project anew"
    if Path(found).resolve() == ours:
        return None
    return (
        f"{found}: Python finds this package or module in place of {ours}, which has the same name; take its "
        f"folder out of PYTHONPATH, or {_OWN_ENVIRONMENT}"
    )


def another_is_installed(folder: Path) -> str | None:
    """What to say where another distribution has installed files of our package's name there, else None."""
    try:
        described = sorted(folder.glob("*.dist-info"))
    except OSError:
        return None
    for each in described:
        if each.match(DESCRIPTION):
            continue
        try:
            record = b"\n" + (each / "RECORD").read_bytes()
        except OSError:
            continue
        if any(b"\n" + begin in record for begin in _FILES):
            name = each.stem.replace("-", " ", 1)
            return (
                f"{name}: another distribution with a package named {PACKAGE}, installed beside this one in "
                f"{folder}: one may have replaced files of the other; {_OWN_ENVIRONMENT}"
            )
    return None


def something_is_missing(folder: Path) -> str | None:
    """What to say where a module that pip has installed there is gone, else None.

    That is what becomes of our files when another distribution that had replaced them is removed.
    """
    for each in folder.glob(DESCRIPTION):
        try:
            record = (each / "RECORD").read_text(encoding="utf-8")
        except OSError:
            continue
        names = (line.partition(",")[0] for line in record.splitlines())
        modules = (name for name in names if name.startswith(f"{PACKAGE}/") and name.endswith(".py"))
        for path in map(folder.joinpath, modules):
            if not path.exists():
                return (
                    f"{path}: gone, maybe with another distribution that had replaced it; install this "
                    "project anew (pip install --force-reinstall --no-deps), in an environment of its own"
                )
    return None
