"""The wrk engine: the system's wrk with one thread a connection, and live.lua reporting every request."""

import json
import os
import queue
import re
import resource
import shutil
import signal
import subprocess
from pathlib import Path

from exporter.errors import EngineError, ToolMissingError, WireError
from exporter.live.message import FailureReason, WorkerCounts
from exporter.live.wire import decode
from exporter.load.child import end_with_parent
from exporter.load.engine import EngineTotals, LoadPlan, LoadResult
from exporter.load.model_label import ModelSource
from exporter.load.output import (
    STDERR_BYTES,
    STDOUT_BYTES,
    EngineOutput,
    Lines,
    PipeReader,
    Spool,
    plain,
)
from exporter.load.workload import Workload
from exporter.settings.memory_file import memory_file, path_of

LIVE_SCRIPT = Path(__file__).with_name("live.lua")
OLDEST_VERSION = (4, 1)
FINISHED = "finished"
"""the file with a byte for each thread that has sent all that it may"""
TIMEOUT_SECONDS = 120
"""wrk's --timeout. It ends no request: a slower response is counted and measured here like any other; only
wrk's own histogram, 8 bytes for each microsecond of it, lacks the response (wrk calls it a timeout)."""
STOP_SECONDS = 10.0
SHOWN_LINES = 20
"""of what a script prints on standard error; the rest is counted"""
REPORT_BYTES = 100_000
"""of what done() prints, for a terminal; the rest is in the output that is kept"""
WRK_REASONS = (FailureReason.CONNECT, FailureReason.READ, FailureReason.WRITE)
"""of failures, as wrk counts them"""
_SUMMARY = r"^  %d requests in .*?^Transfer/sec: [^\n]*\n"
"""the end of wrk's own block; what follows is of done()"""


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
        body = plan.folder / "body"
        body.write_bytes(workload.body)
        count = str(plan.connections)
        environment = {
            **os.environ,
            "SOAK_TOKEN": plan.token.hex(),
            "SOAK_INGEST_HOST": plan.ingest_host,
            "SOAK_INGEST_PORT": str(plan.ingest_port),
            "SOAK_THREADS": count,
            "SOAK_CONNECTIONS": count,
            "SOAK_FIRST_WORKER": str(plan.first_worker),
            "SOAK_BODY_FILE": str(body),
            "SOAK_USER_SCRIPT": str(workload.script.resolve()) if workload.script else "",
            "SOAK_SUMMARY_FILE": str(plan.folder / "summary.json"),
            "SOAK_DATAGRAMS_FILE": str(plan.folder / "datagrams"),
        }
        if plan.max_requests is not None:
            environment["SOAK_MAX_REQUESTS"] = str(plan.max_requests)
            environment["SOAK_FINISHED_FILE"] = str(plan.folder / FINISHED)
        if workload.model_source == ModelSource.OPTION:
            environment["WRK_MODEL"] = workload.model  # chat.lua asks for it, as under run_wrk.sh
        # A query may hold a key, and everybody on this machine can read a command line.
        url, mark, query = workload.url.partition("?")
        command = (
            *(self._program, "-t", count, "-c", count, "-d", f"{plan.duration_seconds}s", "--latency"),
            *("--timeout", f"{TIMEOUT_SECONDS}s", "-s", str(LIVE_SCRIPT), url),
        )
        # Room for a thousand connections, inherited by wrk.
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        lines = "".join(f"{name}: {value}\n" for name, value in workload.headers)
        with (
            memory_file("headers", lines.encode()) as headers,
            memory_file("query", (mark + query).encode()) as asked,
        ):
            environment["SOAK_HEADERS_FILE"] = path_of(headers)
            environment["SOAK_QUERY_FILE"] = path_of(asked)
            return RunningWrk(command, environment, plan, (headers, asked))


class RunningWrk:
    """A wrk process; it inherits the descriptors `secrets`."""

    def __init__(
        self, command: tuple[str, ...], environment: dict[str, str], plan: LoadPlan, secrets: tuple[int, ...]
    ) -> None:
        self.command = command
        self._folder = plan.folder
        self._say = plan.say
        self._connections = plan.connections
        self._stdout, self._stderr = Spool(STDOUT_BYTES), Spool(STDERR_BYTES)
        self._lines = Lines(self._take_line)
        self._unsaid: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._seen = self._said = 0
        self._complaint = self._last_line = ""
        # A session of its own: Ctrl-C in the terminal is for soak to pass on, once.
        self._process = subprocess.Popen(
            end_with_parent(command, signal.SIGINT),
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            pass_fds=secrets,
        )
        assert self._process.stdout is not None and self._process.stderr is not None
        self._reader = PipeReader(
            {self._process.stdout: self._stdout.write, self._process.stderr: self._take_errors}
        )

    @property
    def pids(self) -> tuple[int, ...]:
        return (self._process.pid,)

    def _take_errors(self, data: bytes) -> None:
        self._stderr.write(data)
        self._lines.write(data)

    def _take_line(self, line: str) -> None:
        # wrk prints why it cannot load a script and goes on without it: then nothing is measured.
        if line.startswith(f"{LIVE_SCRIPT}: "):
            self._complaint = line
        self._seen += 1
        self._last_line = line
        if self._seen <= SHOWN_LINES:
            self._unsaid.put(line)

    def poll(self) -> int | None:
        code = self._process.poll()
        if code is None:
            if self._all_sent():
                self.stop()  # wrk itself waits for its time
        else:
            self._finish()
        if self._complaint:
            self._kill()
            raise EngineError(f"wrk: {self._complaint}")
        self._pass_on(but=self._last_line if code else "")
        if code:
            raise EngineError(f"wrk: {self._last_line or _ending(code)}")
        return code

    def _all_sent(self) -> bool:
        try:
            return (self._folder / FINISHED).stat().st_size >= self._connections
        except FileNotFoundError:
            return False

    def _pass_on(self, but: str = "") -> None:
        """Say what has come on standard error, without the line that is said as an error."""
        while not self._unsaid.empty():
            line = self._unsaid.get()
            if line != but:
                self._say(line)

    def _finish(self) -> None:
        """The process has ended: all of its output is here."""
        self._reader.finish()
        self._lines.end()

    def stop(self) -> None:
        """SIGINT: wrk ends its threads, prints its summary and calls done()."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)

    def result(self) -> LoadResult:
        try:
            self._process.wait(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._kill()
        self._finish()
        self._pass_on()
        if self._seen > SHOWN_LINES:
            self._say(f"{self._seen - SHOWN_LINES:,} more lines came on standard error")
        totals = self._totals()
        return LoadResult(
            totals=totals,
            messages=self._messages(),
            output=EngineOutput(self._stdout.printed, self._stderr.printed),
            report=self._report(totals.requests) if totals else "",
        )

    def _report(self, requests: int) -> str:
        """The first of what done() printed, or of its end where it is too much to be kept."""
        printed = self._stdout.printed
        text = printed.tail if printed.cut else bytes(printed)
        summary = re.search((_SUMMARY % requests).encode(), text, re.DOTALL | re.MULTILINE)
        if summary is None and not (printed.cut and self._process.returncode == 0):
            return ""
        begin = summary.end() if summary else 0
        return plain(text[begin : begin + REPORT_BYTES].decode(errors="replace"))

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
            # What wrk calls a timeout is a response that was slower: it is one of the requests.
            failures={reason: errors[reason.value] for reason in WRK_REASONS},
            percentiles_seconds={p: us / 1e6 for p, us in summary["percentiles_us"].items()},
            stopped_after_seconds=tuple(us / 1e6 for us in summary["stopped_after_us"]),
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


def _ending(code: int) -> str:
    if code < 0:
        return f"was ended by {signal.Signals(-code).name}"
    return f"ended with exit code {code} and no message"
