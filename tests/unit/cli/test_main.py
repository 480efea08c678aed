"""exporter.cli.main: bad usage is one line on standard error and exit code 2, and never a traceback."""

import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from exporter import __version__
from exporter.cli import exporter as exporter_command
from exporter.cli import main as cli
from exporter.live.ingest import bind_ingest
from tests.support.local_http import LocalHttp
from tests.support.refusals import COMMANDS, USAGE, split_command
from tests.support.warm_soak import WarmSoak

SECRET = "sk-very-secret"
ADDRESSES = ("--web.listen-address", "127.0.0.1:0", "--ingest.listen-address", "127.0.0.1:0")


@dataclass(frozen=True)
class Shell:
    """Runs `soak` in an empty home, with a PATH of its own on which wrk is whatever a test puts there."""

    home: Path
    warm: WarmSoak

    @property
    def programs(self) -> Path:
        return self.home / "programs"

    def install(self, name: str, printed: str) -> None:
        """A program that prints a line, written in the shell's builtins alone."""
        program = self.programs / name
        program.write_text(f"#!/bin/sh\necho '{printed}'\n")
        program.chmod(0o755)

    @property
    def environment(self) -> dict[str, str]:
        return {"PATH": str(self.programs), "HOME": str(self.home), "LC_ALL": "C.UTF-8"}

    def soak(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "exporter.cli", *arguments],
            env={**self.environment, **environment},
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def refusal(self, *arguments: str, **environment: str) -> str:
        """The one line about a bad usage, without the `soak: ` that it must begin with."""
        return one_line(self.warm.run(arguments, {**self.environment, **environment}, self.home))


def one_line(ended: "subprocess.CompletedProcess[str]") -> str:
    """What a refused command says behind its `soak: `."""
    assert ended.returncode == 2, ended.stderr
    assert ended.stdout == ""
    assert "Traceback" not in ended.stderr
    assert ended.stderr.endswith("\n")
    (line,) = ended.stderr.splitlines()
    assert line.startswith("soak: ")
    return line.removeprefix("soak: ")


@pytest.fixture
def shell(tmp_path: Path, warm_soak: WarmSoak) -> Shell:
    (tmp_path / "programs").mkdir()
    return Shell(tmp_path, warm_soak)


@pytest.fixture
def with_wrk(shell: Shell) -> Shell:
    shell.install("wrk", "wrk 4.2.0 [epoll] Copyright (C) 2012 Will Glozer")
    return shell


@pytest.fixture
def target() -> Iterator[str]:
    """The URL of something that takes connections."""
    with LocalHttp(lambda _: (200, {})) as server:
        yield server.url


def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


# options


@pytest.mark.parametrize("words", USAGE, ids=" ".join)
def test_bad_usage_is_named(shell: Shell, words: tuple[str, ...]) -> None:
    assert USAGE[words] in shell.refusal(*words)


@pytest.mark.parametrize(
    "words",
    [
        ("run", "--duration", "soon"),
        ("WRK_TARGET=nowhere", "run"),
        ("scale", "--steps", "5,4"),
        ("exporter", "--config", "missing.yml"),
        ("ROUTER_URL=localhost", "exporter"),
        ("simulate", "--latency-median", "2", "--latency-p99", "1"),
    ],
    ids=" ".join,
)
def test_an_error_of_each_command_is_one_line_and_exit_code_2(shell: Shell, words: tuple[str, ...]) -> None:
    environment, arguments = split_command(words)
    variables = dict(word.split("=", 1) for word in environment)
    assert COMMANDS[words] in one_line(shell.soak(*arguments, **variables))


def test_a_secret_in_a_bad_header_or_key_is_not_shown(shell: Shell) -> None:
    assert SECRET not in shell.refusal("run", "--header", f"My Key: {SECRET}")
    assert SECRET not in shell.refusal("run", "--api-key-env", "KEY", KEY=f"{SECRET}\x01")


def test_an_unknown_configuration_key_is_named_with_its_file(shell: Shell) -> None:
    (shell.home / "exporter.yml").write_text("router:\n  uri: http://x\n")
    assert shell.refusal("exporter", "--config", "exporter.yml").startswith("exporter.yml: router.uri: ")


# what a run needs


def test_a_target_where_nothing_listens_is_named(with_wrk: Shell) -> None:
    target = f"http://127.0.0.1:{unused_port()}"
    line = with_wrk.refusal("run", "--target", target)
    assert target in line
    assert "--target" in line


def test_without_wrk_it_is_shown_how_to_install_it(shell: Shell, target: str) -> None:
    line = shell.refusal("run", "--target", target, "--engine", "wrk")
    assert line.startswith("wrk: ")
    assert "apt install wrk" in line


@pytest.mark.parametrize(
    ("printed", "version"),
    [("wrk 4.0.0", "wrk 4.0.0"), ("wrk 3.9.9 [epoll]", "wrk 3.9.9"), ("hello", "no version")],
)
def test_a_wrk_that_is_too_old_is_named_with_what_is_needed(
    shell: Shell, target: str, printed: str, version: str
) -> None:
    shell.install("wrk", printed)
    line = shell.refusal("run", "--target", target)
    assert line.startswith(f"wrk: {shell.programs / 'wrk'} ")
    assert f"({version})" in line
    assert "4.1" in line


def test_a_results_folder_that_cannot_be_written_to_is_named(with_wrk: Shell, target: str) -> None:
    (with_wrk.home / "file").write_text("")
    line = with_wrk.refusal("run", "--target", target, "--results", "file/results")
    assert line.startswith("--results: ")
    assert "file/results (Not a directory)" in line


@pytest.mark.parametrize("url", ["somewhere", "http://127.0.0.1:{port}"])
def test_an_exporter_that_does_not_answer_is_named(with_wrk: Shell, target: str, url: str) -> None:
    url = url.format(port=unused_port())
    line = with_wrk.refusal("run", "--target", target, "--exporter", url)
    assert line.startswith("--exporter: ")
    assert url in line


# what the exporter needs


def tcp_listener() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0))


def udp_listener() -> socket.socket:
    return bind_ingest("127.0.0.1", 0)


@pytest.mark.parametrize(
    ("listen", "option", "what"),
    [(tcp_listener, "--web.listen-address", "exporter"), (udp_listener, "--ingest.listen-address", "ingest")],
)
def test_a_taken_port_is_named_with_its_option(
    shell: Shell, listen: Callable[[], socket.socket], option: str, what: str
) -> None:
    with listen() as listener:
        port = listener.getsockname()[1]
        line = shell.refusal("exporter", *ADDRESSES, option, f"127.0.0.1:{port}")
    assert line.startswith(f"{what}: port {port} on 127.0.0.1 ")
    assert option in line


# what is no error


@pytest.mark.parametrize("arguments", [("--help",), ("run", "-h")])
def test_help_is_on_standard_output_with_exit_code_zero(shell: Shell, arguments: tuple[str, ...]) -> None:
    ended = shell.soak(*arguments)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith("Usage: ")


def test_the_version_is_shown(shell: Shell) -> None:
    ended = shell.soak("--version")
    assert (ended.returncode, ended.stdout) == (0, f"soak, version {__version__}\n")


def test_the_folder_in_which_the_host_is_seen_is_given_as_to_node_exporter_and_has_to_be_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: dict[str, Any] = {}
    monkeypatch.setattr(exporter_command, "serve_exporter", lambda **settings: given.update(settings))
    file = tmp_path / "exporter.yml"
    file.write_text("router: null\nhost_root: /elsewhere\n")
    for arguments, root in [((), Path("/elsewhere")), (("--path.rootfs", str(tmp_path)), tmp_path)]:
        cli.soak.main(["exporter", "--config", str(file), *arguments], standalone_mode=False)
        assert given["config"].host_root == root
        assert given["config"].router is None
