"""exporter.load.stream.refusals: whose an answer other than 2xx is."""

import json

import pytest

from exporter.load.stream.refusals import RefusedBy, refused_by

ROUTER, UPSTREAM = RefusedBy.ROUTER, RefusedBy.UPSTREAM


def error(message: str = "no", **more: object) -> bytes:
    return json.dumps({"error": {"message": message, **more}}).encode()


@pytest.mark.parametrize(
    ("status", "headers", "body", "by"),
    [
        pytest.param(429, {b"openai-organization": b"org"}, error(), UPSTREAM, id="OpenAI's header"),
        pytest.param(429, {b"x-ratelimit-remaining-tokens": b"0"}, b"", UPSTREAM, id="a provider's limits"),
        pytest.param(529, {b"anthropic-organization-id": b"a"}, b"", UPSTREAM, id="Anthropic's header"),
        pytest.param(429, {}, error(type="tokens", code="rate_limit_exceeded"), UPSTREAM, id="OpenAI's type"),
        pytest.param(
            529,
            {},
            b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}',
            UPSTREAM,
            id="Anthropic's form",
        ),
        pytest.param(429, {}, error(code=429, status="RESOURCE_EXHAUSTED"), UPSTREAM, id="Google's form"),
        pytest.param(
            401,
            {},
            error("Incorrect API key. You can find it at https://platform.openai.com/account", type="x"),
            UPSTREAM,
            id="OpenAI's words",
        ),
        pytest.param(401, {}, error("OPENAI_API_KEY is not set"), ROUTER, id="a cloud's key is missing"),
        pytest.param(401, {}, error(code="missing_cloud_key"), ROUTER, id="the same by its code"),
        pytest.param(400, {}, error(code="unknown_prefix"), ROUTER, id="an unknown prefix"),
        pytest.param(503, {}, error("no node is online"), ROUTER, id="no node"),
        pytest.param(503, {}, b"No available endpoints", ROUTER, id="no endpoint"),
        pytest.param(
            401, {b"content-type": b"text/plain; charset=utf-8"}, b"unauthorized", ROUTER, id="a plain 401"
        ),
        pytest.param(503, {b"x-router-reason": b"queue"}, b"", ROUTER, id="the router's header"),
        pytest.param(500, {b"content-type": b"text/plain"}, b"oops", None, id="a plain 500"),
        pytest.param(
            401, {}, error("wrong key", type="authentication_error"), None, id="OpenAI's form alone"
        ),
        pytest.param(502, {b"server": b"nginx"}, b"<html>Bad Gateway</html>", None, id="a proxy's page"),
        pytest.param(429, {}, b"", None, id="nothing"),
        pytest.param(429, {}, b"[" * 4096, None, id="no JSON"),
        pytest.param(429, {}, b'{"error": [1]}', None, id="an odd error"),
        pytest.param(429, {}, error(code=["a"], type={"b": 1}, status=3), None, id="odd values"),
        pytest.param(429, {}, b"\xff\xfe", None, id="no text"),
    ],
)
def test_an_answer_is_whose_its_head_and_body_say(
    status: int, headers: dict[bytes, bytes], body: bytes, by: RefusedBy | None
) -> None:
    assert refused_by(status, headers, body) is by
