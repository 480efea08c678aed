"""A wrk with a script that notes what is called of it: alone, or under live.lua."""

import json
import os
import re
import signal
import struct
import subprocess
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from exporter.live.histogram import BUCKETS, CLASSES
from exporter.live.message import FIRST_SUM, FailureReason, WorkerCounts
from exporter.live.wire import decode
from exporter.load.wrk import LIVE_SCRIPT
from tests.support.checkout import CHECKOUT
from tests.support.local_http import Asked, LocalHttp

SCRIPTS = CHECKOUT / "tests" / "fixtures" / "wrk_scripts"
EVENTS = 24
"""calls that a thread notes before the script stops it"""
SETTLED_SECONDS = 0.2
"""a script that notes nothing for so long is ended"""


@dataclass(frozen=True)
class Ran:
    """What a wrk did with a script."""

    code: int
    traces: dict[str, list[str]]
    """what the hooks noted, by the number of the Lua state (1 is the one of setup() and done())"""
    asked: list[tuple[str, str, str, bytes]]
    """method, path, a header and body of what arrived"""
    output: str
    errors: str
    messages: tuple[WorkerCounts, ...]
    """the last report of each of live.lua's threads"""
    summary: dict[str, Any]
    """what live.lua leaves of wrk's own figures"""

    @property
    def stopped(self) -> bool:
        """Whether the script has stopped a thread."""
        return any("stopped" in calls for calls in self.traces.values())

    @property
    def requests(self) -> int:
        """By wrk's own summary."""
        [count] = re.findall(r"(\d+) requests in ", self.output)
        return int(count)


def live_counts(ran: Ran) -> tuple[int, dict[str, int]]:
    """live.lua's responses and failures, by reason."""
    responses, failures = 0, Counter[str]()
    for message in ran.messages:
        for _, first, row in message.rows:
            if first < CLASSES * BUCKETS:
                responses += sum(each for (each,) in struct.iter_unpack("<I", row))
        for _, values in message.blocks:
            responses += round(sum(values[len(FailureReason) : FIRST_SUM]))
            failures += Counter(
                {reason: round(n) for reason, n in zip(FailureReason, values, strict=False) if n}
            )
    return responses, dict(failures)


def answer(asked: Asked) -> tuple[int, str, dict[str, str]]:
    """A status that the path names, and the path again."""
    status = int(asked.path.split("/")[2]) if asked.path.startswith("/s/") else 200
    return status, f"answer to {asked.path}", {"X-Path": asked.path}


def run_wrk(script: str, folder: Path, *, live: bool, options: Sequence[str] = (), stops: int = 1) -> Ran:
    """Run `script` until it has stopped `stops` threads, or settled; with live.lua around it, or alone."""
    options = options or ("-t1", "-c1")
    folder.mkdir()
    path = folder / "script.lua"
    path.write_text((SCRIPTS / "trace.lua").read_text("utf-8") + script, "utf-8")
    environment = {**os.environ, "TRACE": str(folder), "EVENTS": str(EVENTS)}
    if live:
        environment |= {
            "SOAK_TOKEN": "00" * 16,
            "SOAK_THREADS": options[0].removeprefix("-t"),
            "SOAK_CONNECTIONS": options[1].removeprefix("-c"),
            "SOAK_USER_SCRIPT": str(path),
            "SOAK_SUMMARY_FILE": str(folder / "summary.json"),
            "SOAK_DATAGRAMS_FILE": str(folder / "datagrams"),
        }
    with LocalHttp(answer) as server:
        process = subprocess.Popen(
            ["wrk", *options, "-d10s", "-s", str(LIVE_SCRIPT if live else path), server.url + "/first"],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        noted, since = 0, time.monotonic()
        while process.poll() is None:
            traces = _traces(folder)
            length = sum(len(each) for each in traces.values())
            if length != noted or not server.asked:
                noted, since = length, time.monotonic()
            stopped = sum("stopped" in each for each in traces.values())
            if stopped == stops or time.monotonic() - since > SETTLED_SECONDS:
                process.send_signal(signal.SIGINT)
            time.sleep(0.01)
        output, errors = process.communicate()
        asked = [(e.method, e.path, str(e.headers["X-Extra"]), e.body) for e in server.asked]
    return Ran(
        process.returncode, _traces(folder), asked, output, errors, _messages(folder), _summary(folder)
    )


def _traces(folder: Path) -> dict[str, list[str]]:
    traces = {each.name: each.read_text("utf-8").splitlines() for each in folder.glob("[0-9]")}
    # What else has come when a thread stops is a matter of chance.
    return {
        state: calls[: calls.index("stopped") + 1] if "stopped" in calls else calls
        for state, calls in traces.items()
    }


def _messages(folder: Path) -> tuple[WorkerCounts, ...]:
    path = folder / "datagrams"
    data, messages = path.read_bytes() if path.exists() else b"", []
    while data:
        end = 4 + int.from_bytes(data[:4], "little")
        messages.append(decode(data[4:end]))
        data = data[end:]
    return tuple(messages)


def _summary(folder: Path) -> dict[str, Any]:
    path = folder / "summary.json"
    return dict(json.loads(path.read_text("utf-8"))) if path.exists() else {}
