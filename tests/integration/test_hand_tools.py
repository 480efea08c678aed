"""The hand tools of seeds/benchmarks.md, its commands typed as they stand there, with real wrk and hey."""

import contextlib
import csv
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import psutil
import pytest
import requests

from exporter.stack import NativeStack
from tests.conftest import CHECKOUT, need, wait_for
from tests.integration.soak_command import end_faults, fault, metrics, total, truth

TOOLS = CHECKOUT / "scripts" / "benchmarks"
FIXTURES = CHECKOUT / "tests" / "fixtures"
COLUMNS = "label,rps,p50_ms,p75_ms,p90_ms,p95_ms,p99_ms,non2xx,socket_errors,requests,duration_s"
CHAT = "/v1/chat/completions"
PING = [{"role": "user", "content": "ping"}]


def typed(line: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """What a user types, in the checkout, with nothing of this test's Python environment."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", line],
        cwd=CHECKOUT,
        env={**kept, "SOAK_EXPORTER": "", **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def requests_of(output: str) -> int:
    """The count in wrk's line "N requests in …"."""
    [count] = re.findall(r"(\d+) requests in ", output)
    return int(count)


class Recorder:
    """An HTTP server that answers 200 and keeps what it was sent."""

    def __init__(self) -> None:
        seen: list[tuple[str, str, dict[str, str], bytes]] = []

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                names = {name.lower(): value for name, value in self.headers.items()}
                seen.append((self.command, self.path, names, body))
                self.send_response(200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            do_GET = do_PUT = do_POST  # noqa: N815

            def log_message(self, *_arguments: Any) -> None:
                """Nothing: the test says what was seen."""

        self.seen = seen
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = Thread(target=self._server.serve_forever)
        self._thread.start()

    def run(self, command: str = "scripts/benchmarks/run_wrk.sh -t1 -c1 -d1s", **environment: str) -> str:
        """run_wrk.sh against this server; its output."""
        done = typed(command, **{"WRK_TARGET": self.url, **environment})
        assert (done.returncode, done.stderr) == (0, "")
        assert self.seen
        return done.stdout

    def only(self) -> tuple[str, str, dict[str, str], bytes]:
        """The one kind of request that was sent."""
        first = self.seen[0]
        assert all(each == first for each in self.seen)
        return first

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    need("wrk")
    server = Recorder()
    yield server
    server.close()


@pytest.fixture
def router(stack: NativeStack) -> NativeStack:
    """The simulated router alone, with the keys of the clouds."""
    need("wrk")
    stack.start_simulator("--latency-median", "0.005", "--latency-p99", "0.015", "--cloud-keys")
    return stack


# The commands of the seed


def test_the_wrk_command_of_the_seed_runs_as_it_stands_there(router: NativeStack) -> None:
    url = router.ports.url("router")
    done = typed(
        f"WRK_TARGET={url} WRK_ENDPOINT={CHAT} WRK_MODEL=gpt-oss:20b "
        "scripts/benchmarks/run_wrk.sh -t10 -c50 -d2s --latency"
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"Running 2s test @ {url}{CHAT}\n  10 threads and 50 connections\n")
    assert "Non-2xx" not in done.stdout
    count = requests_of(done.stdout)
    assert count > 100
    assert 0 <= truth(router)["inference_responses"]["200"] - count <= 50


def test_the_hey_command_of_the_seed_gives_a_row(router: NativeStack) -> None:
    need("hey")
    done = typed(
        'hey -n 200 -c 20 -m POST -H "Content-Type: application/json" '
        """-d '{"model":"openai:gpt-4o","messages":[{"role":"user","content":"ping"}]}' """
        f"{router.ports.url('router')}{CHAT} | scripts/benchmarks/hey_parse.py --label openai"
    )
    assert (done.returncode, done.stderr) == (0, "")
    [row] = csv.DictReader(done.stdout.splitlines())
    assert (row["label"], row["requests"], row["non2xx"], row["socket_errors"]) == ("openai", "200", "0", "0")
    assert 0 < float(row["p50_ms"]) <= float(row["p95_ms"]) <= float(row["p99_ms"])


def test_heys_csv_and_its_summary_give_the_same_columns(router: NativeStack) -> None:
    need("hey")
    fault(router, "error", ratio=1.0, status=429)
    done = typed(
        "hey -n 40 -c 4 -m POST -T application/json -o csv "
        """-d '{"model":"gpt-oss:20b","messages":[{"role":"user","content":"ping"}]}' """
        f"{router.ports.url('router')}{CHAT} | scripts/benchmarks/hey_parse.py --label limited"
    )
    [row] = csv.DictReader(done.stdout.splitlines())
    assert ",".join(row) == COLUMNS
    assert (row["requests"], row["non2xx"], row["socket_errors"], row["p50_ms"]) == ("40", "40", "", "")


def test_wrk_into_wrk_parse_into_a_file_is_a_results_file(router: NativeStack, tmp_path: Path) -> None:
    file = tmp_path / "20251125-local.csv"
    done = typed(
        f"WRK_TARGET={router.ports.url('router')} scripts/benchmarks/run_wrk.sh -t2 -c10 -d2s --latency "
        f"| tee {tmp_path}/text | scripts/benchmarks/wrk_parse.py --label local > {file}"
    )
    assert (done.returncode, done.stderr) == (0, "")
    header, line = file.read_text("utf-8").splitlines()
    assert header == COLUMNS
    row = dict(zip(header.split(","), line.split(","), strict=True))
    text = (tmp_path / "text").read_text("utf-8")
    assert (row["label"], int(row["requests"])) == ("local", requests_of(text))
    assert (row["non2xx"], row["socket_errors"]) == ("0", "0")
    percentiles = [float(row[name]) for name in ("p50_ms", "p75_ms", "p90_ms", "p95_ms", "p99_ms")]
    assert percentiles == sorted(percentiles)
    assert re.search(r"^     95% +\d+\.\d\d[um]?s$", text, re.MULTILINE)
    assert re.search(r"^   99\.9% +\d+\.\d\d[um]?s$", text, re.MULTILINE)


def test_plain_wrk_into_wrk_parse_has_no_p95(router: NativeStack) -> None:
    done = typed(
        f"wrk -t2 -c4 -d1s --latency -s scripts/benchmarks/chat.lua {router.ports.url('router')}{CHAT} "
        "| scripts/benchmarks/wrk_parse.py --label plain"
    )
    [row] = csv.DictReader(done.stdout.splitlines())
    assert (row["p95_ms"], row["non2xx"]) == ("", "0")
    assert float(row["p99_ms"]) > 0


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
    recorder.seen.clear()
    chat = {k: v.format(folder=tmp_path) for k, v in given.items()}
    assert typed(f"wrk -t1 -c1 -d1s -s {TOOLS}/chat.lua {recorder.url}/", **chat).returncode == 0
    assert recorder.only()[2]["authorization"] == "Bearer sk-1"


# What is sent


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


USER_SCRIPT = """
local calls = 0
function setup(thread) thread:set("from_setup", "set up") end
function init(arguments) from_init = table.concat(arguments, ",") end
function request()
  calls = calls + 1
  return wrk.format("PUT", "/mine", { ["X-Setup"] = from_setup, ["X-Init"] = from_init }, "of the script")
end
function response(status, headers, body) answered = (answered or 0) + 1 end
function delay() return 1 end
function done(summary, latency, requests) print("script: " .. summary.requests) end
"""


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


# Where something is wrong


def test_the_exit_code_is_wrks(tmp_path: Path) -> None:
    need("wrk")
    refused = typed("scripts/benchmarks/run_wrk.sh -t1 -c1 -d1s", WRK_TARGET="http://127.0.0.1:1")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == "unable to connect to 127.0.0.1:1 Connection refused\n"
    fake = tmp_path / "wrk"
    fake.write_text("#!/bin/sh\nexit 7\n", encoding="utf-8")
    fake.chmod(0o755)
    assert typed("scripts/benchmarks/run_wrk.sh", PATH=f"{tmp_path}:{os.environ['PATH']}").returncode == 7


def test_without_wrk_one_line_says_so(tmp_path: Path) -> None:
    for program in ("bash", "env", "dirname"):
        found = shutil.which(program)
        assert found
        (tmp_path / program).symlink_to(found)
    done = typed(f"{tmp_path}/bash scripts/benchmarks/run_wrk.sh -d1s", PATH=str(tmp_path))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "run_wrk.sh: wrk is not installed (Debian, Ubuntu: apt install wrk)\n"


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"WRK_SCRIPT": "/nowhere.lua"}, "WRK_SCRIPT: /nowhere.lua cannot be read"),
        (
            {"WRK_API_KEY_FILE": "/nowhere"},
            "WRK_API_KEY_FILE: /nowhere cannot be read, or its first line is empty",
        ),
        ({"WRK_HEADERS": "A: b\nsecret"}, 'WRK_HEADERS: line 2 is not "Name: value"'),
        (
            {"SOAK_EXPORTER": "nonsense"},
            "SOAK_EXPORTER: nonsense is not a URL like http://127.0.0.1:9877",
        ),
    ],
)
def test_a_variable_that_is_wrong_is_named(environment: dict[str, str], message: str) -> None:
    need("wrk")
    done = typed("scripts/benchmarks/run_wrk.sh -t1 -c1 -d1s", **environment)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"run_wrk.sh: {message}\n"


def test_a_script_with_a_mistake_ends_the_run_instead_of_sending_something_else(
    recorder: Recorder, tmp_path: Path
) -> None:
    script = tmp_path / "bad.lua"
    script.write_text("wrk.method = = 1\n", encoding="utf-8")
    done = typed("scripts/benchmarks/run_wrk.sh -d1s", WRK_TARGET=recorder.url, WRK_SCRIPT=str(script))
    assert done.returncode == 2
    assert done.stderr.startswith("run_wrk.sh: WRK_SCRIPT: ")
    assert done.stderr.endswith("bad.lua:1: unexpected symbol near '='\n")
    assert done.stderr.count("\n") == 1
    assert recorder.seen == []


def start(router: NativeStack, command: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        ["bash", "-c", command],
        cwd=CHECKOUT,
        env={"PATH": os.environ["PATH"], "WRK_TARGET": router.ports.url("router"), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@pytest.mark.parametrize(
    ("number", "whom"),
    [(signal.SIGINT, "terminal"), (signal.SIGINT, "script"), (signal.SIGTERM, "script")],
)
def test_an_interrupted_run_still_has_its_figures_and_leaves_nothing(
    router: NativeStack, tmp_path: Path, number: signal.Signals, whom: str
) -> None:
    run = start(
        router,
        "exec scripts/benchmarks/run_wrk.sh -t2 -c4 -d60s --latency",
        SOAK_EXPORTER="",
        TMPDIR=str(tmp_path),
    )
    wait_for("the load", lambda: truth(router)["requests"] > 200)
    assert list(tmp_path.iterdir())
    if whom == "script":
        run.send_signal(number)
    else:
        os.killpg(run.pid, number)
    output, errors = run.communicate(timeout=30)
    assert (run.returncode, errors) == (0, "")
    assert requests_of(output) >= 100
    assert "\n   99.9% " in output
    assert list(tmp_path.iterdir()) == []


def ignores_ctrl_c(parent: int, script: str) -> bool:
    """Whether the parent's child that runs the script is so far as to ignore SIGINT."""
    for child in psutil.Process(parent).children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            if any(part.endswith(script) for part in child.cmdline()):
                status = Path(f"/proc/{child.pid}/status").read_text(encoding="utf-8")
                [mask] = re.findall(r"^SigIgn:\s*(\S+)", status, re.MULTILINE)
                return bool(int(mask, 16) & 1 << signal.SIGINT - 1)
    return False


def test_ctrl_c_at_a_pipeline_still_gives_a_row(router: NativeStack) -> None:
    run = start(
        router,
        "trap : INT; cd scripts/benchmarks; ./run_wrk.sh -t2 -c4 -d60s | ./wrk_parse.py --label cut",
        SOAK_EXPORTER="",
    )
    wait_for("the load", lambda: truth(router)["requests"] > 200)
    wait_for("the parser to leave Ctrl-C to wrk", lambda: ignores_ctrl_c(run.pid, "wrk_parse.py"))
    os.killpg(run.pid, signal.SIGINT)
    output, errors = run.communicate(timeout=30)
    [row] = csv.DictReader(output.splitlines())
    assert errors == ""
    assert int(row["requests"]) >= 100
    assert float(row["p95_ms"]) > 0


# Nothing installed


@pytest.mark.parametrize("tool", ["wrk_parse.py", "hey_parse.py"])
def test_the_parsers_need_nothing_but_python(tool: str) -> None:
    text = (FIXTURES / tool.partition("_")[0] / "several-runs.txt").read_bytes()
    python = "/usr/bin/python3" if Path("/usr/bin/python3").exists() else shutil.which("python3")
    assert python
    done = subprocess.run(
        [python, "-I", "-S", "-W", "error", str(TOOLS / tool), "--label", "bare"],
        input=text,
        env={},
        cwd="/",
        capture_output=True,
        check=False,
        timeout=30,
    )
    assert [row["label"] for row in csv.DictReader(done.stdout.decode().splitlines())] == ["bare", "bare-2"]


@pytest.mark.parametrize("tool", ["wrk_parse.py", "hey_parse.py"])
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the input is empty"),
        ("\nunable to connect to h:1 refused\n", "the input begins: unable to connect to h:1 refused"),
        ("\x1b[31mred\n", "the input begins: \ufffd[31mred"),
    ],
)
def test_nothing_to_parse_is_an_error_without_a_header(tool: str, text: str, said: str) -> None:
    done = subprocess.run(
        [str(TOOLS / tool), "--label", "x"], input=text, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("tool", "file", "rows", "said"),
    [
        ("wrk_parse.py", "wrk/several-runs.txt", 2, "unable to connect to localhost:1 Connection refused"),
        ("hey_parse.py", "hey/csv.csv", 1, "1 lines that are no response in hey's CSV"),
    ],
)
def test_what_is_missing_from_the_rows_is_said(tool: str, file: str, rows: int, said: str) -> None:
    text = (FIXTURES / file).read_text("utf-8")
    text = text if tool == "wrk_parse.py" else text[:-9]
    done = subprocess.run(
        [str(TOOLS / tool), "--label", "x"], input=text, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert len(done.stdout.splitlines()) == 1 + rows
    assert said in done.stderr


@pytest.mark.parametrize("tool", ["wrk_parse.py", "hey_parse.py"])
def test_a_label_is_wanted_and_help_teaches(tool: str) -> None:
    missing = subprocess.run([str(TOOLS / tool)], input="", capture_output=True, text=True, check=False)
    assert (missing.returncode, missing.stdout) == (2, "")
    assert "--label" in missing.stderr
    taught = subprocess.run([str(TOOLS / tool), "--help"], capture_output=True, text=True, check=False)
    assert taught.returncode == 0
    assert COLUMNS in taught.stdout
    assert f"| scripts/benchmarks/{tool} --label" in taught.stdout


# Live


@pytest.fixture
def watched(router: NativeStack) -> NativeStack:
    """The simulated router and an exporter."""
    router.start_exporter()
    return router


def live_run(watched: NativeStack, options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    done = typed(
        f"scripts/benchmarks/run_wrk.sh {options}",
        WRK_TARGET=watched.ports.url("router"),
        SOAK_EXPORTER=watched.ports.url("exporter"),
        WRK_VERBOSE="1",
        **environment,
    )
    assert done.returncode == 0
    assert done.stderr == f"run_wrk.sh: the run is live at {watched.ports.url('exporter')}/metrics\n"
    return done


def counted(stack: NativeStack, count: int, **labels: str) -> Callable[[], bool]:
    return lambda: total(stack, "benchmark_requests_total", **labels) >= count


@pytest.mark.parametrize("options", ["-t4 -c4 -d3s", "--threads 2 --conn=10 -d 3"])
def test_what_the_exporter_counts_of_a_run_is_what_wrk_counts(watched: NativeStack, options: str) -> None:
    done = live_run(watched, options, WRK_MODEL="openai:gpt-4o")
    count = requests_of(done.stdout)
    assert count > 100
    wait_for("all of the run on /metrics", counted(watched, count))
    assert total(watched, "benchmark_requests_total") == count
    labels = {"route": "openai", "model": "openai:gpt-4o", "status_class": "2xx"}
    assert total(watched, "benchmark_requests_total", **labels) == count
    assert total(watched, "benchmark_request_failures_total") == 0
    assert total(watched, "benchmark_run_active") == 0


def test_failures_of_a_live_run_are_live_too(watched: NativeStack) -> None:
    fault(watched, "error", ratio=0.3, status=503)
    fault(watched, "drop_connections", ratio=0.02, mode="rst")
    done = live_run(watched, "-t4 -c4 -d3s")
    end_faults(watched)
    [errors] = re.findall(r"Non-2xx or 3xx responses: (\d+)", done.stdout)
    [read] = re.findall(r"read (\d+), write 0", done.stdout)
    wait_for("all of the run on /metrics", counted(watched, requests_of(done.stdout)))
    assert total(watched, "benchmark_requests_total", status_class="5xx") == int(errors)
    assert total(watched, "benchmark_request_failures_total", reason="read") == int(read)


def test_a_live_run_says_what_it_is(watched: NativeStack) -> None:
    run = start(
        watched,
        "exec scripts/benchmarks/run_wrk.sh -Lt2 -c2 -d 1h",
        SOAK_EXPORTER=watched.ports.url("exporter"),
        WRK_TARGET=watched.ports.url("router").replace("http://", "http://user:password@"),
        WRK_SCRIPT="scripts/benchmarks/chat_anthropic.lua",
        WRK_LABEL='a "label" \\ 日本',
        WRK_API_KEY="sk-secret",
    )
    before = time.time()

    def running() -> dict[str, str]:
        return next((dict(labels) for name, labels in metrics(watched) if name == "benchmark_run_info"), {})

    info = wait_for("the run on /metrics", running)
    del info["run"]
    assert info == {
        "scenario": "anthropic",
        "engine": "wrk",
        "route": "anthropic",
        "model": "anthropic:claude-3-opus",
        "target": watched.ports.url("router"),
        "connections": "2",
        "label": 'a "label" \\ 日本',
    }
    assert total(watched, "benchmark_run_planned_duration_seconds") == 3600
    assert total(watched, "benchmark_run_start_timestamp_seconds") == pytest.approx(before, abs=30)
    wait_for("requests on /metrics while it runs", counted(watched, 100, status_class="2xx"))
    assert total(watched, "benchmark_run_active") == 1
    run.send_signal(signal.SIGINT)
    output, errors = run.communicate(timeout=30)
    assert (run.returncode, errors) == (0, "")
    assert total(watched, "benchmark_run_active") == 0
    wait_for("all of the run on /metrics", counted(watched, requests_of(output)))
    assert "sk-secret" not in requests.get(watched.ports.url("exporter") + "/metrics", timeout=10).text


def test_a_live_run_sends_the_same_and_keeps_a_scripts_hooks(
    watched: NativeStack, recorder: Recorder, tmp_path: Path
) -> None:
    body = '{"model":"google:gemini-1.5-pro","x":"]] \\" 日本"}\n'
    environment = {"SOAK_EXPORTER": watched.ports.url("exporter")}
    recorder.run(WRK_BODY_JSON=body, WRK_HEADERS="X-A: b", **environment)
    method, path, headers, sent = recorder.only()
    assert (method, path, sent) == ("POST", CHAT, body.encode())
    assert (headers["x-a"], headers["content-type"]) == ("b", "application/json")
    assert total(watched, "benchmark_requests_total", model="google:gemini-1.5-pro", route="google") > 0
    recorder.seen.clear()
    script = tmp_path / "mine.lua"
    script.write_text(USER_SCRIPT, encoding="utf-8")
    output = recorder.run(WRK_SCRIPT=str(script), WRK_MODEL="mine", **environment)
    assert recorder.only()[:2] == ("PUT", "/mine")
    assert f"script: {requests_of(output)}\n" in output
    assert total(watched, "benchmark_requests_total", model="mine", route="local") == requests_of(output)


def test_without_an_exporter_the_run_is_the_same_and_says_so_when_asked(router: NativeStack) -> None:
    environment = {"WRK_TARGET": router.ports.url("router"), "SOAK_EXPORTER": router.ports.url("exporter")}
    quiet = typed("scripts/benchmarks/run_wrk.sh -t1 -c1 -d1s", **environment)
    assert (quiet.returncode, quiet.stderr) == (0, "")
    told = typed("scripts/benchmarks/run_wrk.sh -t1 -c1 -d1s", WRK_VERBOSE="1", **environment)
    assert (told.returncode, told.stderr) == (
        0,
        f"run_wrk.sh: no exporter answers at {router.ports.url('exporter')}; the run is not live\n",
    )
    assert requests_of(told.stdout) > 10


def test_something_else_at_the_exporters_port_is_no_exporter(recorder: Recorder) -> None:
    done = typed(
        "scripts/benchmarks/run_wrk.sh -t1 -c1 -d1s",
        WRK_TARGET=recorder.url,
        SOAK_EXPORTER=recorder.url,
        WRK_VERBOSE="1",
    )
    assert done.returncode == 0
    assert (
        done.stderr == f"run_wrk.sh: the exporter at {recorder.url} does not take the run; it is not live\n"
    )
