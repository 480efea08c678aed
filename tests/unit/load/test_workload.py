"""exporter.load.workload: what is sent is what was given, and what is wrong is named by its option."""

import json
import socket
from pathlib import Path
from typing import Any

import pytest

from exporter.errors import ConfigurationError, TargetUnreachableError
from exporter.live.message import Route
from exporter.load.model_label import ModelSource
from exporter.load.workload import Workload, check_reachable, make_workload

SECRET = "sk-very-secret"


def workload(**changes: Any) -> Workload:
    given = {"target": "http://localhost:8080", "endpoint": "/v1/chat/completions", "model": "gpt-oss:20b"}
    return make_workload(**{**given, **changes})


def refusal(**changes: Any) -> str:
    with pytest.raises(ConfigurationError) as error:
        workload(**changes)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_without_a_body_the_model_is_asked_to_answer_ping() -> None:
    made = workload()
    assert json.loads(made.body) == {
        "model": "gpt-oss:20b",
        "messages": [{"role": "user", "content": "ping"}],
    }
    assert made.url == "http://localhost:8080/v1/chat/completions"
    assert made.headers == ()
    assert made.script is None


@pytest.mark.parametrize(
    ("model", "route"),
    [
        ("gpt-oss:20b", Route.LOCAL),
        ("openai:gpt-4o", Route.OPENAI),
        ("google:gemini-1.5-pro", Route.GOOGLE),
        ("anthropic:claude-3-opus", Route.ANTHROPIC),
        ("local:x", Route.LOCAL),
        ("openai", Route.LOCAL),
        ("OpenAI:gpt-4o", Route.LOCAL),
    ],
)
def test_the_prefix_of_the_model_is_the_route(model: str, route: Route) -> None:
    assert workload(model=model).route == route


@pytest.mark.parametrize(
    ("given", "label", "source"),
    [
        ({}, "openai:gpt-4o", ModelSource.SCRIPT),
        ({"model_source": ModelSource.SCENARIO}, "openai:gpt-4o", ModelSource.SCRIPT),
        ({"model_source": ModelSource.OPTION}, "gpt-oss:20b", ModelSource.OPTION),
    ],
)
def test_the_model_of_a_script_is_the_label_and_the_option_wins(
    tmp_path: Path, given: dict[str, Any], label: str, source: ModelSource
) -> None:
    script, body = tmp_path / "chat.lua", tmp_path / "body.json"
    script.write_text("""wrk.body = '{"model":"openai:gpt-4o"}'""")
    body.write_text('{"model": "in-the-body"}')
    for more in ({}, {"body_file": body}):
        made = workload(**{"script": script, "model_source": ModelSource.DEFAULT, **given, **more})
        assert (made.model, made.model_source) == (label, source)
        assert made.route == (Route.OPENAI if source == ModelSource.SCRIPT else Route.LOCAL)


def test_a_script_changes_the_label_and_not_the_body_that_it_is_given(tmp_path: Path) -> None:
    script = tmp_path / "mine.lua"
    script.write_text("function request() return anything end")
    made = workload(script=script, model_source=ModelSource.DEFAULT)
    assert (made.model, made.model_source) == ("unknown", ModelSource.UNKNOWN)
    assert json.loads(made.body)["model"] == "gpt-oss:20b"


def test_a_body_that_names_its_model_is_where_the_label_is_from(tmp_path: Path) -> None:
    body = tmp_path / "body.json"
    body.write_text('{"model": "in-the-body"}')
    assert workload(body_file=body).model_source == ModelSource.BODY
    body.write_text('{"messages": []}')
    assert workload(body_file=body).model_source == ModelSource.OPTION


def test_a_model_in_a_script_that_is_no_label_is_refused_with_where_it_stands(tmp_path: Path) -> None:
    script = tmp_path / "mine.lua"
    script.write_text(f"""model = "{"m" * 200}" """)
    assert "(read from --script)" in refusal(script=script, model_source=ModelSource.DEFAULT)


@pytest.mark.parametrize(
    ("body", "model"),
    [
        (b'{"model": "openai:gpt-4o",  "n": 1}\n', "openai:gpt-4o"),
        (b'{"messages": []}', "given"),
        (b'{"model": 7}', "given"),
        (b'{"model": ""}', "given"),
        (b"[1]", "given"),
        (b"\xff\x00 no JSON", "given"),
        (b"", "given"),
    ],
)
def test_a_body_is_sent_byte_for_byte_and_names_the_model_where_it_can(
    tmp_path: Path, body: bytes, model: str
) -> None:
    file = tmp_path / "body"
    file.write_bytes(body)
    made = workload(model="given", body_file=file)
    assert made.body == body
    assert made.model == model


@pytest.mark.parametrize(
    ("header", "sent"),
    [
        ("X-Trace: a:b", ("X-Trace", "a:b")),
        ("X-Trace:a", ("X-Trace", "a")),
        ("X-Trace: \t a b ", ("X-Trace", "a b ")),
        ("X-Empty:", ("X-Empty", "")),
    ],
)
def test_a_header_is_split_at_its_first_colon(header: str, sent: tuple[str, str]) -> None:
    assert workload(headers=[header]).headers == (sent,)


def test_headers_keep_their_order_and_the_key_comes_last() -> None:
    made = workload(headers=["B: 1", "A: 2"], api_key=SECRET)
    assert made.headers == (("B", "1"), ("A", "2"), ("Authorization", f"Bearer {SECRET}"))


@pytest.mark.parametrize(
    ("header", "shown"),
    [
        (": value", ""),
        ("two words: x", "two words"),
        ("X: a\r\nY: b", "X"),
        ("X: a\nY: b", "X"),
        ("X: a\0", "X"),
        ("ジ: a", "ジ"),
        (f"My Key: {SECRET}", "My Key"),
    ],
)
def test_a_bad_header_is_refused_by_its_name_without_its_value(header: str, shown: str) -> None:
    problem = refusal(headers=[header])
    assert problem.startswith(f"--header: {shown!r}: ")
    assert SECRET not in problem


@pytest.mark.parametrize("header", [SECRET, f"X-Api-Key {SECRET}", f"X-Api-Key={SECRET}"])
def test_of_a_header_without_its_colon_nothing_is_shown(header: str) -> None:
    assert refusal(headers=[header]) == "--header: give it as 'Name: value'"


def test_a_key_that_no_header_may_hold_is_refused_without_showing_it() -> None:
    problem = refusal(api_key=f"{SECRET}\r\nX: y")
    assert "API key" in problem
    assert SECRET not in problem


@pytest.mark.parametrize(
    "target",
    ["", "localhost:8080", "ftp://x", "http://", "http://:80", "http://x:0", "http://x:99999", "http://[::1"],
)
def test_a_target_that_is_no_url_is_refused(target: str) -> None:
    assert refusal(target=target).startswith(f"--target: {target!r} is not a URL")


@pytest.mark.parametrize("target", ["http://x/llm", "http://x?a=b", "http://x#y", "http://x/v1?a"])
def test_a_target_with_another_path_or_a_query_is_refused(target: str) -> None:
    problem = refusal(target=target)
    assert problem.startswith(f"--target: {target!r} ")
    assert "--endpoint" in problem


@pytest.mark.parametrize("target", ["http://" + ".".join(["x" * 60] * 3), "http://x y", "http://x\x07"])
def test_a_target_that_is_too_long_or_not_printable_is_refused(target: str) -> None:
    assert refusal(target=target).startswith("--target: at most 128 ")


@pytest.mark.parametrize(
    ("target", "url"),
    [
        ("http://localhost:8080/", "http://localhost:8080/v1/chat/completions"),
        ("https://router", "https://router/v1/chat/completions"),
        ("http://[::1]:80", "http://[::1]:80/v1/chat/completions"),
    ],
)
def test_the_url_is_target_and_endpoint(target: str, url: str) -> None:
    assert workload(target=target).url == url


@pytest.mark.parametrize(
    ("target", "endpoint", "url"),
    [
        ("http://r/v1", "/v1/chat/completions", "http://r/v1/chat/completions"),
        ("http://r/v1/", "/chat/completions", "http://r/v1/chat/completions"),
        ("http://r/llm/v1", "/v1/chat/completions", "http://r/llm/v1/chat/completions"),
        ("http://r/llm/v1", "/completions?a=b", "http://r/llm/v1/completions?a=b"),
        ("http://r/llm/v1", "/llm/v1/completions", "http://r/llm/v1/completions"),
    ],
)
def test_a_target_may_be_the_base_url_of_an_openai_client(target: str, endpoint: str, url: str) -> None:
    known = workload(target=target, endpoint=endpoint)
    assert (known.target, known.url) == ("http://r", url)


@pytest.mark.parametrize(
    "target", ["http://user:secret@router:81", "http://secret@router", "http://user:s@secret@h/path"]
)
def test_a_target_with_a_password_is_refused_without_showing_it(target: str) -> None:
    problem = refusal(target=target)
    assert problem.startswith("--target: no user and password are taken from it")
    assert "secret" not in problem


@pytest.mark.parametrize("endpoint", ["", "v1", "/a b", "/ä", "/a\n", "/a\r\nX: y"])
def test_an_endpoint_that_is_no_path_is_refused(endpoint: str) -> None:
    assert refusal(endpoint=endpoint).startswith(f"--endpoint: {endpoint!r} ")


@pytest.mark.parametrize("model", ["", "m" * 129, "a\nb", "a\x7fb"])
def test_a_model_that_cannot_be_a_label_is_refused(model: str) -> None:
    assert refusal(model=model).startswith(f"--model: {model!r} must be 1 to 128 ")


def test_a_model_from_a_body_has_the_same_bounds(tmp_path: Path) -> None:
    file = tmp_path / "body"
    file.write_text(json.dumps({"model": "m" * 200}))
    assert refusal(body_file=file).startswith("--model: 'mmm")


def test_a_body_or_script_that_is_not_there_is_refused(tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    assert refusal(body_file=missing).startswith(f"--body: {missing} ")
    assert refusal(script=missing).startswith(f"--script: {missing} ")
    assert refusal(script=tmp_path).startswith(f"--script: {tmp_path} ")


def test_a_target_that_listens_is_reachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(30)
        check_reachable(workload(target=f"http://127.0.0.1:{listener.getsockname()[1]}"))
        connection, _ = listener.accept()
    with connection:
        assert connection.recv(1) == b""  # opened, closed, and nothing sent


def test_a_target_where_nothing_listens_is_named_with_what_to_do() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        target = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with pytest.raises(TargetUnreachableError) as error:
        check_reachable(workload(target=target))
    assert target in str(error.value)
    assert "--target" in str(error.value)


@pytest.mark.parametrize("host", ["a..b", "x" * 70])
def test_a_host_that_no_lookup_takes_is_refused(host: str) -> None:
    assert refusal(target=f"http://{host}").startswith(f"--target: 'http://{host}' is not a URL")


def test_a_password_in_a_bad_target_is_not_shown() -> None:
    assert "secret" not in refusal(target="http://user:secret@h/path")
