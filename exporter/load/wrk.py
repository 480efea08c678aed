"""The wrk engine: the system's wrk with one thread a connection, and live.lua reporting every request."""

import json
import os
import re
import resource
import shutil
import signal
import subprocess
from pathlib import Path

from exporter.errors import EngineError, ToolMissingError, WireError
from exporter.live.message import WorkerCounts
from exporter.live.wire import decode
from exporter.load.child import end_with_parent
from exporter.load.engine import EngineTotals, LoadPlan, LoadResult
from exporter.load.workload import Workload

LIVE_SCRIPT = Path(__file__).with_name("live.lua")
OLDEST_VERSION = (4, 1)
TIMEOUT_SECONDS = 120
"""wrk's --timeout. It ends no request: a slower response is counted and measured here like any other; only
wrk's own histogram, 8 bytes for each microsecond of it, lacks the response (wrk calls it a timeout)."""
STOP_SECONDS = 10.0
SHOWN_LINES = 20
"""of what a script prints on standard error; the rest is counted"""
READ_BYTES = 1 << 16


class WrkEngine:
    """Starts the system's wrk."""

    name = "wrk"

    def __init__(self, program: str = "wrk") -> None:
        self._program = program

    def check(self, workload: Workload) -> str:
        found = shutil.which(self._program)
        if found is None:
            raise ToolMissingError("wrk: not installed; install it (Debian, Ubuntu: apt install wrk)")
        try:
            answer = subprocess.run([found, "-v"], capture_output=True, text=True, check=False, timeout=10)
        except (OSError, subprocess.SubprocessError) as error:
            raise ToolMissingError(f"wrk: {found} cannot be run ({error}); is it wrk?") from error
        match = re.search(r"wrk \D*(\d+)\.(\d+)[\w.+~-]*", answer.stdout + answer.stderr)
        if match is None or (int(match[1]), int(match[2])) < OLDEST_VERSION:
            printed = match[0] if match else "no version"
            raise ToolMissingError(f"wrk: {found} is too old ({printed}); version 4.1 or newer is needed")
        return match[0].removeprefix("wrk ")

    def start(self, plan: LoadPlan) -> "RunningWrk":
        workload = plan.workload
        body, headers = plan.folder / "body", plan.folder / "headers"
        body.write_bytes(workload.body)
        headers.touch(mode=0o600)
        headers.write_text("".join(f"{name}: {value}\n" for name, value in workload.headers), "utf-8")
        count = str(plan.connections)
        environment = {
            **os.environ,
            "SOAK_TOKEN": plan.token.hex(),
            "SOAK_INGEST_HOST": plan.ingest_host,
            "SOAK_INGEST_PORT": str(plan.ingest_port),
            "SOAK_THREADS": count,
            "SOAK_CONNECTIONS": count,
            "SOAK_BODY_FILE": str(body),
            "SOAK_HEADERS_FILE": str(headers),
            "SOAK_USER_SCRIPT": str(workload.script.resolve()) if workload.script else "",
            "SOAK_SUMMARY_FILE": str(plan.folder / "summary.json"),
            "SOAK_DATAGRAMS_FILE": str(plan.folder / "datagrams"),
        }
        command = (
            *(self._program, "-t", count, "-c", count, "-d", f"{plan.duration_seconds}s", "--latency"),
            *("--timeout", f"{TIMEOUT_SECONDS}s", "-s", str(LIVE_SCRIPT), workload.url),
        )
        # Room for a thousand connections, inherited by wrk.
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        return RunningWrk(command, environment, plan)


class RunningWrk:
    """A wrk process."""

    def __init__(self, command: tuple[str, ...], environment: dict[str, str], plan: LoadPlan) -> None:
        self.command = command
        self._folder = folder = plan.folder
        self._say = plan.say
        self._position = 0
        self._lines = 0
        self._last_line = ""
        with (folder / "stdout").open("wb") as stdout, (folder / "stderr").open("wb") as stderr:
            # A session of its own: Ctrl-C in the terminal is for soak to pass on, once.
            self._process = subprocess.Popen(
                end_with_parent(command, signal.SIGINT),
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,
            )

    def poll(self) -> int | None:
        code = self._process.poll()
        for line in self._new_lines(ended=code is not None):
            # wrk prints why it cannot load a script and goes on without it: then nothing is measured.
            if line.startswith(f"{LIVE_SCRIPT}: "):
                self._kill()
                raise EngineError(f"wrk: {line}")
            self._last_line = line
            if not code:
                self._pass_on(line)
        if code:
            raise EngineError(f"wrk: {self._last_line or f'ended with exit code {code} and no message'}")
        return code

    def _pass_on(self, line: str) -> None:
        self._lines += 1
        if self._lines <= SHOWN_LINES:
            self._say(line)

    def _new_lines(self, ended: bool) -> list[str]:
        """What came on standard error, at most READ_BYTES of it; a script may print what it likes there."""
        with (self._folder / "stderr").open("rb") as file:
            file.seek(self._position)
            data = file.read(READ_BYTES)
        whole = data if ended or len(data) == READ_BYTES else data[: data.rfind(b"\n") + 1]
        self._position += len(whole)
        text = whole.decode(errors="replace")
        shown = "".join(
            each if each.isprintable() or each == "\n" else "\N{REPLACEMENT CHARACTER}" for each in text
        )
        return [line for line in shown.split("\n") if line.strip()]

    def stop(self) -> None:
        """SIGINT: wrk ends its threads, prints its summary and calls done()."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)

    def result(self) -> LoadResult:
        try:
            self._process.wait(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._kill()
        # What came since the last poll, such as a done() that ran because of stop().
        while lines := self._new_lines(ended=True):
            for line in lines:
                self._pass_on(line)
        if self._lines > SHOWN_LINES:
            self._say(f"{self._lines - SHOWN_LINES:,} more lines came on standard error")
        return LoadResult(totals=self._totals(), messages=self._messages(), output=self._read("stdout"))

    def _kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def _read(self, name: str) -> str:
        return (self._folder / name).read_text(encoding="utf-8", errors="replace")

    def _totals(self) -> EngineTotals | None:
        try:
            summary = json.loads(self._read("summary.json"))
        except (OSError, ValueError):
            return None
        errors = summary["errors"]
        return EngineTotals(
            requests=summary["requests"],
            duration_seconds=summary["duration_us"] / 1e6,
            non_2xx=errors["status"],
            socket_errors={kind: errors[kind] for kind in ("connect", "read", "write", "timeout")},
            percentiles_seconds={p: us / 1e6 for p, us in summary["percentiles_us"].items()},
        )

    def _messages(self) -> tuple[WorkerCounts, ...]:
        try:
            data = (self._folder / "datagrams").read_bytes()
        except OSError:
            return ()
        messages = []
        position = 0
        while position + 4 <= len(data):
            end = position + 4 + int.from_bytes(data[position : position + 4], "little")
            try:
                messages.append(decode(data[position + 4 : end]))
            except WireError:
                break  # wrk was killed while it wrote; what is missing shows in the totals
            position = end
        return tuple(messages)
