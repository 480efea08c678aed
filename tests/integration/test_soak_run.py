"""`soak run` with the real wrk against the simulated router and the real exporter."""

import json
import os
import signal
import subprocess
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import psutil
import pytest
import requests

from exporter.stack import NativeStack
from tests.conftest import need, wait_for
from tests.integration.soak_command import Soak, SoakRun, end_faults, fault, metrics, total, truth

MODEL = "gpt-oss:20b"


@pytest.fixture(autouse=True)
def _wrk() -> None:
    need("wrk")


def running(live: NativeStack, least: int = 200) -> None:
    """Wait until so many requests of the run have been published."""

    def published() -> bool:
        try:
            return total(live, "benchmark_requests_total") >= least
        except (KeyError, requests.RequestException):
            return False

    wait_for(f"{least} requests on /metrics", published)


def test_every_source_tells_the_same_total_after_a_clean_run(live: NativeStack, soak: Soak) -> None:
    ended = soak("--duration", "4s", "--connections", "10", "--label", "clean").end()
    evidence = ended.document["evidence"]
    sent = truth(live)["inference_responses"]
    assert ended.code == 0, ended.errors
    assert ended.document["verdict"]["outcome"] == "pass"
    assert set(sent) == {"200"}
    # A response whose connection wrk closes at the end is sent and not received: never more than one each.
    assert 0 <= sent["200"] - evidence["engine"]["requests"] <= 10
    count = evidence["engine"]["requests"]
    assert count > 1000
    assert evidence["requests"] == {"1xx": 0, "2xx": count, "3xx": 0, "4xx": 0, "5xx": 0}
    assert {name: each["responses"] for name, each in evidence["counts_by_source"].items()} == dict.fromkeys(
        ("engine", "live", "exporter", "scraped"), count
    )
    assert total(live, "benchmark_requests_total") == count
    assert total(live, "benchmark_requests_total", route="local", model=MODEL, status_class="2xx") == count
    assert total(live, "benchmark_request_duration_seconds_count", status_class="2xx") == count
    assert total(live, "benchmark_request_failures_total") == 0
    [row] = ended.csv_rows
    assert (row["label"], row["requests"], row["non2xx"], row["socket_errors"]) == (
        "clean",
        str(count),
        "0",
        "0",
    )
    assert float(row["rps"]) == pytest.approx(count / evidence["measured_seconds"], abs=0.01)
    assert f"RPS: {row['rps']}" in ended.record


def test_a_killed_and_restarted_exporter_loses_and_doubles_nothing(live: NativeStack, soak: Soak) -> None:
    run = soak("--duration", "8s", "--connections", "10")
    running(live, 1000)
    before = metrics(live)
    live.kill("exporter")
    live.start_exporter()
    after = metrics(live)
    counters = [key for key in before if key[0].startswith("benchmark_request") and key[0].endswith("_total")]
    assert counters
    for key in counters:
        assert after[key] >= before[key], key
    ended = run.end()
    count = ended.document["evidence"]["engine"]["requests"]
    assert total(live, "benchmark_requests_total") == count
    assert ended.document["evidence"]["counts_by_source"]["exporter"] == {"responses": count, "failures": 0}


def test_an_exporter_that_is_away_at_the_end_is_waited_for(live: NativeStack, soak: Soak) -> None:
    run = soak("--duration", "4s", "--connections", "5")
    running(live, 500)
    live.kill("exporter")
    wait_for("wrk has ended", lambda: not _children(run, "wrk"))
    live.start_exporter()
    ended = run.end()
    assert total(live, "benchmark_requests_total") == ended.document["evidence"]["engine"]["requests"]


def test_a_second_run_goes_on_counting_where_the_first_ended(
    live: NativeStack, soak: Soak, results: Path
) -> None:
    counts = []
    for _ in range(2):
        ended = soak("--duration", "2s", "--connections", "3").end()
        assert ended.code == 0, ended.errors
        counts.append(ended.document["evidence"]["engine"]["requests"])
    assert total(live, "benchmark_requests_total") == sum(counts)
    assert len(list(results.glob("*.csv"))) == len(list(results.glob("*.md"))) == 2


def test_a_run_without_a_single_2xx_is_a_failure_and_says_so_at_once(live: NativeStack, soak: Soak) -> None:
    fault(live, "error", status=401, ratio=1.0)
    run = soak("--duration", "4s", "--connections", "5")
    ended = run.end()
    assert ended.code == 1
    assert "no response is 2xx so far (401:" in ended.errors
    [answers] = [f for f in ended.document["verdict"]["findings"] if f["check"] == "answers"]
    assert answers["outcome"] == "fail"
    assert "2xx: 401:" in answers["text"]
    [row] = ended.csv_rows
    assert (row["rps"], row["p95_ms"], row["p99_ms"]) == ("0.00", "", "")
    assert row["non2xx"] == row["requests"] != "0"
    assert not any(name == "benchmark_request_duration_quantile_seconds" for name, _ in metrics(live))


@pytest.mark.parametrize("route", ["openai", "google", "anthropic"])
def test_a_cloud_scenario_without_a_key_is_named_for_what_it_is(
    live: NativeStack, soak: Soak, route: str
) -> None:
    ended = soak("--scenario", route, "--duration", "2s", "--connections", "2").end()
    assert ended.code == 1
    assert ended.document["run"]["route"] == route
    assert ended.document["run"]["model"].startswith(f"{route}:")
    [answers] = [f for f in ended.document["verdict"]["findings"] if f["check"] == "answers"]
    assert f"{route.upper()}_API_KEY in its environment" in answers["text"]
    assert f"- 対象: {route}" in ended.record
    assert total(live, "benchmark_requests_total", route=route, status_class="4xx") > 0


@pytest.mark.parametrize("mode", ["fin", "rst"])
def test_dropped_connections_are_counted_as_disconnects(live: NativeStack, soak: Soak, mode: str) -> None:
    fault(live, "drop_connections", ratio=0.02, mode=mode)
    ended = soak("--duration", "4s", "--connections", "10").end()
    end_faults(live)
    dropped = truth(live)["dropped"]
    failures = ended.document["evidence"]["failures"]
    lost = failures["read"] + failures["disconnect"] + failures["truncated"]
    assert ended.code == 1
    assert dropped > 10
    # One that is dropped in the moment wrk stops may be seen by one side alone.
    assert 0 <= dropped - lost <= 10
    assert failures["connect"] == failures["write"] == 0
    assert total(live, "benchmark_request_failures_total") == lost


def test_truncated_answers_are_no_successes(live: NativeStack, soak: Soak) -> None:
    fault(live, "truncate", ratio=0.05)
    ended = soak("--duration", "3s", "--connections", "5").end()
    evidence = ended.document["evidence"]
    assert ended.code == 1
    assert 0 <= truth(live)["truncated"] - sum(evidence["failures"].values()) <= 5
    assert evidence["requests"]["2xx"] == evidence["engine"]["requests"]


def test_hung_requests_are_stalled_connections_and_a_failure(live: NativeStack, soak: Soak) -> None:
    run = soak("--duration", "12s", "--connections", "4", "--stall-after", "2s")
    running(live)
    fault(live, "hang", ratio=1.0)
    wait_for(
        "four stalled connections on /metrics",
        lambda: total(live, "benchmark_connections", state="stalled") == 4,
    )
    assert total(live, "benchmark_in_flight_requests") == 4
    ended = run.end()
    assert ended.code == 1
    assert ended.document["evidence"]["stalled_connections"] == 4


def test_a_router_that_goes_away_and_comes_back_is_told_from_cut_off_answers(
    live: NativeStack, soak: Soak
) -> None:
    run = soak("--duration", "10s", "--connections", "5")
    running(live)
    fault(live, "restart", downtime_seconds=2)
    ended = run.end()
    evidence = ended.document["evidence"]
    assert ended.code == 1
    assert evidence["failures"]["write"] + evidence["failures"]["connect"] > 0
    assert evidence["failures"]["read"] + evidence["failures"]["disconnect"] <= 20
    # wrk asks again at once while nothing listens; the script slows it down.
    assert evidence["failures"]["write"] < 1000
    assert total(live, "observed_process_restarts_total", role="router") == 1
    assert any(
        f["check"] == "router" and f["outcome"] == "fail" for f in ended.document["verdict"]["findings"]
    )


def test_ctrl_c_keeps_what_was_measured(live: NativeStack, soak: Soak) -> None:
    run = soak("--duration", "60s", "--connections", "5")
    running(live)
    run.process.send_signal(signal.SIGINT)
    ended = run.end()
    evidence = ended.document["evidence"]
    assert ended.code == 3
    assert evidence["ended_early"] == "stopped by the user"
    assert (
        evidence["engine"]["requests"]
        == evidence["requests"]["2xx"]
        == total(live, "benchmark_requests_total")
    )
    assert len(ended.csv_rows) == 1
    assert not _children(run, "wrk")


def test_a_killed_wrk_makes_the_run_inconclusive_and_keeps_the_counts(live: NativeStack, soak: Soak) -> None:
    run = soak("--duration", "60s", "--connections", "5")
    running(live)
    [wrk] = _children(run, "wrk")
    wrk.kill()
    ended = run.end()
    assert ended.code == 3
    assert "wrk" in ended.document["evidence"]["ended_early"]
    assert ended.document["evidence"]["requests"]["2xx"] == total(live, "benchmark_requests_total") > 0


def test_a_users_script_keeps_all_its_hooks(live: NativeStack, soak: Soak, tmp_path: Path) -> None:
    log = tmp_path / "hooks"
    script = tmp_path / "mine.lua"
    script.write_text(
        f"""
        wrk.method = "POST"
        wrk.body = '{{"model": "{MODEL}", "messages": [{{"role": "user", "content": "mine"}}]}}'
        local asked, answered = 0, 0
        function setup(thread) thread:set("from_setup", 7) end
        function init(args) mine = wrk.format(nil, nil, {{["Content-Type"] = "application/json"}}) end
        function request() asked = asked + 1; return mine end
        function response(status, headers, body)
          answered = answered + 1
          seen = from_setup .. " " .. status .. " " .. tostring(#body > 10)
        end
        function done(summary, latency, requests)
          local file = io.open("{log}", "w")
          file:write(summary.requests .. " " .. soak_threads[1]:get("seen"))
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


def test_a_thousand_connections_are_measured(live: NativeStack, soak: Soak) -> None:
    ended = soak("--duration", "6s", "--connections", "1000").end()
    evidence = ended.document["evidence"]
    assert evidence["counts_by_source"]["exporter"]["responses"] == evidence["engine"]["requests"] > 1000
    assert sum(evidence["failures"].values()) == 0


class _Recording(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    seen: list[tuple[bytes, dict[str, str]]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.seen.append((body, dict(self.headers)))
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def recording() -> "tuple[str, list[tuple[bytes, dict[str, str]]]]":
    handler = type("Handler", (_Recording,), {"seen": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}", handler.seen
    server.shutdown()
    server.server_close()


def test_body_headers_and_key_go_over_the_wire_as_given_and_the_key_nowhere_else(
    live: NativeStack,
    soak: Soak,
    results: Path,
    tmp_path: Path,
    recording: "tuple[str, list[tuple[bytes, dict[str, str]]]]",
) -> None:
    url, seen = recording
    body = '{"model": "openai:gpt-4o", "q": "\\"]] ]=] \' 日本語\\n", "x": 1}\r\n\x00tail'.encode()
    (tmp_path / "body").write_bytes(body)
    run = soak(
        *("--target", url, "--duration", "2s", "--connections", "2", "--body", str(tmp_path / "body")),
        *("--model", "openai:gpt-4o", "--header", "X-Trace: a: b", "--api-key-env", "ROUTER_KEY"),
        ROUTER_KEY="sk_secret_words",
    )
    wait_for("a request", lambda: bool(seen))
    shown = [
        argument
        for process in psutil.Process(run.process.pid).children(recursive=True)
        for argument in process.cmdline()
    ]
    ended = run.end()
    sent_body, headers = seen[0]
    assert sent_body == body
    assert headers["Authorization"] == "Bearer sk_secret_words"
    assert headers["X-Trace"] == "a: b"
    assert headers["Content-Type"] == "application/json"
    written = ended.output + ended.errors + ended.record + " ".join(shown)
    written += "".join(path.read_text("utf-8") for path in results.rglob("run.json"))
    assert "sk_secret_words" not in written
    assert ended.document["run"]["model"] == "openai:gpt-4o"
    # What is on its way when wrk stops has been seen and is not counted: one a connection at most.
    assert (
        0 <= len(seen) - total(live, "benchmark_requests_total", route="openai", model="openai:gpt-4o") <= 2
    )


def test_a_run_without_an_exporter_starts_its_own_and_stops_it(
    live: NativeStack, results: Path, tmp_path: Path
) -> None:
    live.kill("exporter")
    if requests_answer("http://127.0.0.1:9877/-/healthy"):
        pytest.skip("an exporter of this machine's own listens on 9877")
    command = [
        "python",
        "-m",
        "exporter.cli",
        "run",
        "--target",
        live.ports.url("router"),
        "--duration",
        "2s",
    ]
    ended = subprocess.run(
        [*command, "--drain", "1s", "--connections", "2", "--results", str(tmp_path), "--json"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PATH": f"{Path(os.sys.executable).parent}:{os.environ['PATH']}"},
    )
    assert ended.returncode == 0, ended.stderr
    assert "exporter for this run: http://127.0.0.1:" in ended.stderr
    assert json.loads(ended.stdout)["verdict"]["outcome"] == "pass"
    own = ended.stderr.split("exporter for this run: ")[1].split("/metrics")[0]
    assert not requests_answer(own + "/-/healthy")


def requests_answer(url: str) -> bool:
    """Whether anything answers there."""
    try:
        requests.get(url, timeout=2)
    except requests.RequestException:
        return False
    return True


def _children(run: SoakRun, name: str) -> list[psutil.Process]:
    try:
        children = psutil.Process(run.process.pid).children(recursive=True)
        return [child for child in children if child.name() == name]
    except psutil.NoSuchProcess:
        return []
