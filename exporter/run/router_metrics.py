"""The router's own metrics beside the load: its collector of garbage, its heap, whatever it tells of itself.

They are asked of the target, on a thread of their own, where one of PATHS answers with metrics. What the
exporter, rules and verdict go by the router cannot say: such names are left out, as prometheus.yml has it.
`up` of it is 1 where it answered, as a Prometheus writes it.
"""

import itertools
import logging
import re
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

from exporter.clock import Clock
from exporter.results.openmetrics import ROUTER_JOB
from exporter.run.http_answer import BoundedHttp, UnansweredError
from exporter.run.recorder import TIMEOUT_SECONDS, Recorder, families_of
from exporter.run.spool import SpooledStore
from exporter.settings.login import HttpClient, HttpClientConfig, TlsClient
from exporter.settings.router_api import RouterApi
from exporter.timeseries import Key

PATHS = ("/metrics", "/metrics/cloud", "/api/metrics/cloud")
"""the usual one, and those of the router's two generations; below the prefix of its API, and without it"""
INTERVAL_SECONDS = 15.0
"""what is asked is the router under load: seldom"""
TRIES, TRY_AGAIN_SECONDS = 3, 60.0
"""a router that has no metrics yet may have some after its first requests; then it is asked no more"""
STOP_SECONDS = 1.0
MAX_ANSWER_BYTES = 8 << 20
MAX_SAMPLES = 10_000
"""of an answer, and series of the whole run"""
MAX_LABELS, MAX_NAME_BYTES = 32, 1000
"""of a series, name and labels together; one that has more is left out: nothing could read it back"""
OWN_NAMES = re.compile(
    r"(benchmark|observed_process|node|gpu|router|exporter|scrape)_.*|up|ALERTS.*|.*:.*:.*", re.DOTALL
)
"""that are not the router's to write"""
_log = logging.getLogger(__name__)


class RouterMetrics:
    """Records them into the store of a run's recorder, from `start` to `stop`, at its times.

    `headers` are sent along: the API key, where there is one. Nothing that goes wrong here touches the run.
    """

    def __init__(
        self,
        api: RouterApi,
        headers: Iterable[tuple[str, str]],
        clock: Clock,
        recorder: Recorder,
        store: SpooledStore,
    ) -> None:
        parts = urlsplit(api.url)
        roots = dict.fromkeys((api.url, f"{parts.scheme}://{parts.netloc}"))
        self._urls = [root + path for root in roots for path in PATHS]
        """those that may have them; once one has, that one alone"""
        self._target = {"job": ROUTER_JOB, "instance": parts.netloc}
        trust = TlsClient(**api.tls_config.model_dump())
        session = HttpClient(HttpClientConfig(tls_config=trust), Path()).session()
        session.headers.update({name: value for name, value in headers if name.lower() == "authorization"})
        self._http = BoundedHttp(session, TIMEOUT_SECONDS, MAX_ANSWER_BYTES)
        self._clock = clock
        self._recorder = recorder
        self._store = store
        self._known: set[Key] = set()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="router metrics", daemon=True)

    def start(self) -> None:
        """Begin; the router is asked for the first time at once."""
        self._thread.start()

    def stop(self) -> None:
        """The end; an answer that is late is not waited for, and not recorded."""
        with self._store.lock:
            self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(STOP_SECONDS)

    def _run(self) -> None:
        if not self._found():
            return
        due = self._clock.monotonic()
        while True:
            # A late one is left out, and two at once do not make up for it.
            due = max(due + INTERVAL_SECONDS, self._clock.monotonic())
            if self._stopping.wait(max(0.0, due - self._clock.monotonic())):
                return
            self._record(self._urls[0])

    def _found(self) -> bool:
        """Whether the router has metrics; which of the addresses has them is then the only one."""
        for _ in range(TRIES):
            for url in self._urls:
                if self._stopping.is_set():
                    return False
                if self._record(url):
                    self._urls = [url]
                    return True
            self._stopping.wait(TRY_AGAIN_SECONDS)
        return False

    def _record(self, url: str) -> bool:
        """One scrape; whether there were metrics."""
        time = self._recorder.now()
        try:
            samples = list(self._samples(url))
        except UnansweredError as error:
            _log.info("no metrics of the router at %s: %s", url, error)
            with self._store.lock:
                if self._known and not self._stopping.is_set():
                    self._store.add("up", self._target, time, 0.0)
            return False
        with self._store.lock:
            if self._stopping.is_set():
                return False
            if samples:
                self._store.add("up", self._target, time, 1.0)
            for name, labels, value in samples:
                key = (name, tuple(sorted(labels.items())))
                if key in self._known or len(self._known) < MAX_SAMPLES:
                    self._known.add(key)
                    self._store.add(name, labels, time, value)
        return bool(samples)

    def _samples(self, url: str) -> Iterator[tuple[str, dict[str, str], float]]:
        """Name, labels and value of what it may say; raises UnansweredError."""
        families = families_of(self._http.ask("GET", url))
        found = list(itertools.chain.from_iterable(family.samples for family in families))
        if len(found) > MAX_SAMPLES:
            raise UnansweredError(f"more than {MAX_SAMPLES:,} samples")
        for sample in found:
            words = (sample.name, *itertools.chain.from_iterable(sample.labels.items()))
            size = sum(len(word.encode(errors="surrogatepass")) for word in words)
            if size > MAX_NAME_BYTES or len(sample.labels) > MAX_LABELS or OWN_NAMES.fullmatch(sample.name):
                continue
            labels = {
                f"exported_{name}" if name in self._target else name: text
                for name, text in sample.labels.items()
            }
            yield sample.name, labels | self._target, float(sample.value)
