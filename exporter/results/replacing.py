"""Files that may be made again: a reader sees the old one or the new one, whole."""

import os
from contextlib import suppress
from pathlib import Path

from exporter.errors import ConfigurationError


def replace_file(path: Path, data: bytes, what: str) -> None:
    """Write a file in one step; raises ConfigurationError, which says `what` it is, where that cannot be."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        with temporary.open("xb") as file:
            file.write(data)
        temporary.replace(path)
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot write {what} ({error.strerror or error})") from error
    finally:
        # Where it could not be made, the way to it may not be there.
        with suppress(OSError):
            temporary.unlink()
