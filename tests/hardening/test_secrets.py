"""Secrets of a run: they reach the router, and no file, no command line, no output and no child beside it."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from exporter.stack.native import NativeStack
from tests.support.hand_tools import Recorder, start, typed
from tests.support.soak_command import Soak, SoakRun, children
from tests.support.waiting import need, wait_for
from tests.support.warm_soak import WarmSoak

SECRET = "hunter2-of-the-test"
SECRETS = {"X-Tenant": f"{SECRET} a", "x-api-key": f"{SECRET} b", "authorization": f"Bearer {SECRET} c"}
WITHOUT_ROUTER = {**os.environ, "WRK_TARGET": "http://127.0.0.1:1"}
"""an environment in which no router is"""
HEADERS = [word for name in ("X-Tenant", "x-api-key") for word in ("--header", f"{name}: {SECRETS[name]}")]
WITH_KEY = [*HEADERS, "--api-key-env", "KEY_OF_THE_TEST"]


@pytest.fixture
def live(shared: NativeStack) -> NativeStack:
    """One for all tests of this file."""
    return shared


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    need("wrk")
    with Recorder() as server:
        yield server


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    (folder := tmp_path / "temporary").mkdir()
    return folder


def start_run(soak: Soak, target: Recorder, temporary: Path, *options: str, **environment: str) -> SoakRun:
    return soak(
        *("--target", target.url, "--watched-elsewhere", "--connections", "1", *options),
        TMPDIR=str(temporary),
        **(environment or {"KEY_OF_THE_TEST": f"{SECRET} c"}),
    )


def files_with_secret(*folders: Path) -> list[Path]:
    """The files below the folders that have it in their bytes or their names."""
    return [
        file
        for folder in folders
        for file in folder.rglob("*")
        if SECRET in str(file) or (file.is_file() and SECRET.encode() in file.read_bytes())
    ]


def shown_by_children(run: subprocess.Popen[str], *but: str) -> list[str]:
    """Names of the processes below it whose command line or environment has the secret."""
    found = []
    for child in psutil.Process(run.pid).children(recursive=True):
        try:
            words = [*child.cmdline(), *(child.environ().values() if child.name() not in but else ())]
        except psutil.NoSuchProcess:
            continue
        if any(SECRET in word for word in words):
            found.append(child.name())
    return found


def command_line(run: SoakRun, name: str) -> list[str]:
    """Of its child of that name; empty where there is none at this moment."""
    for child in children(run, name):
        with suppress(psutil.NoSuchProcess):
            return child.cmdline()
    return []


def sent(recorder: Recorder) -> bool:
    """Whether the load has begun."""
    return len(recorder.asked) > 20


def test_headers_and_key_reach_the_router_and_nothing_else(
    live: NativeStack, soak: Soak, recorder: Recorder, results: Path, temporary: Path
) -> None:
    run = start_run(soak, recorder, temporary, "--duration", "3s", *WITH_KEY)
    wait_for("the load", lambda: sent(recorder))
    assert shown_by_children(run.process) == []
    assert files_with_secret(temporary, results, live.folder) == []
    ended = run.end()
    headers = recorder.only()[2]
    assert {name: headers[name.lower()] for name in SECRETS} == SECRETS
    assert files_with_secret(temporary, results, live.folder) == []
    assert list(temporary.iterdir()) == []
    assert SECRET not in ended.output + ended.errors
    assert '--header "X-Tenant: ${SECRET_X_TENANT}"' in ended.record
    assert ended.document["inputs"]["headers"] == ["X-Tenant", "x-api-key", "Authorization"]


def test_a_query_reaches_the_router_and_nothing_else(
    live: NativeStack, soak: Soak, recorder: Recorder, results: Path, temporary: Path
) -> None:
    endpoint = f"/v1/chat/completions?key={SECRET}&alt=sse"
    run = start_run(soak, recorder, temporary, "--duration", "3s", WRK_ENDPOINT=endpoint)
    wait_for("the load", lambda: sent(recorder))
    assert command_line(run, "wrk")[-1] == f"{recorder.url}/v1/chat/completions"
    assert shown_by_children(run.process) == []
    assert files_with_secret(temporary, results, live.folder) == []
    ended = run.end()
    assert recorder.only()[1] == endpoint
    assert files_with_secret(temporary, results, live.folder) == []
    assert SECRET not in ended.output + ended.errors
    assert ended.document["inputs"]["endpoint"] == "/v1/chat/completions?key=${SECRET_KEY}&alt=sse"
    assert ended.document["evidence"]["engine"]["requests"] > 20


def test_hey_shows_its_url_so_it_takes_no_key_in_it(
    soak: Soak, recorder: Recorder, results: Path, temporary: Path
) -> None:
    need("hey")
    hey = ("--engine", "hey", "--duration", "2s")
    ended = start_run(soak, recorder, temporary, *hey, "--endpoint", f"/v1/x?key={SECRET}").end()
    assert (ended.code, ended.output) == (2, "")
    assert "--endpoint: hey takes the URL on its command line" in ended.errors
    assert SECRET not in ended.errors
    assert not recorder.asked
    assert files_with_secret(results) == []
    other = start_run(soak, recorder, temporary, *hey, "--endpoint", "/v1/x?api-version=2024-06-01")
    command = wait_for("hey", lambda: command_line(other, "hey"))
    assert command[-1] == f"{recorder.url}/v1/x?api-version=2024-06-01"
    assert other.end().document["evidence"]["engine"]["requests"] > 0
    assert recorder.only()[1] == "/v1/x?api-version=2024-06-01"


def test_a_killed_run_leaves_no_secret_and_the_next_one_takes_its_folder_away(
    soak: Soak, recorder: Recorder, results: Path, temporary: Path
) -> None:
    killed = start_run(soak, recorder, temporary, "--duration", "60s", *WITH_KEY)
    wait_for("the load", lambda: sent(recorder))
    beside = start_run(soak, recorder, temporary, "--duration", "60s", *WITH_KEY)
    wait_for("two folders", lambda: len(list(temporary.iterdir())) == 2)
    killed.process.send_signal(signal.SIGKILL)
    killed.process.communicate()
    assert len(list(temporary.iterdir())) == 2
    assert files_with_secret(temporary, results) == []
    start_run(soak, recorder, temporary, "--duration", "1s").end()
    [left] = temporary.iterdir()
    assert left.stat().st_uid == os.geteuid()
    beside.process.send_signal(signal.SIGINT)
    assert beside.end().code == 3
    assert list(temporary.iterdir()) == []


def test_a_link_by_the_name_of_a_left_over_folder_is_not_followed(
    soak: Soak, recorder: Recorder, temporary: Path, tmp_path: Path
) -> None:
    (mine := tmp_path / "mine").mkdir()
    (mine / "kept").touch()
    (temporary / "soak-tmp-run-link").symlink_to(mine)
    (temporary / "soak-tmp-run-file").touch()
    (inside := temporary / "soak-tmp-run-killed").mkdir()
    (inside / "link").symlink_to(mine)
    start_run(soak, recorder, temporary, "--duration", "1s").end()
    assert sorted(each.name for each in temporary.iterdir()) == ["soak-tmp-run-file", "soak-tmp-run-link"]
    assert (mine / "kept").exists()


@pytest.mark.parametrize("header", [f"X-Tenant: {SECRET}", f"authorization: {SECRET}", f"X-Tenant:{SECRET}"])
def test_hey_takes_no_header_since_its_command_line_would_show_it(
    soak: Soak, results: Path, header: str
) -> None:
    ended = soak("--engine", "hey", "--header", header).end()
    assert ended.code == 2
    assert "--header" in ended.errors
    assert "use --engine wrk" in ended.errors
    assert SECRET not in ended.errors
    assert files_with_secret(results) == []


def test_run_wrk_shows_its_secrets_to_wrk_alone_and_leaves_none_where_it_is_killed(
    live: NativeStack, temporary: Path
) -> None:
    need("wrk", "flock")
    secrets = {"WRK_API_KEY": f"{SECRET} c", "WRK_HEADERS": f"X-Tenant: {SECRET} a", "TMPDIR": str(temporary)}
    command = "exec scripts/benchmarks/run_wrk.sh -t1 -c1 -d60s"
    run = start(live, command, SOAK_EXPORTER=live.ports.url("exporter"), **secrets)
    children = psutil.Process(run.pid).children
    [wrk] = wait_for("wrk", lambda: [each for each in children() if each.name() == "wrk"])
    assert shown_by_children(run, "wrk") == []
    run.kill()
    run.wait()
    assert len(list(temporary.iterdir())) == 1
    assert files_with_secret(temporary) == []
    short = {"WRK_TARGET": live.ports.url("router"), "TMPDIR": str(temporary)}
    assert typed("scripts/benchmarks/run_wrk.sh -t1 -c1 -d1s", **short).returncode == 0
    assert len(list(temporary.iterdir())) == 1, "it is wrk's as long as that runs"
    wrk.send_signal(signal.SIGKILL)
    run.communicate()
    assert typed("scripts/benchmarks/run_wrk.sh -t1 -c1 -d1s", **short).returncode == 0
    assert list(temporary.iterdir()) == []


QUERY_SCRIPT = """
function init(arguments) url = arguments[0] end
function request() return wrk.format("GET", nil, { ["X-Url"] = url }) end
"""


@pytest.mark.parametrize("is_live", [True, False], ids=["live", "alone"])
@pytest.mark.parametrize("script", ["", QUERY_SCRIPT], ids=["body", "script"])
def test_run_wrk_shows_no_query_and_its_script_has_the_whole_url(
    live: NativeStack, recorder: Recorder, temporary: Path, is_live: bool, script: str
) -> None:
    (temporary / "own.lua").write_text(script)
    path = f"/v1/chat/completions?key={SECRET}&alt=sse"
    environment = {
        "WRK_TARGET": recorder.url,
        "WRK_ENDPOINT": path,
        "WRK_SCRIPT": str(temporary / "own.lua") if script else "",
        "SOAK_EXPORTER": live.ports.url("exporter") if is_live else "",
        "TMPDIR": str(temporary),
    }
    run = start(live, "exec scripts/benchmarks/run_wrk.sh -t1 -c1 -d60s", **environment)
    wait_for("the load", lambda: sent(recorder))
    assert shown_by_children(run, "wrk") == []
    [wrk] = [each for each in psutil.Process(run.pid).children() if each.name() == "wrk"]
    assert f"{recorder.url}/v1/chat/completions" in wrk.cmdline()
    assert files_with_secret(temporary, live.folder) == []
    run.send_signal(signal.SIGINT)
    output, errors = run.communicate()
    assert (run.returncode, errors) == (0, "")
    assert f"{recorder.url}/v1/chat/completions\n" in output
    assert SECRET not in output
    method, asked, headers, _ = recorder.only()
    assert (method, asked) == ("GET" if script else "POST", path)
    assert headers.get("x-url", recorder.url + path) == recorder.url + path
    assert ("x-url" in headers) == bool(script)


@pytest.mark.parametrize("target", [f"http://me:{SECRET}@h:1", f"me:{SECRET}@h", f"http://me:1/{SECRET}@h"])
def test_run_wrk_takes_no_password_of_a_url(target: str) -> None:
    need("wrk")
    done = typed("scripts/benchmarks/run_wrk.sh -t1 -c1 -d1s", WRK_TARGET=target)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("run_wrk.sh: WRK_TARGET: ")
    assert SECRET not in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "words",
    [
        ["run", "--exporter", f"http://me:{SECRET}@127.0.0.1:1"],
        ["run", "--exporter", f"me:{SECRET}@127.0.0.1:1"],
        ["run", "--exporter", f"http://me:a/{SECRET}@127.0.0.1:1"],
        ["run", "--exporter", f"http://127.0.0.1:1/?token={SECRET}"],
        ["run", "--prometheus", f"https://me:{SECRET}@127.0.0.1:1/prometheus"],
        ["run", "--prometheus", f"ftp://{SECRET}@127.0.0.1"],
        ["run", "--target", f"http://{SECRET}@127.0.0.1:1"],
        ["run", "--target", f"me:{SECRET}@127.0.0.1:1"],
        ["run", "--target", f"http://127.0.0.1:1?api-key={SECRET}"],
        ["run", "--endpoint", f"/v1/chat completions?key={SECRET}"],
        ["run", "--header", f"X-Api-Key {SECRET}"],
        ["run", "--header", f"X-Api-Key={SECRET}"],
        ["run", "--header", SECRET],
        ["run", "--header", "X-Api-Key:", SECRET],
        ["run", "--api-key-env", SECRET],
        ["run", "--api-key-file", f"sk-{SECRET}"],
        ["run", "--api-key", SECRET],
        ["run", f"--api-key={SECRET}"],
        ["exporter", "--web.listen-address", f"me:{SECRET}@127.0.0.1:1"],
        ["simulate", SECRET],
    ],
    ids=lambda words: " ".join(words).replace(SECRET, "S"),
)
def test_no_error_line_shows_a_secret(words: list[str], warm_soak: WarmSoak, tmp_path: Path) -> None:
    done = warm_soak.run(tuple(words), WITHOUT_ROUTER, tmp_path)
    assert done.returncode in (2, 3)
    assert SECRET not in done.stdout + done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("variable", ["ROUTER_URL", "WRK_TARGET", "WRK_ENDPOINT"])
@pytest.mark.parametrize(
    "value", [f"http://me:{SECRET}@router:8080", f"me:{SECRET}@router", f"x?key={SECRET}"]
)
def test_no_error_line_shows_a_secret_of_the_environment(
    variable: str, value: str, warm_soak: WarmSoak, tmp_path: Path
) -> None:
    command = "exporter" if variable == "ROUTER_URL" else "run"
    done = warm_soak.run((command,), {**WITHOUT_ROUTER, variable: value}, tmp_path)
    assert done.returncode == 2
    assert SECRET not in done.stdout + done.stderr


@pytest.mark.parametrize(
    "exporter", [f"http://me:{SECRET}@h:9877", f"me:{SECRET}@h", f"http://h/?a={SECRET}"]
)
def test_run_wrk_shows_no_secret_of_its_exporters_url(exporter: str) -> None:
    need("wrk")
    done = typed("scripts/benchmarks/run_wrk.sh -t1 -c1 -d1s", SOAK_EXPORTER=exporter)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("run_wrk.sh: SOAK_EXPORTER: ")
    assert SECRET not in done.stderr
