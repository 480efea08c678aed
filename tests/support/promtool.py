"""promtool in the tests, which may hold more memory than it would, and is quicker so."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

LESS_COLLECTION = {"GOGC": "400"}


def run_promtool(words: Sequence[str | Path]) -> "subprocess.CompletedProcess[str]":
    """What a command line of promtool or amtool comes to; whoever calls looks at its exit code."""
    return subprocess.run(
        [str(word) for word in words],
        env={**os.environ, **LESS_COLLECTION},
        capture_output=True,
        text=True,
        check=False,
    )
