"""What run_wrk.sh and the chat scripts send: body, headers, key, and a script of the user's own."""

import json
import os
import shlex
from pathlib import Path

import pytest

from tests.support.hand_tools import CHAT, PING, TOOLS, USER_SCRIPT, Recorder, requests_of, typed


def test_nothing_set_is_the_default_model_at_the_default_endpoint(recorder: Recorder) -> None:
    recorder.run()
    method, path, headers, body = recorder.only()
    assert (method, path, headers["content-type"]) == ("POST", CHAT, "application/json")
    assert body == b'{"model":"gpt-oss:20b","messages":[{"role":"user","content":"ping"}]}'


def test_target_and_endpoint_make_one_url_whatever_slashes_they_have(recorder: Recorder) -> None:
    recorder.run(WRK_TARGET=recorder.url + "/", WRK_ENDPOINT="v1/completions?stream=0")
    assert recorder.only()[1] == "/v1/completions?stream=0"


@pytest.mark.parametrize(
    "body",
    [
        '{"model":"m","messages":[{"role":"user","content":"it\'s \\"quoted\\" ]] and ]=] done"}]}',
        '{\n  "a": [[1, 2]],\n\t"b": "$HOME `id` $(id) %s %d \\\\ \\u0041"\n}\n\n',
        '{"言語":"日本語 🙂","end":"}}"}',
        "} ]]--[[ {",
        " ",
    ],
)
def test_a_body_goes_over_the_wire_byte_for_byte(recorder: Recorder, body: str) -> None:
    recorder.run(WRK_BODY_JSON=body)
    assert recorder.only()[3] == body.encode()


@pytest.mark.parametrize("model", ['a"b\\c', "日本語:20b", "x'; ]] $(id)", "tab\tand\nline"])
def test_any_model_name_is_valid_json(recorder: Recorder, model: str) -> None:
    recorder.run(WRK_MODEL=model)
    assert json.loads(recorder.only()[3]) == {"model": model, "messages": PING}


def test_headers_are_sent_a_line_each(recorder: Recorder) -> None:
    recorder.run(
        WRK_HEADERS="X-Team: red, \"blue\"; x='y'\n\nX-Empty:\r\nContent-Type: text/plain\n",
        WRK_API_KEY="of the key",
    )
    headers = recorder.only()[2]
    assert headers["x-team"] == "red, \"blue\"; x='y'"
    assert (headers["x-empty"], headers["content-type"]) == ("", "text/plain")
    assert headers["authorization"] == "Bearer of the key"


def test_wrks_own_header_option_still_works(recorder: Recorder) -> None:
    recorder.run("scripts/benchmarks/run_wrk.sh -t1 -c1 -d1s -H 'Content-Type: a/b' -H 'X-Mine: 1'")
    headers = recorder.only()[2]
    assert (headers["content-type"], headers["x-mine"]) == ("a/b", "1")


@pytest.mark.parametrize(
    ("script", "model"),
    [
        ("chat.lua", "gpt-oss:20b"),
        ("chat_openai.lua", "openai:gpt-4o"),
        ("chat_google.lua", "google:gemini-1.5-pro"),
        ("chat_anthropic.lua", "anthropic:claude-3-opus"),
    ],
)
def test_the_chat_scripts_ask_the_model_of_their_route(recorder: Recorder, script: str, model: str) -> None:
    recorder.run(WRK_SCRIPT=f"scripts/benchmarks/{script}")
    assert (
        typed(f"wrk -t1 -c1 -d1s -s {TOOLS}/{script} {recorder.url}{CHAT}", PATH=os.environ["PATH"]).stderr
        == ""
    )
    method, path, headers, body = recorder.only()
    assert (method, path, headers["content-type"]) == ("POST", CHAT, "application/json")
    assert json.loads(body) == {"model": model, "messages": PING}


def test_wrk_model_goes_before_the_model_of_a_chat_script(recorder: Recorder) -> None:
    recorder.run(WRK_SCRIPT="scripts/benchmarks/chat_openai.lua", WRK_MODEL="openai:gpt-4o-mini")
    assert json.loads(recorder.only()[3])["model"] == "openai:gpt-4o-mini"


@pytest.mark.parametrize(
    "given", [{"WRK_API_KEY": "sk-1"}, {"WRK_API_KEY_FILE": "{folder}/key"}], ids=["variable", "file"]
)
@pytest.mark.parametrize("script", ["", "scripts/benchmarks/chat_google.lua"], ids=["body", "script"])
def test_the_api_key_is_sent(recorder: Recorder, tmp_path: Path, given: dict[str, str], script: str) -> None:
    (tmp_path / "key").write_text("sk-1\n", encoding="utf-8")
    recorder.run(WRK_SCRIPT=script, **{k: v.format(folder=tmp_path) for k, v in given.items()})
    assert recorder.only()[2]["authorization"] == "Bearer sk-1"
    recorder.asked.clear()
    chat = {k: v.format(folder=tmp_path) for k, v in given.items()}
    assert typed(f"wrk -t1 -c1 -d1s -s {TOOLS}/chat.lua {recorder.url}/", **chat).returncode == 0
    assert recorder.only()[2]["authorization"] == "Bearer sk-1"


@pytest.mark.parametrize("how", ["variable", "option"])
def test_a_script_of_the_users_keeps_all_its_hooks(recorder: Recorder, tmp_path: Path, how: str) -> None:
    (tmp_path / "my script.lua").write_text(USER_SCRIPT, encoding="utf-8")
    script = str(tmp_path / "my script.lua")
    command = "scripts/benchmarks/run_wrk.sh -t1 -c1 -d1s"
    if how == "variable":
        output = recorder.run(f"{command} -- one two", WRK_SCRIPT=script)
    else:
        output = recorder.run(f"{command} -s {shlex.quote(script)} -- one two")
    method, path, headers, body = recorder.only()
    assert (method, path, body) == ("PUT", "/mine", b"of the script")
    assert headers["x-setup"] == "set up"
    assert headers["x-init"].endswith("one,two")
    assert f"script: {requests_of(output)}\n" in output
    assert "\n     95% " in output


def test_a_static_script_decides_what_is_sent(recorder: Recorder, tmp_path: Path) -> None:
    script = tmp_path / "static.lua"
    script.write_text('wrk.method = "PUT"\nwrk.body = "static"\n', encoding="utf-8")
    recorder.run(WRK_SCRIPT=str(script), WRK_BODY_JSON="not this")
    method, path, headers, body = recorder.only()
    assert (method, path, body) == ("PUT", CHAT, b"static")
    assert "content-type" not in headers


def test_body_headers_and_key_stand_on_no_command_line(recorder: Recorder, tmp_path: Path) -> None:
    # A wrk of the test's own, which tells what it was given.
    fake = tmp_path / "wrk"
    fake.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n', encoding="utf-8")
    fake.chmod(0o755)
    done = typed(
        "scripts/benchmarks/run_wrk.sh -t1 -c 1 -d1s '--latency' 'a b' -- --rest",
        PATH=f"{tmp_path}:{os.environ['PATH']}",
        WRK_BODY_JSON="of the body",
        WRK_HEADERS="X: of the header",
        WRK_API_KEY="of the key",
        TMPDIR=str(tmp_path),
    )
    *options, flag, script, url, dashes, rest = done.stdout.splitlines()
    assert options == ["-t1", "-c", "1", "-d1s", "--latency", "a b"]
    assert (flag, url, dashes, rest) == ("-s", "http://localhost:8080" + CHAT, "--", "--rest")
    assert script.startswith(f"{tmp_path}/run_wrk.")
    assert "of the" not in done.stdout
