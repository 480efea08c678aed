"""Where this program keeps what outlives it: the exporter's state file, results that found no other place."""

import errno
import os
from pathlib import Path


def state_folder() -> Path:
    """`~/.local/state/llm-router-soak`, or the same under XDG_STATE_HOME; made where it is not there.

    A relative XDG_STATE_HOME counts as none, as its specification has it. Raises OSError where that cannot
    be.
    """
    try:
        given = Path(os.environ.get("XDG_STATE_HOME", ""))
        base = given if given.is_absolute() else Path.home() / ".local" / "state"
    except RuntimeError as error:
        raise FileNotFoundError(errno.ENOENT, "this user has no home folder") from error
    folder = base / "llm-router-soak"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
