"""A mix of requests from JSON lines: what is sent, and which line is wrong."""

import json
from pathlib import Path
from typing import Any

import pytest

from exporter.errors import ConfigurationError
from exporter.live.message import Pair, Route
from exporter.load.stream import prompts
from exporter.load.stream.apis import Api
from exporter.load.stream.prompts import Asking, Mix, read_prompts

CHAT = "/v1/chat/completions"


def asking(**changes: Any) -> Asking:
    given = {"target": "http://h", "direct": None, "endpoint": CHAT, "model": "m"}
    return Asking(**{**given, **changes})


def read(folder: Path, *lines: str | bytes, **changes: Any) -> Mix:
    file = folder / "prompts.jsonl"
    file.write_bytes(b"\n".join(line if isinstance(line, bytes) else line.encode() for line in lines))
    return read_prompts(file, asking(**changes))


def refusal(folder: Path, *lines: str | bytes, **changes: Any) -> str:
    with pytest.raises(ConfigurationError) as error:
        read(folder, *lines, **changes)
    assert "\n" not in str(error.value)
    return str(error.value).replace(str(folder / "prompts.jsonl"), "FILE")


def test_the_lines_of_the_documentation(tmp_path: Path) -> None:
    mix = read(
        tmp_path,
        '{"prompt": "hi", "weight": 2, "model": "openai:gpt-4o", "endpoint": "/v1/messages", '
        '"max_tokens": 50}',
        '{"body": {"model": "b", "messages": [], "stream": true, "n": 2}}',
        '{"prompt": "plain", "stream": false}',
    )

    assert mix.pairs == [
        Pair(Route.OPENAI, "openai:gpt-4o"),
        Pair(Route.LOCAL, "b"),
        Pair(Route.LOCAL, "m"),
    ]
    assert [(a.pair, a.endpoint, a.weight, a.api, a.stream, a.choices) for a in mix.asked] == [
        (0, "/v1/messages", 2.0, Api.MESSAGES, True, 1),
        (1, CHAT, 1.0, Api.CHAT, True, 2),
        (2, CHAT, 1.0, Api.CHAT, False, 1),
    ]
    assert json.loads(mix.asked[0].body)["max_tokens"] == 50
    assert json.loads(mix.asked[1].body) == {"model": "b", "messages": [], "stream": True, "n": 2}
    assert json.loads(mix.asked[2].body)["stream"] is False


def test_blank_lines_a_mark_of_the_byte_order_and_crlf_are_no_lines_of_their_own(tmp_path: Path) -> None:
    mix = read(tmp_path, b'\xef\xbb\xbf{"prompt": "a"}\r', b"", b"  ", '{"prompt": "日本"}')

    assert [json.loads(each.body)["messages"][0]["content"] for each in mix.asked] == ["a", "日本"]


def test_what_a_line_does_not_say_is_the_options(tmp_path: Path) -> None:
    mix = read(
        tmp_path,
        '{"prompt": "a"}',
        '{"prompt": "b", "max_tokens": 5}',
        model="google:g",
        endpoint="/v1/responses",
        max_output_tokens=9,
    )

    assert mix.pairs == [Pair(Route.GOOGLE, "google:g")]
    assert [json.loads(each.body)["max_output_tokens"] for each in mix.asked] == [9, 5]


def test_the_path_of_the_target_is_before_that_of_a_line_and_the_nodes_before_its_own(tmp_path: Path) -> None:
    [asked] = read(
        tmp_path,
        '{"prompt": "a", "endpoint": "/v1/messages"}',
        target="http://h/llm/v1",
        direct="http://node:8000",
    ).asked

    assert (asked.endpoint, asked.direct_endpoint) == ("/llm/v1/messages", "/v1/messages")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "not valid JSON"),
        ("7", "not a JSON object"),
        (b'{"prompt": "\xff"}', "not UTF-8 text"),
        ("[" * 100_000, "not valid JSON"),
        ("{}", "give either prompt or body"),
        ('{"prompt": "a", "body": {}}', "give either prompt or body"),
        ('{"prompt": ""}', "prompt: String should have at least 1 character"),
        ('{"prompt": 7}', "prompt: Input should be a valid string"),
        ('{"prompt": "a", "prompt": "b"}', "'prompt' is there twice"),
        ('{"body": {"n": 1, "n": 2}}', "'n' is there twice"),
        ('{"prompt": "a", "wieght": 2}', "wieght: unknown key; remove it or correct its name"),
        ('{"prompt": "a", "weight": 0}', "weight: Input should be greater than 0"),
        ('{"prompt": "a", "weight": true}', "weight: Input should be a valid number"),
        ('{"prompt": "a", "weight": NaN}', "NaN is no number of JSON"),
        ('{"prompt": "a", "max_tokens": 1.5}', "max_tokens: Input should be a valid integer"),
        ('{"prompt": "a", "max_tokens": 0}', "max_tokens: Input should be greater than or equal to 1"),
        ('{"prompt": "a", "stream": "yes"}', "stream: Input should be a valid boolean"),
        ('{"prompt": "a", "model": ""}', "model: '' must be 1 to 128 printable characters"),
        ('{"prompt": "a", "endpoint": "v1"}', "endpoint: 'v1' must begin with / and hold no spaces"),
        ('{"body": [1]}', "body: should be keys with their values"),
        ('{"body": {"model": "a\\u0007"}}', "body.model: 'a\\x07' must be 1 to 128 printable characters"),
        ('{"body": {}, "model": "m"}', "model: a body is sent as it is; write it into the body"),
        ('{"body": {}, "stream": false}', "stream: a body is sent as it is; write it into the body"),
        ('{"body": {"temperature": 1e999}}', "body: a number that is too large to be sent"),
    ],
)
def test_a_line_that_is_wrong_is_named_with_what_is_wrong_in_it(
    tmp_path: Path, line: str | bytes, message: str
) -> None:
    said = refusal(tmp_path, '{"prompt": "a"}', "", line)

    assert said.startswith("--prompts: FILE, line 3: ")
    assert message in said


def test_a_bound_on_the_answers_does_not_reach_into_a_body(tmp_path: Path) -> None:
    said = refusal(tmp_path, '{"body": {}}', max_output_tokens=5)

    assert said.startswith("--prompts: FILE, line 1: --max-output-tokens: a body is sent as it is")


def test_a_run_has_sixteen_pairs_at_most(tmp_path: Path) -> None:
    lines = [json.dumps({"prompt": "a", "model": f"m{number}"}) for number in range(17)]

    assert len(read(tmp_path, *lines[:16], lines[3]).pairs) == 16
    assert "line 17: a 17th pair of route and model ('m16'); a run has 16 at most" in refusal(
        tmp_path, *lines
    )


def test_more_lines_than_can_be_held_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prompts, "MAX_LINES", 2)

    assert "line 3: more than 2 requests" in refusal(tmp_path, *['{"prompt": "a"}'] * 3)


def test_a_file_that_cannot_be_read_or_has_no_line_is_named(tmp_path: Path) -> None:
    assert "FILE has no line" in refusal(tmp_path, "", " ")
    with pytest.raises(ConfigurationError, match=r"--prompts: .*/missing cannot be read \(No such file"):
        read_prompts(tmp_path / "missing", asking())
    with pytest.raises(ConfigurationError, match=r"--prompts: .* cannot be read \(Is a directory\)"):
        read_prompts(tmp_path, asking())
