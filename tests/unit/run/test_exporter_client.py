"""exporter.run.exporter_client: requests of a run to an exporter, and its answers."""

import json
import re
from typing import Any

import pytest

from exporter.errors import ConfigurationError, QueryError
from exporter.live.message import Phase
from exporter.live.status import RunStatus
from exporter.run.exporter_client import ExporterClient
from tests.support.clocks import FakeClock
from tests.support.live_messages import RUN, announced, run_info, token_of
from tests.support.local_http import Answer, LocalHttp


def test_a_run_is_announced_with_all_its_parameters_and_its_phase() -> None:
    with LocalHttp(lambda asked: (200, {"version": 3, "ingest_port": 9999})) as server:
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
        "phase": "drain",
        "version": 3,
        "token": token_of().hex(),
    }


@pytest.mark.parametrize(
    "answer",
    [
        (400, {"error": "version: Unexpected keyword argument"}),
        (409, {"error": "no", "version": 4}),
        (200, {"run": RUN, "phase": "load", "ingest_port": 9878}),
    ],
)
def test_an_exporter_of_another_version_is_named_with_what_to_do(answer: Answer) -> None:
    with LocalHttp(lambda asked: answer) as server, pytest.raises(ConfigurationError) as error:
        ExporterClient(server.url).register(run_info(), token_of(), Phase.LOAD)
    text = str(error.value)
    assert server.url in text
    assert "version 3" in text
    assert "--exporter" in text
    assert "\n" not in text


def test_the_status_of_a_run_is_what_the_exporter_answers() -> None:
    status = RunStatus.of(announced(FakeClock()).runs[RUN], 0.0)
    with LocalHttp(lambda asked: (200, json.loads(status.to_json()))) as server:
        assert ExporterClient(server.url).status(RUN) == status
    assert [(asked.method, asked.path) for asked in server.asked] == [("GET", f"/api/runs/{RUN}")]


@pytest.mark.parametrize("status", [400, 409])
def test_a_refusal_is_a_configuration_error_with_the_exporters_reason(status: int) -> None:
    with (
        LocalHttp(lambda asked: (status, {"error": "16 runs are active", "version": 3})) as server,
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


def test_an_exporter_that_is_away_is_not_healthy_and_gives_no_status() -> None:
    with LocalHttp(lambda asked: (200, "ok\n")) as server:
        api = ExporterClient(server.url)
        assert api.problem() is None
        url = server.url
    away = ExporterClient(url)
    assert url in (away.problem() or "")
    with pytest.raises(QueryError, match=url):
        away.status(RUN)


def test_what_answers_with_an_error_is_no_healthy_exporter() -> None:
    with LocalHttp(lambda asked: (404, "what?")) as server:
        problem = ExporterClient(server.url).problem() or ""
        assert server.url in problem
        assert "HTTP 404" in problem
    assert [asked.path for asked in server.asked] == ["/-/healthy"]


@pytest.mark.parametrize("url", ["", "127.0.0.1:9877", "ftp://x", "http://", "http:///x", "http://[::1"])
def test_a_url_that_is_none_is_refused_by_its_option(url: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(f"--exporter: {url!r} ")):
        ExporterClient(url)


@pytest.mark.parametrize(
    ("url", "host"), [("http://127.0.0.1:9877/", "127.0.0.1"), ("https://soak.example", "soak.example")]
)
def test_the_host_is_where_live_messages_go(url: str, host: str) -> None:
    assert ExporterClient(url).host == host
    assert ExporterClient(url).url == url.rstrip("/")


@pytest.mark.parametrize("answer", [{"version": 3}, {"version": 3, "ingest_port": "x"}])
def test_an_announcement_without_a_port_in_answer_is_missing_evidence(answer: dict[str, Any]) -> None:
    with LocalHttp(lambda asked: (200, answer)) as server, pytest.raises(QueryError, match="ingest port"):
        ExporterClient(server.url).register(run_info(), token_of(), Phase.LOAD)
