"""exporter.run.exporter_client: requests of a run to an exporter, and its answers."""

import json
import re
import socket
import threading
import time
from typing import Any

import pytest

from exporter.errors import ConfigurationError, QueryError
from exporter.live.message import Phase
from exporter.live.status import RunStatus
from exporter.run import exporter_client
from exporter.run.exporter_client import ExporterClient
from tests.support.clocks import FakeClock
from tests.support.live_messages import RUN, announced, run_info, token_of
from tests.support.local_http import Answer, LocalHttp
from tests.support.waiting import wait_for
from tests.support.watching import watch_of


def test_a_run_is_announced_with_all_its_parameters_and_its_phase() -> None:
    with LocalHttp(lambda asked: (200, {"version": 5, "ingest_port": 9999})) as server:
        port = ExporterClient(server.url + "/").register(run_info(), token_of(), Phase.DRAIN)
    assert port == 9999
    (asked,) = server.asked
    assert (asked.method, asked.path) == ("PUT", f"/api/runs/{RUN}")
    assert json.loads(asked.body) == {
        "run": RUN,
        "scenario": "local",
        "engine": "wrk",
        "pairs": [{"route": "local", "model": "gpt-oss:20b"}],
        "target": "http://127.0.0.1:8080",
        "connections": 4,
        "label": "nightly",
        "start_timestamp_seconds": 1_764_000_000.0,
        "planned_duration_seconds": 60.0,
        "stall_after_seconds": 30.0,
        "baseline_p99_seconds": None,
        "baseline_requests_per_second": None,
        "starts": 1,
        "goodput": None,
        "phase": "drain",
        "version": 5,
        "token": token_of().hex(),
    }


@pytest.mark.parametrize(
    "answer",
    [
        (400, {"error": "version: Unexpected keyword argument"}),
        (409, {"error": "no", "version": 6}),
        (200, {"run": RUN, "phase": "load", "ingest_port": 9878}),
    ],
)
def test_an_exporter_of_another_version_is_named_with_what_to_do(answer: Answer) -> None:
    with LocalHttp(lambda asked: answer) as server, pytest.raises(ConfigurationError) as error:
        ExporterClient(server.url).register(run_info(), token_of(), Phase.LOAD)
    text = str(error.value)
    assert server.url in text
    assert "version 5" in text
    assert "--exporter" in text
    assert "\n" not in text


def test_the_status_of_a_run_is_what_the_exporter_answers() -> None:
    status = RunStatus.of(announced(FakeClock()).runs[RUN], 0.0)
    with LocalHttp(lambda asked: (200, json.loads(status.to_json()))) as server:
        assert ExporterClient(server.url).status(RUN) == status
    assert [(asked.method, asked.path) for asked in server.asked] == [("GET", f"/api/runs/{RUN}")]


@pytest.mark.parametrize("status", [400, 403, 409, 415])
def test_a_refusal_is_a_configuration_error_with_the_exporters_reason(status: int) -> None:
    with (
        LocalHttp(lambda asked: (status, {"error": "16 runs are active", "version": 5})) as server,
        pytest.raises(ConfigurationError) as error,
    ):
        ExporterClient(server.url).register(run_info(), token_of(), Phase.LOAD)
    assert server.url in str(error.value)
    assert str(error.value).endswith(": 16 runs are active")


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ((404, {"error": "no such run"}), "HTTP 404"),
        ((500, {}), "HTTP 500"),
        ((500, "Internal Server Error"), "HTTP 500"),
        ((200, "<html>"), "gave no usable status"),
        ((400, {}), "HTTP 400"),
        ((200, []), "gave no usable status"),
        ((200, {"requests": {"2xx": 7}}), "gave no usable status"),
        ((400, ["x"]), "HTTP 400"),
    ],
)
def test_any_other_answer_is_missing_evidence(answer: Answer, problem: str) -> None:
    with (
        LocalHttp(lambda asked: answer) as server,
        pytest.raises(QueryError) as error,
    ):
        ExporterClient(server.url).status(RUN)
    assert str(error.value).startswith(f"exporter at {server.url}")
    assert problem in str(error.value)


def test_an_exporter_that_is_away_says_nothing_and_gives_no_status() -> None:
    with LocalHttp() as server:
        url = server.url
    away = ExporterClient(url)
    assert not away.is_there()
    with pytest.raises(QueryError) as error:
        away.watch()
    assert str(error.value) == (
        f"no exporter answers at {url} (connection refused); start one: soak exporter"
    )
    with pytest.raises(QueryError, match=rf"{url} gave no usable answer \(connection refused\)"):
        away.status(RUN)


def test_an_exporter_says_what_it_watches() -> None:
    with LocalHttp() as server:
        server.give("/api/watch", json.loads(watch_of(telemetry_path="/own").to_json()))
        client = ExporterClient(server.url)
        assert client.is_there()
        assert client.watch() == watch_of(telemetry_path="/own")


@pytest.mark.parametrize("page", ["/own", "/own/", "/metrics"])
def test_the_url_of_a_page_of_an_exporter_means_the_exporter(page: str) -> None:
    with LocalHttp() as server:
        server.give("/api/watch", json.loads(watch_of().to_json()))
        client = ExporterClient(server.url + page)
        client.watch()
        assert client.url == server.url


def test_an_exporter_behind_a_prefix_stays_there() -> None:
    with LocalHttp() as server:
        server.give("/soak/api/watch", json.loads(watch_of().to_json()))
        client = ExporterClient(server.url + "/soak/")
        client.watch()
        assert client.url == server.url + "/soak"


WATCH = json.loads(watch_of().to_json())


def drip(connection: socket.socket) -> None:
    """A byte now and then, for ever."""
    for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + b" " * 1000:
        connection.sendall(bytes([byte]))
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ((404, "what?"), "HTTP 404 at /api/watch"),
        ((200, "<html>a start page</html>"), "HTTP 200 at /api/watch"),
        ((200, b"\xff\x00"), "does not say what it watches"),
        ((200, "[" * 5000), "does not say what it watches"),
        ((200, []), "does not say what it watches"),
        ((200, {}), "does not say what it watches"),
        ((200, {**WATCH, "url": 7}), "does not say what it watches"),
        ((200, {**WATCH, "url": "http://[::1"}), "does not say what it watches"),
        ((200, {**WATCH, "url": "http://h:99999"}), "does not say what it watches"),
        ((200, {**WATCH, "url": "javascript:alert(1)"}), "does not say what it watches"),
        ((200, {**WATCH, "host": "a\x1b[31m"}), "does not say what it watches"),
        ((200, {**WATCH, "ingest_port": "9878"}), "does not say what it watches"),
        ((200, {**WATCH, "ingest_port": 0}), "does not say what it watches"),
        ((200, {**WATCH, "telemetry_path": "http://elsewhere"}), "does not say what it watches"),
        ((200, {**WATCH, "also_known_as": ["a b"]}), "does not say what it watches"),
        ((200, {**WATCH, "names": ["n"] * 100}), "does not say what it watches"),
        ((200, {**WATCH, "processes": [{"name": "<script>", "role": "router"}]}), "does not say what it"),
        ((200, {**WATCH, "version": 6}), "does not speak version 5"),
        ((500, "wrong configuration"), "is no healthy exporter (HTTP 500)"),
        ((302, "", {"Location": "http://127.0.0.1:1/"}), "is no healthy exporter (HTTP 302)"),
        ((200, "x" * 2_000_000), "an answer of more than 1 MiB"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "no whole answer of HTTP"),
        (b"", "no whole answer of HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{", "no whole answer of HTTP"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}",
            "no whole answer of HTTP",
        ),
    ],
)
def test_whatever_else_answers_there_is_one_line(answer: Answer, problem: str) -> None:
    with LocalHttp(lambda asked: answer) as server, pytest.raises(QueryError) as error:
        ExporterClient(server.url).watch()
    assert server.url in str(error.value)
    assert problem in str(error.value)
    assert str(error.value).isprintable()


def test_an_answer_that_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporter_client, "TIMEOUT_SECONDS", 0.5)
    with (
        LocalHttp(lambda asked: drip) as server,
        pytest.raises(QueryError, match=r"no whole answer within 0\.5 s"),
    ):
        ExporterClient(server.url).watch()
    assert server.left.is_set()


def test_nothing_more_is_asked_while_a_look_up_is_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """It alone cannot be ended, so it is held here until both questions have been refused."""
    monkeypatch.setattr(exporter_client, "TIMEOUT_SECONDS", 0.2)
    looked_up, ended = [], threading.Event()
    look_up = socket.getaddrinfo

    def held(host: str, port: int, *more: Any) -> list[Any]:
        looked_up.append(host)
        assert ended.wait(60)
        return look_up("127.0.0.1", port, *more)

    monkeypatch.setattr(socket, "getaddrinfo", held)
    with LocalHttp(lambda asked: (503, "")) as server:
        client = ExporterClient(server.url.replace("127.0.0.1", "soak.example"))
        for problem in (r"no whole answer within 0\.2 s", "still busy with an earlier answer"):
            with pytest.raises(QueryError, match=problem):
                client.status(RUN)
        assert looked_up == ["soak.example"]
        ended.set()
        wait_for("an answer", lambda: answers(client))
    assert set(looked_up) == {"soak.example"}


def answers(client: ExporterClient) -> bool:
    """Whether anything came back: here an HTTP 503."""
    with pytest.raises(QueryError) as error:
        client.status(RUN)
    return str(error.value).endswith("answers HTTP 503")


STATUS = json.loads(RunStatus.of(announced(FakeClock()).runs[RUN], 0.0).to_json())


@pytest.mark.parametrize(
    "changes",
    [
        {"requests": {"2xx": 7}},
        {"requests": {**STATUS["requests"], "2xx": -1}},
        {"requests": {**STATUS["requests"], "2xx": 10**30}},
        {"failures": {}},
        {"statuses": {"<script>": 1}},
        {"quantiles": {"0.5": 1.0}},
        {"recent_quantiles": {**STATUS["quantiles"], "0.5": "fast"}},
        {"duration_seconds": None},
        {"run": "f" * 16},
        {"version": 4},
        {"longest_request": {"seconds": -1.0, "until": 0.0, "answered": True}},
        {"last_success": "now"},
        {"others": {"f" * 16: "a\x1b[31m"}},
        {"others": {f"{each:016}": "a" for each in range(17)}},
        {"phase": "lunch"},
    ],
)
def test_a_status_that_cannot_be_is_missing_evidence(changes: dict[str, Any]) -> None:
    with LocalHttp(lambda asked: (200, {**STATUS, **changes})) as server, pytest.raises(QueryError) as error:
        ExporterClient(server.url).status(RUN)
    assert server.url in str(error.value)


def test_a_refusal_is_shown_bounded_and_without_escapes() -> None:
    answer = (409, {"error": "\x1b[31m" + "x" * 10_000, "version": 5})
    with LocalHttp(lambda asked: answer) as server, pytest.raises(ConfigurationError) as error:
        ExporterClient(server.url).register(run_info(), token_of(), Phase.LOAD)
    assert str(error.value).isprintable()
    assert len(str(error.value)) < 400


@pytest.mark.parametrize(
    "url",
    [
        "",
        "127.0.0.1:9877",
        "ftp://x",
        "http://",
        "http:///x",
        "http://[::1",
        "http://h:99999",
        "http://h/?a=b",
    ],
)
def test_a_url_that_is_none_is_refused_by_its_option(url: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(f"--exporter: {url!r} ")):
        ExporterClient(url)


def test_a_password_in_a_url_is_refused_and_not_shown() -> None:
    with pytest.raises(ConfigurationError) as error:
        ExporterClient("http://soak:hunter2@127.0.0.1:9877")
    assert "hunter2" not in str(error.value)


@pytest.mark.parametrize(
    ("url", "host"), [("http://127.0.0.1:9877/", "127.0.0.1"), ("https://soak.example", "soak.example")]
)
def test_the_host_is_where_live_messages_go(url: str, host: str) -> None:
    assert ExporterClient(url).host == host
    assert ExporterClient(url).url == url.rstrip("/")


@pytest.mark.parametrize("answer", [{"version": 5}, {"version": 5, "ingest_port": "x"}])
def test_an_announcement_without_a_port_in_answer_is_missing_evidence(answer: dict[str, Any]) -> None:
    with LocalHttp(lambda asked: (200, answer)) as server, pytest.raises(QueryError, match="ingest port"):
        ExporterClient(server.url).register(run_info(), token_of(), Phase.LOAD)
