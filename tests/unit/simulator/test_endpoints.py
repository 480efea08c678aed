"""The simulated router's endpoints: completions, embeddings and models, and what each refuses."""

import pytest

from tests.support.simulated_router import CHAT, Simulator


def test_a_chat_completion_has_the_shape_of_openai_and_counts_its_tokens(simulator: Simulator) -> None:
    answer = simulator.post(CHAT)
    document = answer.json()
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert document["object"] == "chat.completion"
    assert document["model"] == "gpt-oss:20b"
    assert document["choices"][0]["message"] == {"role": "assistant", "content": "the router sends each"}
    assert document["choices"][0]["finish_reason"] == "length"
    assert document["usage"] == {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
    assert simulator.post(CHAT).json()["id"] != document["id"]


def test_an_answer_that_max_tokens_does_not_cut_stops_by_itself(simulator: Simulator) -> None:
    document = simulator.post({**CHAT, "max_tokens": 1000}).json()
    assert document["usage"]["completion_tokens"] == 32
    assert document["choices"][0]["finish_reason"] == "stop"


def test_a_text_completion_has_text(simulator: Simulator) -> None:
    body = {"model": "gpt-oss:20b", "prompt": "one two", "max_tokens": 2}
    document = simulator.post(body, "/v1/completions").json()
    assert document["object"] == "text_completion"
    assert document["choices"][0]["text"] == "the router"
    assert document["usage"]["prompt_tokens"] == 2


def test_embeddings_answer_each_input(simulator: Simulator) -> None:
    body = {"model": "nomic-embed-text", "input": ["one two", "three"]}
    document = simulator.post(body, "/v1/embeddings").json()
    assert [one["index"] for one in document["data"]] == [0, 1]
    assert [len(one["embedding"]) for one in document["data"]] == [16, 16]
    assert document["data"][0]["embedding"] != document["data"][1]["embedding"]
    assert document["usage"] == {"prompt_tokens": 3, "total_tokens": 3}


@pytest.mark.parametrize(
    ("path", "body", "about"),
    [
        ("/v1/chat/completions", b"{", "valid JSON: "),
        ("/v1/chat/completions", b"\xff", "valid JSON: "),
        ("/v1/chat/completions", b"[]", "JSON object"),
        ("/v1/chat/completions", b'{"messages":[]}', "model: "),
        ("/v1/chat/completions", b'{"model":"m","messages":[]}', "messages: "),
        ("/v1/completions", b'{"model":"m"}', "prompt: "),
        ("/v1/embeddings", b'{"model":"m","input":""}', "input: "),
        ("/v1/completions", b'{"model":"m","prompt":"x","stream":1}', "stream: "),
        ("/v1/completions", b'{"model":"m","prompt":"x","max_tokens":0}', "max_tokens: "),
    ],
)
def test_a_bad_body_is_refused_with_an_openai_error(
    shared: Simulator, path: str, body: bytes, about: str
) -> None:
    answer = shared.session.post(shared.url + path, data=body, timeout=10)
    error = answer.json()["error"]
    assert answer.status_code == 400
    assert error["type"] == "invalid_request_error"
    assert about in error["message"]


def test_models_are_listed_and_head_has_the_same_head_without_body(simulator: Simulator) -> None:
    answer = simulator.get("/v1/models")
    assert [model["id"] for model in answer.json()["data"]] == [
        "gpt-oss:20b",
        "gpt-oss:120b",
        "nomic-embed-text",
        "hold",
    ]
    head = simulator.raw(b"HEAD /v1/models HTTP/1.1\r\nConnection: close\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert f"Content-Length: {len(answer.content)}\r\n".encode() in head
    assert head.endswith(b"\r\n\r\n")


@pytest.mark.parametrize("path", ["/", "/v1/nothing", "/admin/nothing", "/admin/faults/nothing"])
def test_an_unknown_path_is_not_found(shared: Simulator, path: str) -> None:
    answer = shared.get(path)
    assert answer.status_code == 404
    assert answer.json()["error"]["type"] == "not_found_error"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/v1/chat/completions", "POST"),
        ("POST", "/v1/models", "GET, HEAD"),
        ("DELETE", "/api/nodes", "GET, HEAD"),
        ("PUT", "/admin/truth", "GET, HEAD"),
        ("PUT", "/admin/faults", "GET, HEAD, DELETE"),
        ("POST", "/admin/faults/hang", "GET, HEAD, PUT, DELETE"),
    ],
)
def test_a_wrong_method_is_not_allowed(shared: Simulator, method: str, path: str, allowed: str) -> None:
    answer = shared.session.request(method, shared.url + path, timeout=10)
    assert answer.status_code == 405
    assert answer.headers["Allow"] == allowed


def test_a_query_and_an_absolute_target_reach_the_same_endpoint(simulator: Simulator) -> None:
    assert simulator.post(CHAT, "/v1/chat/completions?api-version=1").status_code == 200
    absolute = f"GET {simulator.url}/api/nodes HTTP/1.1\r\nConnection: close\r\n\r\n"
    assert simulator.raw(absolute.encode()).startswith(b"HTTP/1.1 200 OK")
