"""exporter.load.model_label: the model that a script asks, as run_wrk.sh reads it."""

import re
import subprocess
from pathlib import Path

import pytest

from exporter.load.model_label import UNKNOWN_MODEL, ModelSource, model_in_script
from tests.support.checkout import HAND_TOOLS

NAMED = {
    """wrk.body = '{"model": "openai:gpt-4o", "messages": []}'""": "openai:gpt-4o",
    r"""wrk.body = "{\"model\":\"google:gemini-1.5-pro\"}" """: "google:gemini-1.5-pro",
    """local MODEL = 'anthropic:claude-3-opus'\nrequest = function() end""": "anthropic:claude-3-opus",
    """body = [[{"model" : "a/b-c:7b"}]]""": "a/b-c:7b",
    """wrk.body = '{\n  "model":\n "x"}'""": "x",
    """-- wrk.body = '{"model":"old"}'\n\t--model = "older"\nwrk.body = '{"model":"new"}'""": "new",
    """local model = "mine"\nwrk.body = string.format('{"model":"%s"}', model)""": "mine",
    """wrk.body = string.format('{"model":"%s"}', os.getenv("M"))\nmodel = "late\"""": "late",
}
NOT_NAMED = (
    "",
    """wrk.body = io.open("prompt.json"):read("*a")""",
    """wrk.body = string.format('{"model":"%s"}', os.getenv("M"))""",
    """wrk.body = '{"model":"' .. pick() .. '"}'""",
    """models = {"a", "b"}""",
)


def of_the_shell(script: Path) -> str:
    """What run_wrk.sh would label a run of this script with."""
    text = (HAND_TOOLS / "run_wrk.sh").read_text(encoding="utf-8")
    function = re.search(r"^model_sent\(\) \{.*?^\}", text, re.DOTALL | re.MULTILINE)
    assert function
    command = f"script=$1\n{function[0]}\nmodel_sent"
    done = subprocess.run(
        ["bash", "-c", command, "bash", str(script)],
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def label(
    text: str, source: ModelSource = ModelSource.DEFAULT, model: str = "ours"
) -> tuple[str, ModelSource]:
    return model_in_script(text, model, source)


@pytest.mark.parametrize(("text", "model"), NAMED.items())
def test_the_model_that_a_script_names_is_read_as_run_wrk_reads_it(
    text: str, model: str, tmp_path: Path
) -> None:
    script = tmp_path / "script.lua"
    script.write_text(text, encoding="utf-8")
    assert label(text) == (model, ModelSource.SCRIPT)
    assert of_the_shell(script) == model


@pytest.mark.parametrize("text", NOT_NAMED)
def test_where_none_is_named_none_is_read(text: str, tmp_path: Path) -> None:
    script = tmp_path / "script.lua"
    script.write_text(text, encoding="utf-8")
    assert label(text)[1] in (ModelSource.UNKNOWN, ModelSource.DEFAULT)
    assert of_the_shell(script) == UNKNOWN_MODEL


@pytest.mark.parametrize(
    ("script", "model"),
    [
        ("chat_openai.lua", "openai:gpt-4o"),
        ("chat_google.lua", "google:gemini-1.5-pro"),
        ("chat_anthropic.lua", "anthropic:claude-3-opus"),
        ("chat.lua", "gpt-oss:20b"),
    ],
)
def test_the_shipped_scripts_are_labelled_with_what_they_ask(script: str, model: str) -> None:
    text = (HAND_TOOLS / script).read_text(encoding="utf-8")
    assert label(text) == (model, ModelSource.SCRIPT)


def test_of_several_models_the_first_is_the_label_and_that_is_said() -> None:
    text = """bodies = {'{"model":"a"}', '{"model":"b"}', '{"model":"a"}'}"""
    assert label(text) == ("a", ModelSource.SCRIPT_FIRST)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "function response(status, headers, body) print(status, body) end",
        "done = function(summary, latency, requests) print(string.format('%d', summary.requests)) end",
        "wrk.headers['X-Trace'] = 'a'",
        "-- function request() end",
    ],
)
def test_a_script_that_leaves_the_body_alone_sends_the_model_that_is_in_it(text: str) -> None:
    assert label(text) == ("ours", ModelSource.DEFAULT)
    assert label(text, ModelSource.BODY) == ("ours", ModelSource.BODY)


@pytest.mark.parametrize(
    "text",
    [
        """wrk.body = read("prompt")""",
        """wrk["body"] = x""",
        """function request() return prompts[1] end""",
        """request = f""",
        """function init() r = wrk.format(nil, nil, nil, b) end""",
        """dofile("other.lua")""",
    ],
)
def test_of_a_script_that_replaces_the_body_and_names_no_model_only_the_scenario_is_known(text: str) -> None:
    assert label(text) == (UNKNOWN_MODEL, ModelSource.UNKNOWN)
    assert label(text, ModelSource.BODY) == (UNKNOWN_MODEL, ModelSource.UNKNOWN)
    assert label(text, ModelSource.SCENARIO, "openai:gpt-4o") == ("openai:unknown", ModelSource.UNKNOWN)
    assert label(text, ModelSource.SCENARIO, "gpt-oss:20b") == (UNKNOWN_MODEL, ModelSource.UNKNOWN)
