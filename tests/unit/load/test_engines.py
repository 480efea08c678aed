"""exporter.load: the table of engines, and what each refuses before anything is started."""

from pathlib import Path
from typing import Any

import click
import pytest

from exporter.cli.run_options import load_options
from exporter.errors import ConfigurationError, ToolMissingError
from exporter.load import ENGINES
from exporter.load.hey import HeyEngine
from exporter.load.workload import Workload, make_workload
from exporter.load.wrk import WrkEngine


def workload(**changes: Any) -> Workload:
    return make_workload("http://127.0.0.1:8080", "/v1/chat/completions", "m", **changes)


def program(folder: Path, text: str) -> str:
    """A program that prints `text` whatever it is asked."""
    file = folder / "tool"
    file.write_text(f"#!/bin/sh\necho '{text}'\n")
    file.chmod(0o755)
    return str(file)


def test_every_engine_is_found_by_its_own_name() -> None:
    assert {name: engine.name for name, engine in ENGINES.items()} == {
        "wrk": "wrk",
        "hey": "hey",
        "stream": "stream",
    }


def test_the_command_offers_exactly_the_engines_of_the_table() -> None:
    @click.command()
    @load_options
    def command(**_: Any) -> None: ...

    [option] = (option for option in command.params if option.name == "engine")
    assert isinstance(option.type, click.Choice)
    assert sorted(option.type.choices) == sorted(ENGINES)


@pytest.mark.parametrize("engine", ["wrk", "hey"])
def test_an_engine_that_is_not_installed_is_named_with_what_to_install(engine: str) -> None:
    missing: Any = ENGINES[engine]
    with pytest.raises(ToolMissingError, match=f"^{engine}: not installed; .*apt install {engine}"):
        missing("/no/such/program").check(workload())


@pytest.mark.parametrize(
    ("printed", "version"),
    [("wrk 4.1.0-3+b2 [epoll]", "4.1.0-3+b2"), ("wrk debian/4.2.0 [epoll]", "debian/4.2.0")],
)
def test_wrk_names_its_version(tmp_path: Path, printed: str, version: str) -> None:
    assert WrkEngine(program(tmp_path, printed)).check(workload()) == version


@pytest.mark.parametrize("printed", ["wrk 4.0.2 [epoll]", "hello"])
def test_a_wrk_that_is_too_old_or_none_is_refused(tmp_path: Path, printed: str) -> None:
    with pytest.raises(ToolMissingError, match=r"is too old .*4\.1"):
        WrkEngine(program(tmp_path, printed)).check(workload())


@pytest.mark.parametrize(
    ("changes", "option"),
    [
        ({"script": Path(__file__)}, "--script"),
        ({"api_key": "sk-secret"}, "--api-key"),
        ({"headers": ["authorization: Bearer sk-secret"]}, "--api-key"),
        ({"headers": ["X-Tenant: sk-secret"]}, "--header"),
    ],
)
def test_hey_refuses_what_it_cannot_do_before_anything_is_started(
    tmp_path: Path, changes: dict[str, Any], option: str
) -> None:
    engine = HeyEngine(program(tmp_path, ""))
    assert engine.check(workload()) == "unknown"
    with pytest.raises(ConfigurationError) as error:
        engine.check(workload(**changes))
    assert str(error.value).startswith(option)
    assert "--engine wrk" in str(error.value)
    assert "sk-secret" not in str(error.value)


def test_wrk_takes_a_script_and_a_key(tmp_path: Path) -> None:
    engine = WrkEngine(program(tmp_path, "wrk 4.1.0 [epoll]"))
    assert engine.check(workload(script=Path(__file__), api_key="sk-secret")) == "4.1.0"
