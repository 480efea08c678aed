"""What `soak run` sends with the real wrk: body, headers, key, and a script of the user's own."""

from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from exporter.stack.native import NativeStack
from tests.support.local_http import LocalHttp
from tests.support.soak_command import Soak, total
from tests.support.waiting import need, wait_for

MODEL = "gpt-oss:20b"


@pytest.fixture(autouse=True)
def _wrk() -> None:
    need("wrk")


@pytest.fixture
def live(shared: NativeStack) -> NativeStack:
    """One for all tests of this file."""
    return shared


def test_a_users_script_keeps_all_its_hooks(live: NativeStack, soak: Soak, tmp_path: Path) -> None:
    log = tmp_path / "hooks"
    script = tmp_path / "mine.lua"
    script.write_text(
        f"""
        wrk.method = "POST"
        wrk.body = '{{"model": "{MODEL}", "messages": [{{"role": "user", "content": "mine"}}]}}'
        local asked, answered = 0, 0
        local threads = {{}}
        function setup(thread) threads[#threads + 1] = thread; thread:set("from_setup", 7) end
        function init(args) mine = wrk.format(nil, nil, {{["Content-Type"] = "application/json"}}) end
        function request() asked = asked + 1; return mine end
        function response(status, headers, body)
          answered = answered + 1
          seen = from_setup .. " " .. status .. " " .. tostring(#body > 10)
        end
        function done(summary, latency, requests)
          local file = io.open("{log}", "w")
          file:write(summary.requests .. " " .. threads[1]:get("seen"))
          file:close()
        end
        """
    )
    ended = soak("--duration", "2s", "--connections", "2", "--script", str(script)).end()
    assert ended.code == 0, ended.errors
    assert log.read_text() == f"{ended.document['evidence']['engine']['requests']} 7 200 true"


def test_a_script_with_an_error_is_refused_in_one_line(
    live: NativeStack, soak: Soak, results: Path, tmp_path: Path
) -> None:
    script = tmp_path / "broken.lua"
    script.write_text("function request( return nil end")
    ended = soak("--duration", "5s", "--script", str(script)).end()
    assert ended.code == 2
    assert ended.errors.strip().splitlines()[-1].startswith("soak: wrk: live.lua: user script: ")
    assert "Traceback" not in ended.errors
    assert not list(results.iterdir())


@pytest.fixture
def target() -> Iterator[LocalHttp]:
    """A target that answers everything with 200."""
    with LocalHttp(lambda asked: (200, {})) as server:
        yield server


def test_body_headers_and_key_go_over_the_wire_as_given_and_the_key_nowhere_else(
    live: NativeStack,
    soak: Soak,
    results: Path,
    tmp_path: Path,
    target: LocalHttp,
) -> None:
    body = '{"model": "openai:gpt-4o", "q": "\\"]] ]=] \' 日本語\\n", "x": 1}\r\n\x00tail'.encode()
    (tmp_path / "body").write_bytes(body)
    run = soak(
        *("--target", target.url, "--duration", "2s", "--connections", "2", "--body", str(tmp_path / "body")),
        *("--model", "openai:gpt-4o", "--header", "X-Trace: a: b", "--api-key-env", "ROUTER_KEY"),
        "--watched-elsewhere",
        ROUTER_KEY="sk_secret_words",
    )
    wait_for("a request", lambda: bool(target.asked))
    shown = [
        argument
        for process in psutil.Process(run.process.pid).children(recursive=True)
        for argument in process.cmdline()
    ]
    ended = run.end()
    sent = next(each for each in target.asked if each.method == "POST")
    assert sent.body == body
    assert sent.headers["Authorization"] == "Bearer sk_secret_words"
    assert sent.headers["X-Trace"] == "a: b"
    assert sent.headers["Content-Type"] == "application/json"
    written = ended.output + ended.errors + ended.record + " ".join(shown)
    written += "".join(path.read_text("utf-8") for path in results.rglob("run.json"))
    assert "sk_secret_words" not in written
    assert ended.document["run"]["model"] == "openai:gpt-4o"
    # What is on its way when wrk stops has been seen and is not counted: one a connection at most.
    counted = total(live, "benchmark_requests_total", route="openai", model="openai:gpt-4o")
    asked = [each for each in target.asked if each.method == "POST"]
    assert 0 <= len(asked) - counted <= 2
