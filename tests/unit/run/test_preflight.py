"""exporter.run.preflight: one request shows that a load would be lost, and everything else is only said."""

import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trustme

from exporter.clock import SystemClock
from exporter.errors import PreflightError, TargetUnreachableError
from exporter.live.message import Pair, Route
from exporter.load.stream.apis import Api
from exporter.load.stream.shape import Asked as StreamAsked
from exporter.load.stream.shape import StreamShape
from exporter.load.workload import make_workload
from exporter.results.run_result import Preflight
from exporter.run import preflight as module
from exporter.run.interrupt import Interrupt
from exporter.run.preflight import preflight
from exporter.settings.server_trust import ServerTrust
from tests.support.local_http import Answer, Asked, LocalHttp

ENDPOINT = "/v1/chat/completions"
MODEL = "gpt-oss:20b"
COMPLETION = {"choices": [{"message": {"content": "pong"}}]}
SECRET = "sk-hunter2hunter2"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def ask(target: str, trust: ServerTrust | None = None, engine: str = "wrk", **changes: Any) -> Preflight:
    """What one request finds; what is said is in it too."""
    given: dict[str, Any] = {"target": target, "endpoint": ENDPOINT, "model": MODEL, "api_key": SECRET}
    said: list[str] = []
    workload = make_workload(**{**given, **changes})
    seen = preflight(workload, engine, trust or ServerTrust(), said.append, Interrupt(), SystemClock())
    assert said == [f"before the load: {text}" for text in seen.said]
    assert_plain(*seen.said)
    return seen


def refusal(target: str, **changes: Any) -> str:
    """The one line of the error in which the request ends."""
    with pytest.raises(PreflightError) as error:
        ask(target, **changes)
    assert_plain(str(error.value))
    return str(error.value)


def assert_plain(*texts: str) -> None:
    for text in texts:
        assert text.isprintable()
        assert SECRET not in text
        assert len(text) < 600


def answering(answer: Answer) -> Callable[[Asked], Answer]:
    """The endpoint answers so; the list of models has the model."""
    models: Answer = (200, {"data": [{"id": MODEL}]})
    return lambda asked: answer if asked.path == ENDPOINT else models


def test_the_request_is_that_of_the_load_and_then_the_list_of_models_is_asked() -> None:
    with LocalHttp(answering((200, COMPLETION))) as server:
        seen = ask(server.url, headers=("X-Tenant: a",))
        asked = [(each.method, each.path) for each in server.asked]
        assert asked == [("POST", ENDPOINT), ("GET", "/v1/models")]
        sent = server.asked[0]
        assert sent.body == make_workload(server.url, ENDPOINT, MODEL).body
        names = ("Content-Type", "X-Tenant", "Authorization", "Content-Length")
        assert [sent.headers[name] for name in names] == [
            "application/json",
            "a",
            f"Bearer {SECRET}",
            str(len(sent.body)),
        ]
    assert (seen.request, seen.status, seen.said) == (f"POST {ENDPOINT}", 200, ())


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 413, 422])
def test_a_status_that_the_whole_load_would_get_is_refused(status: int) -> None:
    with LocalHttp(answering((status, {"error": {"message": "not like this"}}))) as server:
        line = refusal(server.url)
    assert line.startswith(f"{server.url}: POST {ENDPOINT} answers {status} (not like this)")
    assert line.endswith("--no-preflight sends the load all the same")


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_a_status_that_may_pass_is_said(status: int) -> None:
    with LocalHttp(answering((status, "busy"))) as server:
        seen = ask(server.url)
    assert (seen.status, seen.said) == (status, (f"POST {ENDPOINT} answers {status} (busy)",))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_refused_and_names_its_place(status: int) -> None:
    with LocalHttp(answering((status, "", {"Location": "https://there/\x1b[31m"}))) as server:
        line = refusal(server.url)
    assert f"answers {status}, a redirect to https://there/ [31m, " in line


@pytest.mark.parametrize(
    ("content_type", "body", "is_page"),
    [
        ("text/html; charset=utf-8", "<p>Welcome", True),
        ("text/plain", "\n<!DOCTYPE html><html>", True),
        ("application/json", "<html>", True),
        ("text/html", '{"choices": []}', False),
        ("text/event-stream", 'data: {"choices": []}\n\ndata: [DONE]\n\n', False),
        ("text/plain", "pong", False),
    ],
)
def test_a_web_page_is_no_completion(content_type: str, body: str, is_page: bool) -> None:
    with LocalHttp(answering((200, body, {"Content-Type": content_type}))) as server:
        if is_page:
            assert ", a web page (HTML) and no completion; " in refusal(server.url)
        else:
            assert ask(server.url).said == ()


def test_of_a_page_its_title_is_shown() -> None:
    page = "<html><head><title>Welcome to\nnginx!</title></head>" + "x" * 5000
    with LocalHttp(answering((403, page, {"Content-Type": "text/html"}))) as server:
        assert "answers 403 (Welcome to nginx!): " in refusal(server.url)


def test_an_error_inside_a_200_is_said() -> None:
    with LocalHttp(answering((200, {"error": {"message": "no\nnode"}}))) as server:
        assert ask(server.url).said == (f"POST {ENDPOINT} answers 200, and in it an error (no node)",)


def test_what_another_says_is_bounded_stripped_and_without_the_key() -> None:
    text = f"wrong key {SECRET} \x1b]0;title\x07" + "x" * 5000
    with LocalHttp(answering((401, {"error": {"message": text}}))) as server:
        line = refusal(server.url)
    assert "wrong key … ]0;title xxx" in line
    assert "xxx…)" in line


@pytest.mark.parametrize(
    ("model", "models", "said"),
    [
        (MODEL, [MODEL, "b"], False),
        (MODEL, ["a", "b"], True),
        (MODEL, [], False),
        ("llama3", ["llama3:latest"], False),
        ("openai/gpt-4o", ["openai/*"], False),
        ("llama3", ["openai/*"], True),
        ("a[1]", ["a[1]"], False),
        ("openai:gpt-4o", ["a"], False),
        ("openai:gpt-4o", ["gpt-4o"], False),
        ("openai:gpt-4o", ["openai:o3"], True),
    ],
)
def test_a_model_that_is_not_in_the_list_is_said(model: str, models: list[str], said: bool) -> None:
    with LocalHttp() as server:
        server.give(ENDPOINT, COMPLETION)
        server.give("/v1/models", {"data": [{"id": each} for each in models]})
        found = ask(server.url, model=model).said
    listed = ", ".join(models)
    assert found == ((f"/v1/models does not list the model {model!r}; it lists {listed}",) if said else ())


def test_a_refused_model_is_told_what_the_router_has() -> None:
    with LocalHttp() as server:
        server.give("/v1/models", {"data": [{"id": f"m{number}"} for number in range(9)]})
        line = refusal(server.url, model="nope")
    assert "; /v1/models does not list the model 'nope'; it lists m0, m1, m2, m3, m4 and 4 more; " in line


@pytest.mark.parametrize(
    "models", [b"HTTP/1.1 200 OK\r\n\r\n[[[", b"", (404, ""), (200, []), (200, {"data": [1, {"id": 2}]})]
)
def test_a_list_of_models_that_says_nothing_is_passed_over(models: Answer) -> None:
    with LocalHttp(lambda asked: (200, COMPLETION) if asked.path == ENDPOINT else models) as server:
        assert ask(server.url).said == ()


def test_the_list_of_models_is_behind_the_same_prefix() -> None:
    with LocalHttp(lambda _: (200, COMPLETION)) as server:
        ask(server.url, endpoint="/llm/v1/chat/completions")
        assert [each.path for each in server.asked] == ["/llm/v1/chat/completions", "/llm/v1/models"]


@pytest.mark.parametrize(("status", "said"), [(200, 0), (401, 0), (404, 0), (503, 1)])
def test_with_a_script_the_target_alone_is_asked(tmp_path: Path, status: int, said: int) -> None:
    (tmp_path / "my.lua").write_text("", encoding="utf-8")
    with LocalHttp(lambda _: (status, "")) as server:
        seen = ask(server.url, script=tmp_path / "my.lua")
        assert [(each.method, each.path) for each in server.asked] == [("GET", "/v1/models")]
    assert (seen.request, seen.status, len(seen.said)) == ("GET /v1/models", status, said)


def test_a_key_behind_a_question_mark_is_not_shown() -> None:
    with LocalHttp(lambda _: (401, "")) as server:
        line = refusal(server.url, endpoint=f"/v1/chat?key={SECRET}")
    assert line.startswith(f"{server.url}: POST /v1/chat answers 401: ")


def test_where_nothing_listens_the_target_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        target = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with pytest.raises(TargetUnreachableError) as error:
        ask(target)
    assert f"nothing answers at {target} (Connection refused)" in str(error.value)


@pytest.mark.parametrize(
    "banner", [b"SSH-2.0-OpenSSH_9.7\r\n", b"-ERR unknown command\r\n", b"\x00\xff\x1b["]
)
def test_what_speaks_no_http_is_refused(banner: bytes) -> None:
    with LocalHttp(lambda _: banner) as server:
        assert f"what answers at {server.url} is not HTTP (" in refusal(server.url)


def test_a_connection_that_ends_without_an_answer_is_said() -> None:
    with LocalHttp(answering(b"")) as server:
        (said,) = ask(server.url).said
    assert said.startswith(f"POST {ENDPOINT}: the connection ended without an answer (")


def _drip(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        connection.sendall(b"X: y\r\n")


def _endless(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
    while True:
        connection.sendall(b"data: {}\n\n" * 1000)


def _silent(connection: socket.socket) -> None:
    connection.recv(1)
    raise OSError


def test_no_answer_in_time_is_said_and_the_connection_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ANSWER_SECONDS", 0.3)
    with LocalHttp(answering(_silent)) as server:
        assert ask(server.url).said == (f"POST {ENDPOINT} has no answer within 0 s",)
        assert server.left.wait(10)


def test_a_head_without_an_end_is_no_answer() -> None:
    with LocalHttp(answering(_drip)) as server:
        assert f"what answers at {server.url} is not HTTP (got more than 100 headers" in refusal(server.url)


def test_a_stream_without_an_end_is_bounded_and_its_status_counts() -> None:
    with LocalHttp(answering(_endless)) as server:
        assert ask(server.url).status == 200
        assert server.left.wait(10)


def test_a_request_to_end_is_heard_while_the_answer_is_waited_for() -> None:
    interrupt = Interrupt()

    def behave(_asked: Asked) -> Answer:
        interrupt._event.set()
        return _silent

    with LocalHttp(behave) as server, pytest.raises(KeyboardInterrupt):
        workload = make_workload(server.url, ENDPOINT, MODEL)
        preflight(workload, "wrk", ServerTrust(), print, interrupt, SystemClock())


def tls_server(answer: Answer, authority: trustme.CA) -> LocalHttp:
    server = LocalHttp(answering(answer))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    server.use_tls(context)
    return server


def trusting(authority: trustme.CA, folder: Path) -> ServerTrust:
    file = folder / "ca.pem"
    authority.cert_pem.write_to_path(file)
    return ServerTrust(ca_file=file)


def test_an_untrusted_certificate_is_said_and_the_request_goes_on(authority: trustme.CA) -> None:
    with tls_server((200, COMPLETION), authority) as server:
        seen = ask(server.url)
    assert seen.status == 200
    (said,) = seen.said
    assert said.startswith(f"the certificate of {server.url} is not trusted (")
    assert "wrk verifies none, so the load goes on" in said


def test_with_insecure_nothing_is_said_of_a_certificate(authority: trustme.CA) -> None:
    with tls_server((200, COMPLETION), authority) as server:
        assert ask(server.url, trust=ServerTrust(insecure_skip_verify=True)).said == ()


def test_a_certificate_is_verified_by_the_authority_that_is_given(
    authority: trustme.CA, tmp_path: Path
) -> None:
    with tls_server((200, COMPLETION), authority) as server:
        assert ask(server.url, trust=trusting(authority, tmp_path)).said == ()
        assert "is not trusted by --cacert (" in refusal(server.url, trust=trusting(trustme.CA(), tmp_path))


def test_tls_to_a_plain_port_is_refused_with_the_url_that_is_right() -> None:
    with LocalHttp(answering((200, COMPLETION))) as server:
        wrong = server.url.replace("http:", "https:")
        assert refusal(wrong) == (
            f"{wrong} speaks no TLS on this port, but plain HTTP; give --target {server.url}"
        )


def test_plain_http_to_a_port_of_tls_is_refused_with_the_url_that_is_right(authority: trustme.CA) -> None:
    with tls_server((200, COMPLETION), authority) as server:
        wrong = server.url.replace("https:", "http:")
        assert refusal(wrong) == f"{wrong} speaks TLS on this port; give --target {server.url}"


STREAM = "text/event-stream"
TOKEN = 'data: {"choices":[{"index":0,"delta":{"content":"a"}}]}\n\n'
FINISH = 'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
DONE = "data: [DONE]\n\n"
ERROR = 'data: {"error":{"message":"upstream is gone"}}\n\n'


def stream_shape(*models: str, complete_on_done: bool = False, choices: int = 1) -> StreamShape:
    pairs = tuple(Pair(Route.LOCAL, model) for model in models or (MODEL,))
    asked = StreamAsked(0, ENDPOINT, b"{}", 1.0, Api.CHAT, True, choices)
    return StreamShape((asked,), pairs, complete_on_done=complete_on_done)


def seen_of_stream(body: str, content_type: str = STREAM, **shape: Any) -> tuple[str, ...]:
    with LocalHttp(answering((200, body, {"Content-Type": content_type}))) as server:
        workload = make_workload(server.url, ENDPOINT, MODEL)
        trust, said = ServerTrust(), [""]
        given = (workload, "stream", trust, said.append, Interrupt(), SystemClock(), stream_shape(**shape))
        return preflight(*given).said


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (TOKEN + FINISH + DONE, ""),
        (TOKEN + FINISH, ""),
        (TOKEN * 40_000 + FINISH, ""),
        (TOKEN + DONE, "a stream that ends with [DONE] and no finish reason"),
        (TOKEN, "a stream that ends without its finish"),
        (FINISH + DONE, "a stream without a token"),
        (
            TOKEN + ERROR + FINISH + DONE,
            'a stream with an error in it ({"error":{"message":"upstream is gone',
        ),
    ],
)
def test_what_is_odd_in_the_first_stream_is_said(body: str, said: str) -> None:
    seen = seen_of_stream(body)
    assert len(seen) == (1 if said else 0)
    assert all(each.startswith(f"POST {ENDPOINT} answers 200, {said}") for each in seen)


def test_done_alone_is_a_finish_where_that_is_said() -> None:
    assert "--complete-on done" in seen_of_stream(TOKEN + DONE)[0]
    assert seen_of_stream(TOKEN + DONE, complete_on_done=True) == ()


def test_every_answer_that_is_asked_for_has_a_finish() -> None:
    [said] = seen_of_stream(TOKEN + FINISH + DONE, choices=2)
    assert "no finish reason" in said


def test_an_answer_that_is_no_stream_is_said() -> None:
    assert seen_of_stream('{"choices": []}', "application/json; charset=utf-8") == (
        f"POST {ENDPOINT} answers 200, no stream (application/json), though the body asks for one",
    )


def test_every_model_of_a_mix_is_looked_for_in_the_list() -> None:
    with LocalHttp(answering((200, TOKEN + FINISH, {"Content-Type": STREAM}))) as server:
        workload = make_workload(server.url, ENDPOINT, MODEL)
        shape = stream_shape(MODEL, "missing", "gone")
        ignored: list[str] = []
        seen = preflight(workload, "stream", ServerTrust(), ignored.append, Interrupt(), SystemClock(), shape)
        assert [each.method for each in server.asked] == ["POST", "GET"]
    assert [each.partition(";")[0] for each in seen.said] == [
        "/v1/models does not list the model 'missing'",
        "/v1/models does not list the model 'gone'",
    ]


def seen_with_node(router: str, node: str) -> Preflight:
    workload = make_workload(router, ENDPOINT, MODEL, headers=("X-Tenant: a",), api_key=SECRET)
    asked = StreamAsked(0, ENDPOINT, b"{}", 1.0, Api.CHAT, True, 1, direct_endpoint="/v1/node")
    shape = StreamShape((asked,), (Pair(Route.LOCAL, MODEL),), direct=node)
    said: list[str] = []
    return preflight(workload, "stream", ServerTrust(), said.append, Interrupt(), SystemClock(), shape)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((200, TOKEN + FINISH, {"Content-Type": STREAM}), ""),
        (
            (404, {"error": {"message": "no such model"}}),
            "answers 404 (no such model); there will be no pairs",
        ),
        ((200, TOKEN, {"Content-Type": STREAM}), "answers 200, a stream that ends without its finish"),
    ],
)
def test_the_node_past_the_router_is_asked_too_and_gets_no_key(answer: Answer, said: str) -> None:
    whole: Answer = (200, TOKEN + FINISH, {"Content-Type": STREAM})
    with LocalHttp(answering(whole)) as router, LocalHttp(lambda _asked: answer) as node:
        seen = seen_with_node(router.url, node.url)
        [request] = node.asked
    assert seen.said == ((f"--direct: POST /v1/node at {node.url} {said}",) if said else ())
    assert (request.path, request.headers["X-Tenant"]) == ("/v1/node", "a")
    assert request.headers["Authorization"] is None


def test_a_node_that_is_not_there_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
    with LocalHttp(answering((200, TOKEN + FINISH, {"Content-Type": STREAM}))) as router:
        [said] = seen_with_node(router.url, url).said
    assert said.startswith(f"--direct: POST /v1/node at {url} has no answer (")
    assert said.endswith("; there will be no pairs")
