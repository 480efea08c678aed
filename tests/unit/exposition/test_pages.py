"""exposition.application: the landing page, health and readiness, and the paths and the port of its own."""

import os

import pytest
import requests

from exporter.collectors.isolation import IsolatedCollectors
from exporter.errors import PortTakenError
from exporter.exposition.application import Exposition
from exporter.http_server.server import bind_http
from exporter.live.ingest import Ingest
from exporter.live.runs import LiveRuns
from exporter.settings.exporter_config import Role
from exporter.settings.watch import Watch, Watched
from tests.support.clocks import FakeClock
from tests.support.served_app import ServedApp
from tests.support.served_exporter import Served, announcement, serve_app, serve_exporter
from tests.support.watching import watch_of

server = pytest.fixture(scope="module")(serve_app)
served = pytest.fixture(serve_exporter)

HOSTILE = """<script>alert("1 & 2")</script>'"""


@pytest.mark.parametrize("path", ["/-/healthy", "/-/ready"])
def test_health_and_readiness_answer_ok(served: Served, path: str) -> None:
    answer = served.get(path)
    assert (answer.status_code, answer.text) == (200, "ok\n")


def test_the_landing_page_links_the_metrics_and_shows_that_no_run_is_under_way(served: Served) -> None:
    answer = served.get("/")
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert '<a href="/metrics">Metrics</a>' in answer.text
    assert "No run is under way" in answer.text


def test_the_landing_page_escapes_the_texts_of_an_announcement(served: Served) -> None:
    assert served.put(announcement(model=HOSTILE, label=HOSTILE, target=HOSTILE)).status_code == 200
    page = served.get("/").text
    assert "<script" not in page
    escaped = "&lt;script&gt;alert(&quot;1 &amp; 2&quot;)&lt;/script&gt;&#x27;"
    assert page.count(f"<td>{escaped}</td>") == 3


def test_a_telemetry_path_of_ones_own_is_served_and_linked(clock: FakeClock) -> None:
    runs = LiveRuns(clock)
    own = Exposition(
        runs, Ingest(runs.apply), IsolatedCollectors([], 1.0, clock), clock, watch_of(telemetry_path="/own")
    )
    with ServedApp(own.app) as server:
        assert requests.get(server.url + "/own", timeout=10).status_code == 200
        assert requests.get(server.url + "/metrics", timeout=10).status_code == 404
        assert '<a href="/own">Metrics</a>' in requests.get(server.url, timeout=10).text


def test_a_path_with_a_slash_too_many_is_not_found_rather_than_sent_elsewhere(served: Served) -> None:
    answer = requests.get(served.url + "/metrics/", headers={"Host": "evil.example"}, timeout=10)
    assert answer.status_code == 404
    assert answer.history == []


def test_a_taken_port_is_named_with_its_option() -> None:
    with bind_http("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(PortTakenError) as error:
            bind_http("127.0.0.1", port)
    assert str(error.value).startswith(f"exporter: port {port} on 127.0.0.1 ")
    assert f"(process {os.getpid()})" in str(error.value)
    assert str(error.value).endswith(" --web.listen-address")


def test_the_landing_page_names_the_router_and_the_processes_that_are_watched(clock: FakeClock) -> None:
    runs = LiveRuns(clock)
    for url, named in (("http://127.0.0.1:8080/<b>", "http://127.0.0.1:8080/&lt;b&gt;"), (None, "no router")):
        watch = watch_of(url=url, processes=(Watched("llmlb", Role.ROUTER),))
        own = Exposition(runs, Ingest(runs.apply), IsolatedCollectors([], 1.0, clock), clock, watch)
        with ServedApp(own.app) as server:
            page = requests.get(server.url, timeout=10).text
            assert named in page
            assert ("llmlb (router)" in page) is (url is not None)
            said = requests.get(server.url + "/api/watch", timeout=10)
        assert Watch.from_json(said.content) == watch
        assert said.headers["Content-Type"] == "application/json"
