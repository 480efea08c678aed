"""A worker process of the streaming engine: `python -m exporter.load.stream.worker`.

Standard input has its plan and, once it has said that it is ready, the moment at which the load begins. What
it leaves goes to standard output, lines for the user to standard error. SIGINT, SIGTERM and the end of
standard input end the load early.
"""

import gc
import pickle
import resource
import signal
import sys
from contextlib import suppress

from exporter.clock import Clock, SystemClock
from exporter.live.wire import encode
from exporter.load.stream.loop import EpollLoop
from exporter.load.stream.port import port_to
from exporter.load.stream.reports import Reports
from exporter.load.stream.stamps import Stamps, begin_to_stamp
from exporter.load.stream.tally import REPORT_WITHIN_MS, Tally
from exporter.load.stream.target import look_up
from exporter.load.stream.timers import Timers
from exporter.load.stream.traffic import Traffic
from exporter.load.stream.worker_plan import READY, WorkerPlan, WorkerResult

REPORT_SECONDS = REPORT_WITHIN_MS / 1000


class Worker:
    """One worker's load on a loop of its own."""

    def __init__(self, plan: WorkerPlan, loop: EpollLoop, clock: Clock) -> None:
        """Raises OSError where the target, the node or the ingest cannot be looked up."""
        self._plan = plan
        self._loop = loop
        self._now = clock.monotonic
        self._stamping = begin_to_stamp(clock)
        self._stamps = Stamps(clock)
        self._port = port_to(look_up(plan.target), loop, self._stamps)
        direct = plan.shape.direct
        self._node = None if direct is None else port_to(look_up(direct), loop, self._stamps)
        self._timers = Timers(loop, clock)
        self._reports = Reports(plan.ingest_host, plan.ingest_port, self._timers)

    def run(self, begin: float) -> WorkerResult:
        """The load from this moment (monotonic s) to its end."""
        plan, timers = self._plan, self._timers
        tally = Tally(plan.token, plan.worker, len(plan.shape.pairs), begin)
        traffic = Traffic(
            *(plan.shape, plan.place, plan.limits, plan.headers, self._port, timers, tally),
            *(self._report, _say, self._loop.stop, self._node),
        )
        self._traffic = traffic
        # The first says that the worker is there; the later ones of all workers are spread over a second.
        timers.at(begin, self._report)
        first = begin + REPORT_SECONDS * (plan.place + 1) / plan.shape.workers
        timers.at(first, lambda: self._each_second(first))
        timers.at(begin, lambda: traffic.begin(begin))
        timers.at(begin + plan.duration_seconds, self._loop.stop)
        # What is there now stays: no collection looks at it again.
        gc.freeze()
        self._loop.run_forever()
        ended = max(self._now(), begin)
        left = traffic.end(ended)
        messages = tally.report(
            *(ended, traffic.connections, left.in_flight, left.stalled),
            *(True, left.waiting_seconds),
        )
        self._reports.send(messages, ended)
        self._reports.close()
        timers.close()
        self._stamping.close()
        return WorkerResult(traffic.account, plan.limits.clients, ended - begin, tuple(map(encode, messages)))

    def _each_second(self, due: float) -> None:
        now = self._now()
        self._traffic.look(now)
        self._report()
        later = max(due + REPORT_SECONDS, now)
        self._timers.at(later, lambda: self._each_second(later))

    def _report(self) -> None:
        now, traffic = self._now(), self._traffic
        counts = (traffic.connections, traffic.in_flight, traffic.stalled(now))
        self._reports.send(traffic.tally.report(now, *counts), now)


def main() -> None:
    """The life of the process."""
    standard_input, standard_output = sys.stdin.buffer, sys.stdout.buffer
    plan: WorkerPlan = pickle.load(standard_input)
    _raise_fd_limit()
    loop = EpollLoop()
    loop.stop_on((signal.SIGINT, signal.SIGTERM))
    clock = SystemClock()
    try:
        worker = Worker(plan, loop, clock)
    except OSError as error:
        places = " or ".join(filter(None, (plan.target, plan.shape.direct)))
        sys.exit(f"{places}: cannot be looked up ({error.strerror or error})")
    gc.collect()
    standard_output.write(READY)
    standard_output.flush()
    begin = standard_input.readline()
    if not begin:
        return  # whoever started it is gone
    loop.add_reader(standard_input.fileno(), loop.stop)
    result = worker.run(float(begin))
    with suppress(BrokenPipeError):
        standard_output.write(pickle.dumps(result))
        standard_output.flush()


def _say(line: str) -> None:
    """To the user, by whoever started this process."""
    print(line, file=sys.stderr, flush=True)


def _raise_fd_limit() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


if __name__ == "__main__":
    main()
