"""Child processes that do not outlive their parent."""

import shutil
import signal
from collections.abc import Sequence


def end_with_parent(command: Sequence[str], by: signal.Signals = signal.SIGTERM) -> list[str]:
    """`command` such that the kernel sends it `by` when this process dies, however it dies.

    setpriv (util-linux) asks for that and replaces itself by the command, so the process id is the
    command's. Where there is no setpriv the command is returned as it is.
    """
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", by.name.removeprefix("SIG"), *command] if setpriv else list(command)
