"""exporter.settings.placeholders: what is shown can be typed again, and no secret is in it."""

import shlex
import subprocess

import pytest

from exporter.settings.placeholders import redacted, shell_word, shown_command, shown_header, shown_url

ODD = [
    "plain",
    "a b",
    "it's",
    '"q"',
    "$HOME `id` \\",
    "*?[a]",
    "日本",
    "two\nlines",
    "\x1b[31m",
    "-",
    "",
    "~",
    "!x",
]


def said_by_bash(word: str, **environment: str) -> str:
    """What bash makes of a word."""
    command = ["bash", "-c", f"printf %s {word}"]
    return subprocess.run(command, env=environment, capture_output=True, check=True).stdout.decode()


@pytest.mark.parametrize("text", ODD)
def test_a_word_is_the_text_again_for_a_shell_and_stands_on_one_line(text: str) -> None:
    assert said_by_bash(shell_word(text)) == text
    assert shell_word(text).isprintable()


@pytest.mark.parametrize(
    "header",
    [
        "Authorization: Bearer hunter2",
        "proxy-authorization: hunter2",
        "Cookie: a=hunter2",
        "X-API-Key: hunter2",
        "api_key: hunter2",
        "X-Goog-Api-Key: hunter2",
        "Ocp-Apim-Subscription-Key: hunter2",
        "X-Session-Id: hunter2",
        "X-Amz-Security-Token: hunter2",
        "X-Custom: Bearer hunter2",
        "X-Custom: sk-hunter2",
        "X-Custom: hunter20123456789abcdefghij",
        "key: hunter2",
        "X-Tenant: hunter2",
        "Accept: it's $HOME hunter2",
    ],
)
def test_the_value_of_a_header_is_a_variable(header: str) -> None:
    word = shown_header(header).word
    assert "hunter2" not in word
    name = header.partition(":")[0]
    variable = word.partition("${")[2].partition("}")[0]
    assert variable.startswith("SECRET_")
    assert said_by_bash(word, **{variable: "x"}) == f"{name}: x"


@pytest.mark.parametrize("header", ["hunter2", "X Key hunter2", ": hunter2"])
def test_of_what_is_no_header_nothing_is_shown(header: str) -> None:
    assert shown_header(header).word == '"${SECRET_HEADER}"'


def test_a_header_without_a_value_hides_nothing() -> None:
    assert shown_header("Authorization: ").plain == "Authorization: "


@pytest.mark.parametrize(
    ("url", "word"),
    [
        ("http://u:hunter2@h:80/x", '"http://${SECRET_USER}@h:80/x"'),
        ("/v1/chat?key=hunter2&n=1", '"/v1/chat?key=${SECRET_KEY}&n=1"'),
        ("/v1?n=1&api-key=hunter2", '"/v1?n=1&api-key=${SECRET_API_KEY}"'),
        ("http://h/?a=$x&token=hunter2", '"http://h/?a=\\$x&token=${SECRET_TOKEN}"'),
        ("/v1/chat?api-version=2024-02-01", "'/v1/chat?api-version=2024-02-01'"),
        ("http://h:8080", "http://h:8080"),
        ("me@example.org", "me@example.org"),
    ],
)
def test_a_url_shows_neither_password_nor_key(url: str, word: str) -> None:
    assert shown_url(url).word == word


def test_a_command_line_is_the_same_words_again() -> None:
    command = ["hey", "-n", "1", "-D", "/tmp/x y", "http://h/?a=1&b=2"]
    assert shlex.split(" ".join(each.word for each in shown_command(command))) == command
    assert [each.plain for each in shown_command(command)] == command


def test_a_command_line_shows_no_secret() -> None:
    command = ["hey", "http://u:hunter2@h/?n=1&key=hunter2#x"]
    assert [each.plain for each in shown_command(command)] == [
        "hey",
        "http://${SECRET_USER}@h/?n=1&key=${SECRET_KEY}#x",
    ]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("--exporter: 'http://me:hunter2@h:1' is wrong", "--exporter: 'http://${SECRET_USER}@h:1' is wrong"),
        ("http://me:a/hunter2@h/x", "http://${SECRET_USER}@h/x"),
        ("me:hunter2@h:9877 is none", "${SECRET_USER}@h:9877 is none"),
        ("'http://h?key=hunter2' is none", "'http://h?key=${SECRET_KEY}' is none"),
        ("(http://h?key=hun:ter2, or so)", "(http://h?key=${SECRET_KEY}, or so)"),
        ("no file sk-hunter2-hunter2 here", "no file … here"),
        ("http://h:8080/v1/@cf/meta/llama", "http://h:8080/v1/@cf/meta/llama"),
        ("write to me@example.org: soon", "write to me@example.org: soon"),
        ("a/sk-1/b: 12:30, x=1&y=2", "a/sk-1/b: 12:30, x=1&y=2"),
    ],
)
def test_any_text_is_shown_without_its_secrets(text: str, shown: str) -> None:
    assert redacted(text) == shown
    assert "hunter2" not in shown
