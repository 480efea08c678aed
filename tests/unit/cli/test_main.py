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
from exporter.cli import main as cli
from exporter.cli import services as service_commands
from exporter.live.ingest import bind_ingest

SECRET = "sk-very-secret"
ADDRESSES = ("--web.listen-address", "127.0.0.1:0", "--ingest.listen-address", "127.0.0.1:0")


@dataclass(frozen=True)
class Shell:
    """Runs `soak` in an empty home, with a PATH of its own on which wrk is whatever a test puts there."""

    home: Path

    @property
    def programs(self) -> Path:
        return self.home / "programs"

    def install(self, name: str, says: str) -> None:
        """A program that prints a line, written in the shell's builtins alone."""
        program = self.programs / name
        program.write_text(f"#!/bin/sh\necho '{says}'\n")
        program.chmod(0o755)

    def soak(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "exporter.cli", *arguments],
            env={
                "PATH": str(self.programs),
                "HOME": str(self.home),
                "LC_ALL": "C.UTF-8",
                **environment,
            },
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def refusal(self, *arguments: str, **environment: str) -> str:
        """The one line that is said of a bad usage, without the `soak: ` that it must begin with."""
        ended = self.soak(*arguments, **environment)
        assert ended.returncode == 2, ended.stderr
        assert ended.stdout == ""
        assert "Traceback" not in ended.stderr
        assert ended.stderr.endswith("\n")
        (line,) = ended.stderr.splitlines()
        assert line.startswith("soak: ")
        return line.removeprefix("soak: ")


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    (tmp_path / "programs").mkdir()
    return Shell(tmp_path)


@pytest.fixture
def with_wrk(shell: Shell) -> Shell:
    shell.install("wrk", "wrk 4.2.0 [epoll] Copyright (C) 2012 Will Glozer")
    return shell


@pytest.fixture
def target() -> Iterator[str]:
    """The URL of something that takes connections."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


# options


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--nope",), "No such option '--nope'."),
        (("fly",), "No such command 'fly'."),
        (("run", "--nope"), "No such option '--nope'."),
        (("exporter", "--nope"), "No such option '--nope'."),
        (
            ("run", "--connections", "0"),
            "Invalid value for '--connections': 0 is not in the range 1<=x<=1000.",
        ),
        (("run", "--engine", "steam"), "Invalid value for '--engine': 'steam' is not "),
        (("run", "--duration", "soon"), "--duration: 'soon' is not a duration like 30s, 45m or 1h"),
        (("run", "--drain", "-1"), "--drain: '-1' is not a duration like 30s, 45m or 1h"),
        (("run", "--stall-after", "0s"), "--stall-after: '0s' is not a duration like 30s, 45m or 1h"),
        (("run", "--header", "no colon"), "--header: 'no colon': give it as 'Name: value'"),
        (("run", "--label", "../../etc/x"), "--label: '../../etc/x': use 1 to 64 of A-Z a-z 0-9 . _ -"),
        (("run", "--label", "a\n"), "--label: 'a\\n': use 1 to 64 of"),
        (("run", "--target", "localhost:8080"), "--target: 'localhost:8080' is not a URL like"),
        (("run", "--endpoint", "v1"), "--endpoint: 'v1' must begin with / and hold no spaces"),
        (
            ("run", "--body", "missing.json"),
            "--body: missing.json cannot be read (No such file or directory)",
        ),
        (("run", "--script", "missing.lua"), "--script: missing.lua is not a file"),
        (
            ("run", "--scenario", "openai", "--model", "gpt-oss:20b"),
            "--scenario: openai does not fit the model 'gpt-oss:20b', which goes to local; give one or the",
        ),
        (
            ("run", "--api-key-env", "KEY_THAT_IS_NOT_SET"),
            "environment variable KEY_THAT_IS_NOT_SET: empty or not set; it should hold the API key",
        ),
        (("run", "--api-key-file", "missing"), "missing: the API key file cannot be read ("),
        (("exporter", "--web.listen-address", "9877"), "--web.listen-address: '9877' is not HOST:PORT"),
        (("exporter", "--web.telemetry-path", "/"), "--web.telemetry-path: '/' must be a path like /metrics"),
        (("exporter", "--config", "missing.yml"), "missing.yml: cannot be read (No such file or directory)"),
        (("exporter", "--log.level", "loud"), "Invalid value for '--log.level': 'loud' is not one of"),
    ],
)
def test_a_bad_option_is_named(shell: Shell, arguments: tuple[str, ...], said: str) -> None:
    assert shell.refusal(*arguments).startswith(said)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("WRK_TARGET", "nowhere", "--target: 'nowhere' is not a URL"),
        ("WRK_ENDPOINT", "v1", "--endpoint: 'v1' must begin with /"),
        ("ROUTER_PORT", "http", "--target: 'http://localhost:http' is not a URL"),
    ],
)
def test_a_bad_environment_variable_is_refused_too(shell: Shell, name: str, value: str, said: str) -> None:
    assert shell.refusal("run", **{name: value}).startswith(said)


def test_the_exporter_refuses_a_bad_router_url_of_its_environment(shell: Shell) -> None:
    assert shell.refusal("exporter", *ADDRESSES, ROUTER_URL="localhost") == (
        "ROUTER_URL: 'localhost' is not an http(s) URL; give one like http://127.0.0.1:8080"
    )


def test_a_secret_in_a_bad_header_or_key_is_not_shown(shell: Shell) -> None:
    assert SECRET not in shell.refusal("run", "--header", f"My Key: {SECRET}")
    assert SECRET not in shell.refusal("run", "--api-key-env", "KEY", KEY=f"{SECRET}\x01")


def test_an_unknown_configuration_key_is_named_with_its_file(shell: Shell) -> None:
    (shell.home / "exporter.yml").write_text("router:\n  uri: http://x\n")
    assert shell.refusal("exporter", "--config", "exporter.yml") == (
        "exporter.yml: router.uri: unknown key; remove it or correct its name"
    )


# what a run needs


def test_a_target_where_nothing_listens_is_named(with_wrk: Shell) -> None:
    target = f"http://127.0.0.1:{unused_port()}"
    assert with_wrk.refusal("run", "--target", target) == (
        f"nothing answers at {target} (Connection refused); is the router running? give its URL with --target"
    )


def test_without_wrk_it_is_said_how_to_install_it(shell: Shell, target: str) -> None:
    assert shell.refusal("run", "--target", target) == (
        "wrk: not installed; install it (Debian, Ubuntu: apt install wrk)"
    )


@pytest.mark.parametrize(
    ("says", "version"),
    [("wrk 4.0.0", "wrk 4.0.0"), ("wrk 3.9.9 [epoll]", "wrk 3.9.9"), ("hello", "no version")],
)
def test_a_wrk_that_is_too_old_is_named_with_what_is_needed(
    shell: Shell, target: str, says: str, version: str
) -> None:
    shell.install("wrk", says)
    assert shell.refusal("run", "--target", target) == (
        f"wrk: {shell.programs / 'wrk'} is too old ({version}); version 4.1 or newer is needed"
    )


def test_a_results_folder_that_cannot_be_written_to_is_named(with_wrk: Shell, target: str) -> None:
    (with_wrk.home / "file").write_text("")
    assert with_wrk.refusal("run", "--target", target, "--results", "file/results") == (
        "--results: cannot write to file/results (Not a directory); name another folder"
    )


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("somewhere", "--exporter: 'somewhere' is not a URL like http://127.0.0.1:9877"),
        ("http://127.0.0.1:{port}", "--exporter: no exporter answers at http://127.0.0.1:{port}; start one"),
    ],
)
def test_an_exporter_that_does_not_answer_is_named(with_wrk: Shell, target: str, url: str, said: str) -> None:
    port = unused_port()
    found = with_wrk.refusal("run", "--target", target, "--exporter", url.format(port=port))
    assert found.startswith(said.format(port=port))


# what the exporter needs


def tcp_listener() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0))


def udp_listener() -> socket.socket:
    return bind_ingest("127.0.0.1", 0)


@pytest.mark.parametrize(
    ("listen", "option", "what"),
    [
        (tcp_listener, "--web.listen-address", "exporter"),
        (udp_listener, "--ingest.listen-address", "ingest"),
    ],
)
def test_a_taken_port_is_named_with_its_option(
    shell: Shell, listen: Callable[[], socket.socket], option: str, what: str
) -> None:
    with listen() as listener:
        port = listener.getsockname()[1]
        said = shell.refusal("exporter", *ADDRESSES, option, f"127.0.0.1:{port}")
    assert said == (
        f"{what}: port {port} on 127.0.0.1 is already in use; stop what listens there "
        f"(ss -ltnup 'sport = :{port}') or choose another with {option}"
    )


def test_a_state_file_that_is_none_is_refused(shell: Shell) -> None:
    (shell.home / "state.json").write_text("not a journal")
    said = shell.refusal("exporter", *ADDRESSES, "--ingest.state-file", "state.json")
    assert said.startswith("state.json: the exporter's state file cannot be used (JSONDecodeError")


# what is no error


@pytest.mark.parametrize("arguments", [("--help",), ("run", "-h")])
def test_help_is_on_standard_output_with_exit_code_zero(shell: Shell, arguments: tuple[str, ...]) -> None:
    ended = shell.soak(*arguments)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith("Usage: ")


def test_the_version_is_told(shell: Shell) -> None:
    ended = shell.soak("--version")
    assert (ended.returncode, ended.stdout) == (0, f"soak, version {__version__}\n")


def test_the_folder_in_which_the_host_is_seen_is_given_as_to_node_exporter_and_has_to_be_there(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = shell.refusal("exporter", "--path.rootfs", "/nowhere")
    assert "--path.rootfs" in said and "/nowhere" in said

    given: dict[str, Any] = {}
    monkeypatch.setattr(service_commands, "serve_exporter", lambda **settings: given.update(settings))
    file = tmp_path / "exporter.yml"
    file.write_text("router: null\nhost_root: /elsewhere\n")
    for arguments, root in [((), Path("/elsewhere")), (("--path.rootfs", str(tmp_path)), tmp_path)]:
        cli.soak.main(["exporter", "--config", str(file), *arguments], standalone_mode=False)
        assert given["config"].host_root == root
        assert given["config"].router is None
