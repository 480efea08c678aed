"""exporter.cli.engine_choice: the named engine, else one that can send what was asked, and why."""

from typing import Any

import pytest

from exporter.cli.engine_choice import EngineChoice, choose_engine


def chosen(named: str | None = None, installed: str = "wrk hey", **asked: Any) -> EngineChoice:
    return choose_engine(named, found=lambda program: program in installed.split(), **asked)


@pytest.mark.parametrize("name", ["wrk", "hey", "stream"])
def test_a_named_engine_is_taken_without_a_word(name: str) -> None:
    assert chosen(name, installed="", is_demo=True, stream_option="--rate") == EngineChoice(name, None)


@pytest.mark.parametrize(
    ("installed", "asked", "name", "why"),
    [
        ("wrk hey", {}, "wrk", "it is installed; --engine stream measures streams"),
        ("hey", {}, "hey", "wrk is not installed; --engine stream measures streams"),
        ("", {}, "stream", "neither wrk nor hey is installed"),
        (
            "hey",
            {"has_secrets": True},
            "stream",
            "wrk is not installed, and hey takes no headers, no keys",
        ),
        ("wrk", {"has_secrets": True}, "wrk", "it is installed; --engine stream measures streams"),
        ("wrk", {"is_demo": True}, "stream", "what an LLM router carries"),
        ("wrk", {"stream_option": "--rate"}, "stream", "--rate is an option of it alone"),
        ("", {"has_script": True, "is_demo": True}, "wrk", "--script is a wrk script"),
        ("wrk", {"has_script": True, "stream_option": "--rate"}, "wrk", "--script is a wrk script"),
    ],
)
def test_where_none_is_named_what_is_asked_and_installed_decides(
    installed: str, asked: dict[str, Any], name: str, why: str
) -> None:
    assert chosen(installed=installed, **asked) == EngineChoice(name, why)
