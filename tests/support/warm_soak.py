"""`soak` commands in processes that have imported it before: what a user types, at a tenth of the cost.

Each is a process of its own with its own environment, folder, outputs and exit code. What Python itself makes
of an environment (encodings, its own options) is not looked at so, nor is what outlives a command.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Self

SERVER = """
import json, os, sys
import exporter.cli.exporter, exporter.cli.results, exporter.cli.run, exporter.cli.simulate
from exporter.cli.main import main

def command(words, environment, folder, output, errors):
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(os.open(output, os.O_WRONLY), 1)
    os.dup2(os.open(errors, os.O_WRONLY), 2)
    sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w")
    sys.argv = ["soak", *words]
    main()

for line in sys.stdin:
    child = os.fork()
    if child == 0:
        command(*json.loads(line))
        sys.exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class WarmSoak:
    """Starts one such process at a time, and waits for it."""

    def __enter__(self) -> Self:
        self._server = subprocess.Popen(
            [sys.executable, "-c", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._server.communicate()

    def run(
        self, words: tuple[str, ...], environment: Mapping[str, str], folder: Path
    ) -> "subprocess.CompletedProcess[str]":
        """`soak` with these words, in this folder, with this environment alone."""
        assert self._server.stdin is not None and self._server.stdout is not None
        with tempfile.TemporaryDirectory() as outputs:
            output, errors = Path(outputs, "output"), Path(outputs, "errors")
            output.touch()
            errors.touch()
            asked = (words, dict(environment), str(folder), str(output), str(errors))
            self._server.stdin.write(json.dumps(asked) + "\n")
            self._server.stdin.flush()
            code = int(self._server.stdout.readline())
            return subprocess.CompletedProcess(
                ("soak", *words), code, output.read_text("utf-8"), errors.read_text("utf-8")
            )
