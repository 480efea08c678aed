"""A load under way in worker processes, as `soak run` sees it."""

import pickle
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress

from exporter.clock import Clock
from exporter.errors import EngineError
from exporter.live.long_seen import LongSeen
from exporter.live.message import FailureReason, WorkerCounts
from exporter.live.wire import decode
from exporter.load.child import end_with_parent
from exporter.load.engine import EngineTotals, LoadPlan, LoadResult
from exporter.load.output import STDERR_BYTES, EngineOutput, Lines, PipeReader, Printed, Spool, plain
from exporter.load.stream.long_watch import LongWatch
from exporter.load.stream.shape import StreamShape
from exporter.load.stream.worker_plan import READY, Limits, WorkerPlan, WorkerResult

READY_SECONDS = 60.0
"""in which every worker has to be ready to begin"""
STOP_SECONDS = 10.0
HEAD_START_SECONDS = 0.2
"""from the command to begin to the begin, so that all workers begin at one moment"""
ENDS_WITHIN_SECONDS = 1.0
_COMMAND = (sys.executable, "-P", "-m", "exporter.load.stream.worker")
_SOCKET_ERRORS = (FailureReason.CONNECT, FailureReason.READ, FailureReason.WRITE, FailureReason.TIMEOUT)


class RunningStream:
    """Its worker processes."""

    command: tuple[str, ...] = _COMMAND

    def __init__(self, plan: LoadPlan, shape: StreamShape, clock: Clock) -> None:
        """Returns once the load begins; raises EngineError where a worker cannot."""
        self._long_seen: LongSeen | None = None
        self._say = plan.say
        self._workers = [_Process() for _ in range(shape.workers)]
        try:
            for place, worker in enumerate(self._workers):
                worker.tell(pickle.dumps(_worker_plan(plan, shape, place)))
            for worker in self._workers:
                worker.wait_until_ready(READY_SECONDS)
            begin = clock.monotonic() + HEAD_START_SECONDS
            for worker in self._workers:
                worker.tell(f"{begin!r}\n".encode())
        except EngineError:
            for worker in self._workers:
                worker.kill()
                worker.close()
            raise
        self._watch = LongWatch(
            plan.workload, shape.hold_model, plan.duration_seconds, clock, shape.complete_on_done
        )
        self._watch.start()

    @property
    def pids(self) -> tuple[int, ...]:
        return tuple(worker.process.pid for worker in self._workers)

    def poll(self) -> int | None:
        codes = [worker.process.poll() for worker in self._workers]
        if any(code is not None for code in codes):
            self._end_watch()
        for worker, code in zip(self._workers, codes, strict=True):
            if code:
                raise EngineError(f"stream: {worker.complaint()}")
            for line in worker.lines():
                self._say(line)
        return None if None in codes else 0

    def stop(self) -> None:
        """SIGINT: each worker ends its load and leaves its counts."""
        self._end_watch()
        for worker in self._workers:
            worker.signal(signal.SIGINT)

    def result(self) -> LoadResult:
        seen = self._end_watch()
        for worker in self._workers:
            worker.wait(STOP_SECONDS)
            if worker.process.returncode == 0:
                for line in worker.lines():
                    self._say(line)
        found = [worker.result() for worker in self._workers]
        for worker in self._workers:
            worker.close()
        results = [each for each in found if each is not None]
        stderr = Spool(STDERR_BYTES)
        for worker in self._workers:
            stderr.write(bytes(worker.stderr.printed))
        output = EngineOutput(Printed(), stderr.printed)
        if len(results) < len(found):
            # Without one worker's the others' are not the whole.
            return LoadResult(None, (), output, long_seen=seen)
        return LoadResult(_totals(results), _messages(results), output, long_seen=seen)

    def _end_watch(self) -> LongSeen:
        """What shows only over long time: nothing of it outlives the load."""
        if self._long_seen is None:
            self._long_seen = self._watch.stop()
        return self._long_seen


class _Process:
    """One worker process."""

    def __init__(self) -> None:
        # A session of its own: Ctrl-C in the terminal is for soak to pass on, once.
        self.process = subprocess.Popen(
            end_with_parent(_COMMAND),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        assert self.process.stdout is not None and self.process.stderr is not None
        self._stdout = bytearray()
        self.stderr = Spool(STDERR_BYTES)
        self._unsaid: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._splitter = Lines(self._unsaid.put)
        self._is_ready = threading.Event()
        self._reader = PipeReader({self.process.stdout: self._take, self.process.stderr: self._take_errors})

    def _take(self, data: bytes) -> None:
        self._stdout += data
        if self._stdout.startswith(READY):
            self._is_ready.set()

    def _take_errors(self, data: bytes) -> None:
        self.stderr.write(data)
        self._splitter.write(data)

    def lines(self) -> Iterator[str]:
        """What it has printed on standard error since they were asked for last."""
        while not self._unsaid.empty():
            yield self._unsaid.get()

    def tell(self, data: bytes) -> None:
        """Raises EngineError where it has ended."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(data)
            self.process.stdin.flush()
        except OSError as error:
            self.wait(STOP_SECONDS)
            raise EngineError(f"stream: {self.complaint()}") from error

    def wait_until_ready(self, seconds: float) -> None:
        """Raises EngineError where it does not come to that."""
        step = 0.05
        for _ in range(round(seconds / step)):
            if self._is_ready.wait(step):
                return
            if self.process.poll() is not None:
                raise EngineError(f"stream: {self.complaint()}")
        raise EngineError(f"stream: a worker process was not ready after {seconds:.0f} s")

    def complaint(self) -> str:
        """Why it ended: the last line that it printed, or how."""
        self._reader.finish()
        lines = plain(bytes(self.stderr.printed).decode(errors="replace")).strip().splitlines()
        if lines:
            return f"a worker process ended: {lines[-1]}"
        code = self.process.returncode
        how = f"exit code {code}" if code is None or code >= 0 else signal.Signals(-code).name
        return f"a worker process ended by {how}"

    def signal(self, number: signal.Signals) -> None:
        """Where it still runs."""
        if self.process.poll() is None:
            self.process.send_signal(number)

    def wait(self, seconds: float) -> None:
        """For its end; one that does not come to it is killed."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """At once."""
        self.process.kill()
        self.process.wait()

    def result(self) -> WorkerResult | None:
        """What it left; None where it died before that."""
        self._reader.finish()
        if self.process.returncode != 0:
            return None
        try:
            result = pickle.loads(bytes(self._stdout[len(READY) :]))
        except (EOFError, pickle.UnpicklingError):
            return None
        return result if isinstance(result, WorkerResult) else None

    def close(self) -> None:
        """Its pipes, once it has ended."""
        self._reader.finish()
        assert self.process.stdin is not None
        with suppress(OSError):
            self.process.stdin.close()


def _worker_plan(plan: LoadPlan, shape: StreamShape, place: int) -> WorkerPlan:
    connections = _share(plan.connections, place, shape.workers)
    return WorkerPlan(
        token=plan.token,
        target=plan.workload.target,
        headers=plan.workload.headers,
        shape=shape,
        place=place,
        worker=plan.first_worker + place,
        limits=Limits(
            connections,
            _share_of_requests(plan, shape, place),
            plan.stall_after_seconds,
        ),
        duration_seconds=plan.duration_seconds,
        ingest_host=plan.ingest_host,
        ingest_port=plan.ingest_port,
    )


def _share_of_requests(plan: LoadPlan, shape: StreamShape, place: int) -> int | None:
    """How many requests this worker may send; None: any number."""
    most, workers = plan.max_requests, shape.workers
    if most is None:
        return None
    if shape.rate is not None:
        return _share(most, place, workers)
    # In a closed load there is at least one for each connection.
    return _share(most - plan.connections, place, workers) + _share(plan.connections, place, workers)


def _share(whole: int, place: int, workers: int) -> int:
    return whole // workers + (place < whole % workers)


def _totals(results: list[WorkerResult]) -> EngineTotals:
    accounts = [each.account for each in results]
    longest = max(each.duration_seconds for each in results)
    failures = {reason: sum(each.failures[reason] for each in accounts) for reason in FailureReason}
    return EngineTotals(
        requests=sum(each.responses for each in accounts),
        duration_seconds=longest,
        non_2xx=sum(count for each in accounts for status, count in each.statuses.items() if status >= 400),
        socket_errors={reason.value: failures[reason] for reason in _SOCKET_ERRORS},
        failures=failures,
        percentiles_seconds={},
        # Of a worker that somebody has ended, its connections; all of them end within a moment otherwise.
        stopped_after_seconds=tuple(
            each.duration_seconds
            for each in results
            if each.duration_seconds < longest - ENDS_WITHIN_SECONDS
            for _ in range(each.clients)
        ),
    )


def _messages(results: list[WorkerResult]) -> tuple[WorkerCounts, ...]:
    return tuple(decode(datagram) for each in results for datagram in each.datagrams)
