"""exporter.run.progress: what the router's probe comes to is said while the run lasts, once."""

from exporter.live.message import Phase
from exporter.run.exporter_client import ExporterClient
from exporter.run.progress import Progress
from exporter.run.registration import Registration
from exporter.run.view import Moment
from exporter.verdict.judgement import Judgement
from tests.support.clocks import FakeClock
from tests.support.live_messages import run_info
from tests.support.local_http import LocalHttp


class View:
    def __init__(self) -> None:
        self.warned: list[str] = []
        self.memory: list[float | None] = []

    def update(self, moment: Moment) -> None:
        self.memory.append(moment.router_memory_bytes)

    def judged(self, judgement: Judgement) -> None:
        pass

    def warn(self, text: str) -> None:
        self.warned.append(text)

    def quote(self, text: str) -> None:
        """Nothing is quoted here."""


class Scraped:
    """The newest scrape of a router: what its probe came to, None where it has no probe."""

    result: str | None = None

    def latest(self, name: str, /, **labels: str) -> float | None:
        if name == "router_probe_timeout_seconds":
            return 1.5
        if name == "router_probe_result":
            return None if self.result is None else float(labels["result"] == self.result)
        return 46.0 if labels == {"role": "router"} else None


def test_a_probe_without_an_answer_is_said_once_for_each_reason() -> None:
    view, scraped = View(), Scraped()
    with LocalHttp(lambda asked: (200, {"version": 5, "ingest_port": 9})) as server:
        registration = Registration(run_info(), ExporterClient(server.url), FakeClock(), Phase.LOAD)
        progress = Progress(registration, view, scraped.latest)
        for result in (None, "answered", "timeout", "timeout", "answered", "refused", "timeout"):
            scraped.result = result
            progress.show(Phase.LOAD, 1.0, 60.0)
    assert view.warned == [
        "the router's probe failed: no answer within 1.5 s",
        "the router's probe failed: connection refused",
    ]
    assert view.memory == [46.0] * 7
