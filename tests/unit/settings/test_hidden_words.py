"""Whatever tool a command line is of: no secret of it is shown, and what is none stays."""

import shlex

import pytest

from exporter.settings.hidden_words import hidden_words

KEY = "sk-abcdefgh12345678"


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        (f"aiperf profile --api-key {KEY} -m m", "aiperf profile --api-key ${SECRET_API_KEY} -m m"),
        ("tool --api-key=plainword1 x", "tool --api-key=${SECRET_API_KEY} x"),
        (
            "env OPENAI_API_KEY=plainword1 k6 run a.js",
            "env OPENAI_API_KEY=${SECRET_OPENAI_API_KEY} k6 run a.js",
        ),
        ("k6 run -e TOKEN=plainword1 a.js", "k6 run -e TOKEN=${SECRET_TOKEN} a.js"),
        ("curl -H 'Authorization: Bearer plainword1'", "curl -H 'Authorization: ${SECRET_AUTHORIZATION}'"),
        ("curl -H 'X-Tenant: plainword1'", "curl -H 'X-Tenant: ${SECRET_X_TENANT}'"),
        ("curl -u me:plainword1 http://a/", "curl -u me:${SECRET_PASSWORD} http://a/"),
        ("locust -u 10 -H http://a:8080", "locust -u 10 -H http://a:8080"),
        ("hey http://me:plainword1@a/", "hey http://${SECRET_USER}@a/"),
        ("hey 'http://a/?key=plainword1&n=1'", "hey 'http://a/?key=${SECRET_KEY}&n=1'"),
        (
            """guidellm --backend-kwargs '{"api_key": "plainword1", "model": "m"}'""",
            """guidellm --backend-kwargs '{"api_key": "${SECRET_API_KEY}", "model": "m"}'""",
        ),
        (
            "sh -c 'curl -H \"Authorization: Bearer plainword1\" http://a/'",
            "sh -c 'curl -H \"Authorization: ${SECRET_AUTHORIZATION}\" http://a/'",
        ),
        (f"tool {KEY}", "tool ${SECRET_WORD}"),
        (f"sh -c 'curl {KEY} http://a/'", "sh -c 'curl ${SECRET_WORD} http://a/'"),
        (
            "sh -c 'login plainword1; load' --api-key plainword1",
            "sh -c 'login ***; load' --api-key ${SECRET_API_KEY}",
        ),
    ],
)
def test_a_secret_is_a_variable_and_is_hidden_in_what_the_program_prints(command: str, shown: str) -> None:
    hidden = hidden_words(shlex.split(command))
    assert list(hidden.words) == shlex.split(shown)
    for secret in ("plainword1", KEY):
        if secret in command:
            assert hidden.hide(f"key {secret}!".encode()) == b"key ***!"


@pytest.mark.parametrize(
    "command",
    [
        "k6 run --vus 10 --duration 5m load.js",
        "aiperf profile --tokenizer tok/mini --output-tokens-mean 64 --url http://127.0.0.1:8080",
        "guidellm benchmark --target http://a:8080 --data 'prompt_tokens=256,output_tokens=128'",
        "vllm bench serve --base-url http://127.0.0.1:8080 --max-tokens 5 --num-prompts 100",
        "locust -f locustfile.py --headless -u 10 -r 2 -t 5m",
        "tool --api-key-file /run/key --token-env NAME",
        "sh -c 'python risk-of-something.py --pk-column-name id'",
    ],
)
def test_what_is_no_secret_is_shown_as_it_is(command: str) -> None:
    words = shlex.split(command)
    assert list(hidden_words(words).words) == words
    assert hidden_words(words).secrets == ()


def test_a_long_word_takes_no_long_time() -> None:
    words = ("tool", "a" * 200_000, "--data", '{"x": "' + "b " * 100_000 + '"}', "-" * 100_000, ":" * 100_000)
    assert len(hidden_words(words).words) == 6
