"""The hey engine: hey in windows of a few seconds, each window's requests reported when it has ended.

hey prints what happened only at its end, so a run is a row of short heys. `-o csv` gives every response but
only those; a window has a fixed number of requests (-n), so what is missing in its CSV is what failed. hey
does not print why: a failure is `connect` where the target refuses connections after the window, `timeout`
where the window lasted for hey's own timeout, `disconnect` otherwise. Each window opens its own connections.
"""

import contextlib
import csv
import io
import math
import shutil
import signal
import subprocess
import threading

from exporter.clock import Clock, SystemClock
from exporter.errors import ConfigurationError, EngineError, ToolMissingError
from exporter.live.histogram import BUCKETS
from exporter.live.message import SUCCESS_CLASS, FailureReason, WorkerCounts
from exporter.live.sender import send
from exporter.load.child import end_with_parent
from exporter.load.engine import EngineTotals, LoadPlan, LoadResult
from exporter.load.hey_tally import Tally
from exporter.load.output import STDERR_BYTES, STDOUT_BYTES, EngineOutput, Spool
from exporter.load.workload import Workload
from exporter.settings.placeholders import shown_url

WINDOW_SECONDS = 3.0
MAX_REQUESTS_A_WINDOW = 500_000
"""hey keeps every response in memory and prints no more than a million"""
TIMEOUT_SECONDS = 600
STOP_SECONDS = 10.0
PROBE_SECONDS = 1.0
OUTAGE_PAUSE_SECONDS = 0.25
"""between windows in which nothing was answered, so that a router that is down is not hammered"""
UNTIMED_SECONDS = 10.0
"""in a hey that lasts longer nobody knows how long a request without an answer was open"""


class HeyEngine:
    """Starts the system's hey."""

    name = "hey"

    def __init__(self, program: str = "hey", clock: Clock | None = None) -> None:
        self._program = program
        self._clock = clock or SystemClock()

    def check(self, workload: Workload) -> str:
        if workload.script is not None:
            raise ConfigurationError("--script: a wrk script needs --engine wrk")
        if workload.headers:
            is_key = all(name.lower() == "authorization" for name, _ in workload.headers)
            raise ConfigurationError(
                f"{'--api-key-*' if is_key else '--header'}: hey takes headers, --header and --api-key-*, on "
                "its command line alone, where everybody on this machine can read them; use --engine wrk"
            )
        if shown_url(workload.url).plain != workload.url:
            raise ConfigurationError(
                "--endpoint: hey takes the URL on its command line, where everybody on this machine can read "
                "it, and the query of this one looks like a key; use --engine wrk"
            )
        if shutil.which(self._program) is None:
            raise ToolMissingError("hey: not installed; install it (Debian, Ubuntu: apt install hey)")
        return "unknown"  # hey has no option that prints its version

    def start(self, plan: LoadPlan) -> "RunningHey":
        (plan.folder / "body").write_bytes(plan.workload.body)
        return RunningHey(plan, self._program, self._clock)


class RunningHey:
    """A row of heys, one after the other, in a thread."""

    def __init__(self, plan: LoadPlan, program: str, clock: Clock) -> None:
        self._plan = plan
        self._clock = clock
        self._program = program
        self._tally = Tally(plan.token, clock.monotonic(), plan.first_worker)
        self._stdout, self._stderr = Spool(STDOUT_BYTES), Spool(STDERR_BYTES)
        self._stopping = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._problem: EngineError | None = None
        self._seconds = 0.0
        self._unanswered = 0
        """connections that had a request in flight when it was asked to end, for so many seconds"""
        self._waiting_seconds = 0.0
        self._ended = 0.0
        """when its load did, on the monotonic clock"""
        self.command = self._command(plan.connections)
        self._thread = threading.Thread(target=self._run, name="hey", daemon=True)
        self._thread.start()

    def _command(self, requests: int) -> tuple[str, ...]:
        plan = self._plan
        return (
            *(self._program, "-n", str(requests), "-c", str(min(requests, plan.connections)), "-m", "POST"),
            *("-T", "application/json", "-D", str(plan.folder / "body"), "-t", str(TIMEOUT_SECONDS)),
            *("-o", "csv", plan.workload.url),
        )

    def _run(self) -> None:
        started, rate = self._clock.monotonic(), 0.0
        try:
            while (left := self._plan.duration_seconds - self._seconds) > 0 and not self._stopping.is_set():
                requests = self._size(rate, min(left, WINDOW_SECONDS))
                if requests == 0:
                    break
                rate = self._window(requests)
                self._seconds = self._clock.monotonic() - started
                self._send(final=False)
        except EngineError as error:
            self._problem = error
        finally:
            self._ended = self._clock.monotonic()

    def _size(self, rate: float, seconds: float) -> int:
        """Requests for about so many seconds, none once all that are planned are sent.

        A whole number for each connection, since hey rounds down; of the last few, one on each.
        """
        connections = self._plan.connections
        wanted = min(max(rate * seconds, 1), MAX_REQUESTS_A_WINDOW)
        whole = math.ceil(wanted / connections) * connections
        if self._plan.max_requests is None:
            return whole
        left = self._plan.max_requests - self._tally.responses - sum(self._tally.failures.values())
        return min(whole, left // connections * connections or left)

    @property
    def pids(self) -> tuple[int, ...]:
        process = self._process
        return () if process is None else (process.pid,)

    def _window(self, requests: int) -> float:
        """One hey; the responses a second that it had."""
        started = self._clock.monotonic()
        with self._lock:
            if self._stopping.is_set():
                return 0.0
            self._process = process = subprocess.Popen(
                end_with_parent(self._command(requests), signal.SIGINT),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        output, complaint = process.communicate()
        self._stdout.write(output)
        self._stderr.write(complaint)
        seconds = self._clock.monotonic() - started
        if process.returncode not in (0, -signal.SIGINT, -signal.SIGKILL):
            text = complaint.decode(errors="replace").strip().splitlines()
            raise EngineError(f"hey: {text[0] if text else f'exit code {process.returncode}'}")
        answered, last = self._count(output.decode(errors="replace"), started)
        if self._stopping.is_set():
            # It has not sent the rest of its requests. What a connection waits for is no failure yet.
            self._unanswered = min(requests - answered, self._plan.connections)
            self._waiting_seconds = max(seconds - last, 0.0)
        elif requests > answered:
            self._tally.failures[self._reason(seconds)] += requests - answered
            # hey does not say how long they took: at most as long as it did.
            self._tally.timed = self._tally.timed and seconds < UNTIMED_SECONDS
            if answered == 0:
                self._stopping.wait(OUTAGE_PAUSE_SECONDS)
        return answered / seconds

    def _count(self, text: str, started: float) -> tuple[int, float]:
        """How many responses a window's CSV has, and after how many seconds the last of them came."""
        last = 0.0
        ended = []
        for row in csv.DictReader(io.StringIO(text)):
            try:
                seconds, status = float(row["response-time"]), int(row["status-code"])
                offset = float(row["offset"])
            except (KeyError, TypeError, ValueError) as error:
                raise EngineError(f"hey: its CSV has a line that cannot be read ({row})") from error
            if not 100 <= status <= 599:
                raise EngineError(f"hey: status {status} is no HTTP status")
            if not (math.isfinite(seconds) and math.isfinite(offset) and min(seconds, offset) >= 0):
                raise EngineError(f"hey: its CSV has a line that cannot be read ({row})")
            last = max(last, offset + seconds)
            self._tally.response(seconds, status)
            ended.append((started + offset + seconds, seconds, status))
        for _ in self._tally.ended(ended):
            self._send(final=False)
        return len(ended), last

    def _reason(self, seconds: float) -> FailureReason:
        if seconds >= TIMEOUT_SECONDS:
            return FailureReason.TIMEOUT
        try:
            self._plan.workload.connect(PROBE_SECONDS)
        except OSError:
            return FailureReason.CONNECT
        return FailureReason.DISCONNECT

    def _send(self, final: bool) -> tuple[WorkerCounts, ...]:
        connections, now = self._plan.connections, self._clock.monotonic()
        if final:
            messages = self._tally.report(
                connections, self._unanswered, True, self._ended, self._waiting_seconds
            )
        else:
            messages = self._tally.report(connections, connections, False, now)
        # Where the exporter is away, the next report has all of this too.
        with contextlib.suppress(OSError):
            send(messages, self._plan.ingest_host, self._plan.ingest_port, self._clock)
        return messages

    def poll(self) -> int | None:
        if self._thread.is_alive():
            return None
        if self._problem is not None:
            raise self._problem
        return 0

    def stop(self) -> None:
        """Ask the hey under way to end; it prints what it has."""
        self._stopping.set()
        with self._lock:
            if self._process is not None and self._process.poll() is None:
                self._process.send_signal(signal.SIGINT)

    def result(self) -> LoadResult:
        self._thread.join(STOP_SECONDS)
        if self._thread.is_alive() and self._process is not None:
            self._process.kill()
            self._thread.join()
        success = sum(self._tally.counts[SUCCESS_CLASS * BUCKETS : (SUCCESS_CLASS + 1) * BUCKETS])
        responses = self._tally.responses
        totals = EngineTotals(
            requests=responses,
            duration_seconds=self._seconds,
            non_2xx=responses - success,
            socket_errors={reason.value: count for reason, count in self._tally.failures.items()},
            failures=dict(self._tally.failures),
            percentiles_seconds={},
        )
        output = EngineOutput(self._stdout.printed, self._stderr.printed)
        return LoadResult(totals, messages=self._send(final=True), output=output)
