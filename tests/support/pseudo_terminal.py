"""What a command shows on a terminal, byte for byte."""

import os
import pty
import subprocess
import sys
from collections.abc import Mapping

SOAK = (sys.executable, "-m", "exporter.cli")


def on_a_terminal(*command: str, environment: Mapping[str, str] | None = None) -> tuple[int, str]:
    """Exit code and all that it wrote, standard error too."""
    master, slave = pty.openpty()
    with subprocess.Popen(
        command,
        env={**os.environ, "COLUMNS": "500", "TERM": "xterm", **(environment or {})},
        stdin=subprocess.DEVNULL,
        stdout=slave,
        stderr=slave,
    ) as process:
        os.close(slave)
        shown = b""
        try:
            while data := os.read(master, 1 << 16):
                shown += data
        except OSError:  # EIO: nobody has the other end any more
            pass
        finally:
            os.close(master)
    return process.returncode, shown.decode()
