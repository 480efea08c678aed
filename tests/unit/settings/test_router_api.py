"""exporter.settings.router_api: which URLs can be asked, and where the API lies below them."""

import pytest
from pydantic import ValidationError

from exporter.settings.router_api import RouterApi, api_prefix
from exporter.settings.strict_yaml import first_problem


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("http://user:secret@127.0.0.1", "no user and password"),
        ("http://secret@127.0.0.1", "no user and password"),
        ("https://user:secret@router/v1", "no user and password"),
        ("ftp://user:secret@router", "no user and password"),
        ("http://user:secret@router/?a=b", "no user and password"),
        ("http://127.0.0.1:99999", "not the http(s) URL"),
        ("http://127.0.0.1:0", "not the http(s) URL"),
        ("http://ru\u0308ter", "not the http(s) URL"),
        ("http://[::1", "not the http(s) URL"),
        ("http://:80", "not the http(s) URL"),
        (f"http://{'a' * 64}.example", "not the http(s) URL"),
        ("http://router/a path", "not the http(s) URL"),
        ("http://router/?a=b", "not the http(s) URL"),
        ("http://router\n", "not the http(s) URL"),
        ("user:secret@router:8080", "not the http(s) URL"),
        ("http://user:sec/ret@router", "not the http(s) URL"),
        ("", "not the http(s) URL"),
    ],
)
def test_a_url_that_cannot_be_asked_is_refused_without_showing_a_password(url: str, problem: str) -> None:
    with pytest.raises(ValidationError) as refused:
        RouterApi(url=url)
    message = first_problem(refused.value)
    assert message.startswith(f"url: {problem}")
    assert "sec" not in message


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("http://router:8080", "http://router:8080"),
        ("HTTP://router:8080/", "http://router:8080"),
        ("http://router:8080/v1", "http://router:8080"),
        ("https://router/v1/", "https://router"),
        ("https://router/llm/v1", "https://router/llm"),
        ("https://router/llm/", "https://router/llm"),
        ("http://router/v12", "http://router/v12"),
        ("http://[::1]:9000/v1", "http://[::1]:9000"),
    ],
)
def test_the_version_at_the_end_of_a_url_is_understood(url: str, base: str) -> None:
    assert RouterApi(url=url).url == base


@pytest.mark.parametrize(
    ("endpoint", "prefix"),
    [
        ("/v1/chat/completions", ""),
        ("/llm/v1/chat/completions", "/llm"),
        ("/a/v1/b/v1/completions", "/a/v1/b"),
        ("/openai/deployments/x/chat/completions?api-version=/v1/2", ""),
        ("/v1beta/openai/chat/completions", ""),
        ("/", ""),
    ],
)
def test_the_prefix_of_an_endpoint_is_what_lies_before_the_version(endpoint: str, prefix: str) -> None:
    assert api_prefix(endpoint) == prefix
