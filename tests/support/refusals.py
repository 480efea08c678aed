"""What the program refuses, and what each refusal has to name: option, key, file or figure.

The words are in tests/golden/messages.txt (tests/contract/test_messages.py). A new message is one line in one
of these tables.
"""

import gzip
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Never

import pytest
from pydantic import SecretStr

from exporter.cli import exporter as exporter_command
from exporter.cli import simulate as simulate_command
from exporter.cli.main import soak
from exporter.errors import PortTakenError, SoakError, cannot_listen
from exporter.http_server.config import TlsServer
from exporter.http_server.tls import server_context
from exporter.live.message import Phase
from exporter.live.results_csv import ResultRow, rows_text
from exporter.live.runs import MAX_RUNS, LiveRuns
from exporter.results.plot import plot_rows
from exporter.run.exporter_client import ExporterClient
from exporter.settings.shipped import shipped
from exporter.stack.servers import find_program
from tests.support.clocks import FakeClock
from tests.support.live_messages import RUN, announced, register, run_info, token_of
from tests.support.local_http import Asked, Body, LocalHttp

ROW = ResultRow("nightly", 100.0, 10.0, 12.0, 15.0, 20.0, 40.0, 0, 0, 3000, 30.0)
LISTENING = "http://LISTENING"
"""stands for a target that answers: `/STATUS` with that status, `/page` with a web page, the rest with 200"""

COMMANDS: Mapping[tuple[str, ...], str] = {
    ("judge", "--start", "2h"): "--prometheus: missing",
    ("judge", "--prometheus", "http://127.0.0.1:1"): "--start: missing",
    ("judge", "--prometheus", "http://127.0.0.1:1", "--start", "yesterday"): "--start: 'yesterday'",
    ("judge", "--prometheus", "http://127.0.0.1:1", "--start", "2026-11-28 22:00"): "--start: '2026-11-28",
    ("judge", "--prometheus", "http://127.0.0.1:1", "--start", "2d", "--end", "3d"): "--end: '3d'",
    ("judge", "--prometheus", "http://127.0.0.1:1", "--start", "8d"): "--start: a window of 8.0 days",
    ("judge", "--prometheus", "http://127.0.0.1:1", "--start", "1000"): "--start: '1000'",
    ("judge", "--prometheus", "http://127.0.0.1:1", "--start", "4000000000"): "--start: '4000000000' is in",
    ("judge", "--prometheus", "http://127.0.0.1:1", "--start", "2h"): "--prometheus: no Prometheus answers",
    ("judge", "--prometheus", "prom:9090", "--start", "2h"): "--prometheus: 'prom:9090'",
    ("judge", "--prometheus", "http://u:p@h", "--start", "2h"): "--prometheus: no user",
    ("judge", "--prometheus", "http://h", "--start", "2h", "--match", "up"): "--match: 'up'",
    ("judge", "--prometheus", "http://h", "--start", "2h", "--match", 'a="b"} or up{'): "--match: ",
    ("judge", "--prometheus", "http://h", "--start", "2h", "--match", 'a=~"("'): "--match: a: '('",
    ("judge", "--prometheus", "http://h", "--start", "2h", "--match", 'a=~"x\\.y"'): "--match: \\.",
    ("judge", "--prometheus", "http://h", "--start", "2h", "--match", '__name__="up"'): "--match: __name__",
    ("judge", "--prometheus", "http://h", "--start", "2h", "--job", ""): "--job: ",
    ("judge", "--prometheus", "http://h", "--start", "2h", "--label", "a b"): "--label: 'a b'",
    ("judge", "--prometheus", "http://h", "--start", "2h", "--prometheus.config", "missing"): "missing: ",
    ("watch", "--drain", "1s"): "--drain: is about COMMAND",
    ("watch", "--duration", "soon"): "--duration: 'soon'",
    ("watch", "--target", "http://user:hunter2@h"): "--target: ",
    ("watch", "--require", "latency"): "--require: latency: ",
    ("watch", "--label", "../x"): "--label: '../x'",
    ("watch", "--", "no-such-program"): "no-such-program: cannot be started",
    ("run", "--duration", "soon"): "--duration: 'soon'",
    ("run", "--drain", "-1"): "--drain: '-1'",
    ("run", "--warmup", "soon"): "--warmup: 'soon'",
    ("run", "--warmup", "30s"): "--warmup: 30 s are no less than --duration",
    ("run", "--rest", "1m", "--warmup", "15s"): "--warmup: 15 s are no less than the first half",
    ("run", "--rest", "1m", "--duration", "3s"): "--rest: a load of 3 s has no two halves",
    ("run", "--rest", "1m", "--max-requests", "39"): "--max-requests: 39 is less than one for each",
    ("run", "--stall-after", "0s"): "--stall-after: '0s'",
    ("run", "--header", "no colon"): "--header: ",
    ("run", "--header", "my key: x"): "--header: 'my key'",
    ("run", "--target", LISTENING, "--engine", "hey", "--header", "X: y"): "--header: hey",
    ("run", "--target", LISTENING, "--engine", "hey", "--endpoint", "/v1/x?key=abc"): "--endpoint: hey",
    ("run", "--label", "../../etc/x"): "--label: '../../etc/x'",
    ("run", "--label", "a\n"): r"--label: 'a\n'",
    ("run", "--model", "two\nlines"): r"--model: 'two\nlines'",
    ("run", "--target", "localhost:8080"): "--target: 'localhost:8080'",
    ("run", "--target", "http://h/path"): "--target: 'http://h/path'",
    ("run", "--target", "http://h?key=a"): "--target: 'http://h?key=a'",
    ("run", "--target", "http://user:hunter2@h"): "--target: ",
    ("run", "--target", "http://r\u00fcter"): "--target: ",
    ("run", "--cacert", "missing.pem"): "missing.pem: ",
    ("run", "--cacert", "empty"): "empty: ",
    ("run", "--target", f"http://{'h' * 61}.{'h' * 61}.org:80"): "--target",
    ("WRK_TARGET=nowhere", "run"): "--target: 'nowhere'",
    ("WRK_ENDPOINT=v1", "run"): "--endpoint: 'v1'",
    ("ROUTER_PORT=http", "run"): "ROUTER_PORT: 'http' is no port",
    ("ROUTER_PORT=65536", "up"): "ROUTER_PORT: '65536' is no port",
    ("ROUTER_PORT=tcp://10.0.0.1:80", "watch"): "ROUTER_PORT: 'tcp://10.0.0.1:80' is no port",
    ("run", "--endpoint", "v1"): "--endpoint: 'v1'",
    ("run", "--body", "missing.json"): "--body: missing.json",
    ("run", "--script", "missing.lua"): "--script: missing.lua",
    ("run", "--scenario", "openai", "--model", "gpt-oss:20b"): "--scenario: openai",
    ("run", "--api-key-env", "NOT_SET"): "NOT_SET",
    ("KEY=a\x01", "run", "--api-key-env", "KEY"): "API key",
    ("KEY=a", "run", "--api-key-env", "KEY", "--api-key-file", "empty"): "API key",
    ("run", "--api-key-file", "missing"): "missing: ",
    ("run", "--api-key-file", "empty"): "empty: ",
    ("run", "--target", "http://127.0.0.1:1"): "http://127.0.0.1:1",
    ("PATH=none", "run", "--engine", "wrk", "--target", LISTENING): "wrk: ",
    ("PATH=old", "run", "--target", LISTENING): "old/wrk is too old (wrk 4.0.0)",
    ("PATH=other", "run", "--target", LISTENING): "other/wrk",
    ("run", "--target", LISTENING, "--results", "empty/results"): "--results: ",
    ("run", "--target", LISTENING, "--exporter", "somewhere"): "--exporter: 'somewhere'",
    ("run", "--target", LISTENING, "--exporter", "http://127.0.0.1:1"): "--exporter: ",
    ("run", "--target", LISTENING, "--exporter.config", "empty"): "--exporter.config: ",
    ("run", "--target", LISTENING, "--exporter", "http://a:hunter2@b"): "--exporter: ",
    ("run", "--target", LISTENING, "--watched-elsewhere"): "--watched-elsewhere: ",
    ("run", "--target", LISTENING, "--own-exporter-listen", "9877"): "--own-exporter-listen: '9877'",
    ("run", "--target", LISTENING, "--own-exporter-listen", ":1", "--exporter", "http://h"): (
        "--own-exporter-listen: "
    ),
    ("run", "--target", LISTENING, "--prometheus", "http://127.0.0.1:1"): "--prometheus: ",
    **{
        ("run", "--target", LISTENING, "--endpoint", f"/{place}"): f"POST /{place}"
        for place in ("301", "400", "401", "403", "404", "422", "page")
    },
    ("run", "--target", LISTENING.replace("http:", "https:")): "plain HTTP",
    ("run", "--scenario", "openai", "--duration", "45m"): "--max-requests N, or --yes",
    ("scale", "--scenario", "google", "--duration", "20s"): "80 s",
    ("scale", "--duration", "45"): "--duration: '45'",
    ("DURATION=90", "demo"): "write 90s or 90m",
    ("run", "--max-requests", "5"): "--max-requests: 5",
    ("scale", "--max-requests", "399"): "--max-requests: 399 are 99 for each",
    ("run", "--target", LISTENING, "--prometheus", "http://127.0.0.1:99999"): "--prometheus: ",
    ("run", "--target", LISTENING, "--prometheus", "localhost:9090"): "--prometheus: 'localhost:9090'",
    ("run", "--target", LISTENING, "--prometheus", "http://a:hunter2@b"): "--prometheus: ",
    ("run", "--target", LISTENING, "--prometheus", "http://no.such.host.invalid"): "no.such.host.invalid",
    ("PATH=none", "run", "--engine", "hey", "--target", LISTENING): "hey: ",
    ("scale", "--steps", "5,4"): "--steps: '5,4'",
    ("run", "--engine", "wrk", "--rate", "5/s"): "--rate: wrk",
    ("run", "--engine", "hey", "--goodput", "ttft < 1 s"): "--goodput: hey",
    ("run", "--engine", "stream", "--script", "one.csv"): "--script: ",
    ("run", "--script", "one.csv", "--seed", "7"): "--seed: wrk",
    ("run", "--rate", "fast"): "--rate: 'fast'",
    ("run", "--rate", "5/s", "--connections", "3"): "--connections: ",
    ("scale", "--rate", "5/s"): "--rate: ",
    ("run", "--arrivals", "poisson"): "--arrivals: ",
    ("run", "--max-in-flight", "5"): "--max-in-flight: ",
    ("run", "--goodput", "ttft > 5 ms"): "--goodput: 'ttft > 5 ms'",
    ("run", "--goodput", "ttft < 5"): "--goodput: 'ttft < 5'",
    ("run", "--goodput", "latency < 5 ms"): "--goodput: 'latency'",
    ("run", "--prompts", "missing.jsonl"): "--prompts: missing.jsonl",
    ("run", "--prompts", "empty"): "--prompts: empty",
    ("run", "--prompts", "mix.jsonl"): "--prompts: mix.jsonl, line 2: weight",
    ("run", "--prompts", "mix.jsonl", "--body", "one.csv"): "--prompts: ",
    ("run", "--max-output-tokens", "5", "--body", "one.csv"): "--max-output-tokens: ",
    ("run", "--direct", "node:8000"): "--direct: 'node:8000'",
    ("run", "--direct", "http://user:hunter2@node"): "--direct: ",
    ("run", "--hold-model", "two\nlines"): r"--hold-model: 'two\nlines'",
    ("run", "--timeout", "90"): "--timeout: '90'",
    ("run", "--workers", "5", "--connections", "4"): "--workers: 5",
    ("exporter", "--web.listen-address", "9877"): "--web.listen-address: '9877'",
    ("exporter", "--ingest.listen-address", "h:x"): "--ingest.listen-address: 'h:x'",
    ("exporter", "--web.telemetry-path", "/"): "--web.telemetry-path: '/'",
    ("exporter", "--config", "missing.yml"): "missing.yml: ",
    ("up", "--target", "localhost:8080"): "--target: ",
    ("up", "--target", "http://user:hunter2@h"): "--target: ",
    ("up", "--name", "../x"): "--name: '../x'",
    ("up", "--retention-size", "4"): "--retention-size: '4'",
    ("up", "--config", "missing.yml"): "missing.yml: ",
    ("up", "--cacert", "empty"): "empty: ",
    ("up", "--api-key-env", "NOT_SET"): "NOT_SET",
    ("up", "--alertmanager-config", "missing.yml"): "--alertmanager-config",
    ("XDG_STATE_HOME=/dev/null", "up", "--detach"): "XDG_STATE_HOME",
    ("XDG_STATE_HOME=/dev/null", "up"): "XDG_STATE_HOME",
    ("up", "--exporter-port", "9877", "--ingest-port", "9877"): "--ingest-port: 9877",
    ("status", "--target", "localhost:8080"): "--target: 'localhost:8080'",
    ("status", "--name", "a b"): "--name: 'a b'",
    ("down", "--delete-data"): "--delete-data: ",
    ("ROUTER_URL=localhost", "exporter"): "ROUTER_URL: 'localhost'",
    ("ROUTER_URL=http://user:hunter2@h", "exporter"): "ROUTER_URL: 'h'",
    ("simulate", "--latency-median", "2", "--latency-p99", "1"): "--latency-p99",
    ("simulate", "--latency-p99", "nan"): "(is nan)",
    ("simulate", "--node-pace", "fast"): "1,2.5",
    ("simulate", "--user", "boss"): "--user",
    ("simulate", "--token-lifetime", "0"): "--token-lifetime",
    ("simulate", "--node-port", "8080"): "--node-port",
    ("simulate", "--tokens-per-event", "0"): "--tokens-per-event",
    ("report", "none-*.csv"): "",
    ("compare", "one.csv", "missing.csv"): "missing.csv",
    ("compare", "one.csv", "broken.csv"): "broken.csv:3",
    ("compare", "one.csv", "two.csv"): "two.csv: 2 rows",
    ("compare", "one.csv", "two.csv", "--candidate-label", "x"): "'x'",
    ("compare", "one.csv", "none.csv"): "none.csv: 0 rows",
    ("compare", "one.csv", "one.csv"): "the baseline itself",
    ("compare", "one.csv", "long.csv"): "duration (30 s, 90 s)",
    ("report", "one.csv", "-o", "one.csv/plot.png"): "one.csv/plot.png",
    ("PATH=none", "backfill", "--results", "results", "--output", "data"): "promtool",
    ("PATH=failing", "backfill", "--results", "results", "--output", "data"): "exit code 7",
    ("backfill", "missing", "--output", "data"): "missing/series.om.gz: ",
    ("backfill", "results", "--output", "data"): "results/series.om.gz: no series",
    ("backfill", "--results", "missing", "--output", "data"): "missing: ",
    ("backfill", "--results", "none", "--output", "data"): "none: ",
    ("backfill", "--results", "young", "--output", "data"): "young: 1",
    ("backfill", "--results", "nonsense", "--output", "data"): "nonsense/local.csv:1",
    ("rules", "--runbook-base", "ftp://watch.example/runbook"): "--runbook-base: 'ftp:",
    ("rules", "--output", "rules"): "--output: is about --runbook-base",
    ("rules", "--runbook-base", "http://watch.example/runbook", "check"): "`soak rules check`",
    ("rules", "check", "--folder", "nowhere"): "--folder: nowhere/prometheus",
    ("files", "empty"): "empty: is no folder",
    ("files", "empty/files"): "empty/files",
    ("files", ""): "DIR: is empty",
    ("--install-completion", "tcsh"): "--install-completion: 'tcsh'",
    ("--show-completion", "csh"): "--show-completion: 'csh'",
    ("agents", "check", "--config", "nonsense"): "nonsense/prometheus.yml: cannot be read",
    ("agents", "check", "--targets", "targets.yml", "--config", "x"): "--targets, --config: ",
    ("agents", "check", "--exporter.config", "login.yml"): "--exporter.config: is about --targets",
    ("agents", "check", "--timeout", "5"): "--timeout: '5'",
}
"""Commands, with the environment in front as a shell has it -> what the message names."""

USAGE: Mapping[tuple[str, ...], str] = {
    ("--nope",): "'--nope'",
    ("fly",): "'fly'",
    ("run", "--nope"): "'--nope'",
    ("exporter", "--nope"): "'--nope'",
    ("run", "--connections", "0"): "'--connections'",
    ("run", "--engine", "steam"): "'steam'",
    ("run", "--probe-timeout", "0"): "'--probe-timeout'",
    ("exporter", "--log.level", "loud"): "'loud'",
    ("exporter", "--path.rootfs", "/nowhere"): "'/nowhere'",
}
"""What click refuses in its own words, which are in no golden file."""

_PROCESS = "{name: a, role: node, match: {port: 1}}"
CONFIGURATIONS: Mapping[str, str] = {
    "router: {also_known_as: [localhost]}": "router.also_known_as",
    "router: {also_known_as: ['http://h/path']}": "router.also_known_as",
    "router: {also_known_as: ['h:http']}": "router.also_known_as",
    "router: {also_known_as: ['a b']}": "router.also_known_as",
    "colour: red": "colour",
    "router: {uri: x}": "router.uri",
    "processes: [{name: a, role: router, match: {prot: 1}}]": "processes.0.match.prot",
    "processes: [{name: a, match: {port: 1}}]": "processes.0.role",
    "processes: [{name: a, role: king, match: {port: 1}}]": "processes.0.role",
    "processes: [{name: a, role: node, match: {}}]": "processes.0.match",
    "processes: [{name: a, role: node, match: {port: 1, name: x}}]": "processes.0.match",
    "processes: [{name: a, role: node, match: {port: 70000}}]": "processes.0.match.port",
    "processes: [{name: it, role: node, match: {command_line: '('}}]": "processes.0.match.command_line",
    "processes: [{name: it, role: node, match: {command_line: ''}}]": "processes.0.match.command_line",
    "processes: [{name: a, role: node, match: {command_line: 'x*'}}]": "processes.0.match.command_line",
    "processes: [{name: a, role: node, match: {command_line: '.'}}]": "processes.0.match.command_line",
    "processes: [{name: a, role: node, match: {command_line: 'a(?=b)'}}]": "processes.0.match.command_line",
    "processes: [{name: a, role: node, each: true, match: {pid_file: /run/a.pid}}]": "processes.0",
    f"processes: [{_PROCESS}, {{name: a-1, role: node, match: {{port: 2}}}}]".replace(
        "role: node, match: {port: 1}", "role: node, each: true, match: {port: 1}"
    ): "processes",
    "processes: [{name: 'a b', role: node, match: {port: 1}}]": "processes.0.name",
    f"processes: [{_PROCESS}, {_PROCESS}]": "processes",
    "host: perhaps": "host",
    "proc_root: host/proc": "proc_root",
    "host_root: host": "host_root",
    "gpu: on": "gpu",
    "gpu: maybe": "gpu",
    "gpu: 0": "gpu",
    "gpu_max_age_seconds: 1": "gpu_max_age_seconds",
    "gpu_retry_seconds: 0": "gpu_retry_seconds",
    "collector_deadline_seconds: 0": "collector_deadline_seconds",
    "collector_deadline_seconds: .nan": "collector_deadline_seconds",
    "router: {timeout_seconds: 61}": "router.timeout_seconds",
    "router: {login: {username: boss}}": "router.login.password_file",
    "router: {login: {username: '', password_file: f}}": "router.login.username",
    "router: {login: {username: boss, password: hunter2}}": "router.login.password_file",
    "router: {url: 'ftp://x'}": "router.url",
    "router: {url: 'http://user:hunter2@router'}": "router.url",
    "router: {tls_config: {cert_file: c}}": "router.tls_config.cert_file",
    "router: {tls_config: {server_name: ''}}": "router.tls_config.server_name",
    "router: http://x": "router",
    "[]": "",
    "just text": "",
    "router: {url: [": "",
    "host: true\n\thost: false": "",
    "!!python/object/apply:os.getcwd []": "",
}
"""Configurations of the exporter -> the key that is named; none where the file as a whole is meant."""

UP_CONFIGURATIONS: Mapping[str, str] = {
    "router: null": "router: soak up",
    "agents: [{targets: [gpu-1]}]": "agents.0.targets: ",
    "agents: [{targets: []}]": "agents.0.targets: ",
    "agents: [{targets: ['a:1'], labels: {a-b: c}}]": "agents.0.labels: ",
    "agents_login: {}": "agents_login: ",
    "{agents: [{targets: ['a:1']}], agents_login: {basic_auth: {username: u, password: hunter2}}}": (
        "agents_login.basic_auth"
    ),
}
LOGINS: Mapping[str, str] = {
    "oauth2: {}": "oauth2",
    "basic_auth: {username: a}": "basic_auth",
    "basic_auth: {username: a, password: hunter2, password_file: f}": "basic_auth",
    "basic_auth: {username: a, password: [hunter2]}": "basic_auth.password",
    "basic_auth: {username: a, password_file: gone}": "basic_auth.password_file",
    "authorization: {}": "authorization",
    "authorization: {credentials: hunter2, credentials_file: f}": "authorization",
    "authorization: {type: Basic, credentials: hunter2}": "authorization",
    "authorization: {credentials_file: gone}": "authorization.credentials_file",
    "authorization: {credentials: ''}": "authorization.credentials",
    "{basic_auth: {username: a, password: hunter2}, authorization: {credentials: hunter2}}": "basic_auth",
    "tls_config: {cert_file: c}": "tls_config",
    "tls_config: {ca_file: gone}": "tls_config.ca_file",
}
"""Files of --exporter.config -> the key that is named."""

HASH = "$2y$10$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG"
PAIR = "cert_file: a, key_file: b"
WEB_CONFIGURATIONS: Mapping[str, str] = {
    "tls: {}": "tls: ",
    "tls_server_config: {}": "tls_server_config: cert_file ",
    "tls_server_config: {cert_file: a}": "tls_server_config: key_file ",
    f"tls_server_config: {{{PAIR}, cert: x}}": "tls_server_config: ",
    f"tls_server_config: {{{PAIR}, client_ca_file: c}}": "tls_server_config: client_ca_file ",
    f"tls_server_config: {{{PAIR}, client_auth_type: RequireAndVerifyClientCert}}": (
        "tls_server_config: client_ca_file "
    ),
    f"tls_server_config: {{{PAIR}, client_auth_type: RequireAnyClientCert}}": (
        "tls_server_config.client_auth_type: RequireAnyClientCert "
    ),
    f"tls_server_config: {{{PAIR}, client_auth_type: Maybe}}": "tls_server_config.client_auth_type: ",
    f"tls_server_config: {{{PAIR}, client_allowed_sans: [a]}}": "tls_server_config: client_allowed_sans ",
    f"tls_server_config: {{{PAIR}, min_version: TLS10}}": "tls_server_config.min_version: TLS10 ",
    f"tls_server_config: {{{PAIR}, min_version: TLS13, max_version: TLS12}}": (
        "tls_server_config: min_version TLS13 "
    ),
    f"tls_server_config: {{{PAIR}, curve_preferences: [X25519, CurveP256]}}": (
        "tls_server_config: curve_preferences: "
    ),
    "http_server_config: {http2: true}": "http_server_config.http2: ",
    "http_server_config: {headers: {Server: x}}": "http_server_config.headers.Server: ",
    "http_server_config: {headers: {X-Frame-Options: allow}}": "http_server_config.headers.X-Frame-Options: ",
    'http_server_config: {headers: {X-XSS-Protection: "a\\r\\nb: c"}}': (
        "http_server_config.headers.X-XSS-Protection: "
    ),
    "rate_limit: {interval: soon}": "rate_limit.interval: ",
    "rate_limit: {interval: 1s}": "rate_limit: burst: ",
    "rate_limit: {interval: \u0661s, burst: 1}": "rate_limit.interval: ",
    f"rate_limit: {{interval: {'9' * 400}h, burst: 1}}": "rate_limit.interval: ",
    f"rate_limit: {{interval: 1s, burst: {'9' * 400}}}": "rate_limit.burst: ",
    "basic_auth_users: {alice: hunter2}": "basic_auth_users.alice: ",
    f"basic_auth_users: {{alice: {HASH.replace('$10$', '$31$')}}}": "basic_auth_users.alice: bcrypt cost 31",
    "basic_auth_users:\n  alice: a\n  alice: b\n": "line 3, column 3",
    "basic_auth_users:\n  alice: *hunter2\n": "line 2, column 10",
    "basic_auth_users:\n  alice: {hunter2\n": "line 3, column 1",
    "!!python/object:os.system hunter2": "line 1, column 1",
}
"""Files of --web.config.file -> what is named."""


def _raise(error: SoakError) -> Never:
    raise error


def _choose(suite: str) -> None:
    tls = TlsServer(cert="x", key=SecretStr("x"), max_version="TLS12", cipher_suites=(suite,))
    server_context(tls, Path())


CALLS: Mapping[str, tuple[Callable[[], object], str]] = {
    "a port in use": (
        # Port 1, which nothing has: the message names the process that has a port.
        lambda: _raise(PortTakenError("exporter", "::1", 1, "--web.listen-address")),
        "port 1 on ::1",
    ),
    "an address that is not this machine's": (
        lambda: _raise(cannot_listen("ingest", "192.0.2.1", 9878, "--option", OSError(99, "Not available"))),
        "192.0.2.1:9878",
    ),
    "a certificate that is none": (
        lambda: server_context(TlsServer(cert="x", key=SecretStr("x")), Path()),
        "tls_server_config.cert_file",
    ),
    "a cipher suite that is unknown": (lambda: _choose("RC4"), "tls_server_config.cipher_suites: 'RC4'"),
    "no cipher suite for the only version": (
        lambda: _choose("TLS_AES_128_GCM_SHA256"),
        "tls_server_config.cipher_suites",
    ),
    "a plot of no results": (lambda: plot_rows([], Path("plot.png")), ""),
    "a plot of an unknown kind": (lambda: plot_rows([(ROW, "one.csv")], Path("plot.txt")), "plot.txt"),
    "a plot in no folder": (lambda: plot_rows([(ROW, "one.csv")], Path("gone/plot.png")), "gone/plot.png"),
    "a run under another token": (lambda: _again(token=b"x" * 16), RUN),
    "a run with other parameters": (lambda: _again(label="other"), RUN),
    "a run that is over": (lambda: _again(Phase.FINISHED, Phase.LOAD), RUN),
    "a run too many": (lambda: _runs(MAX_RUNS + 1), str(MAX_RUNS)),
    "an exporter that refuses a run": (
        lambda: _registered(409, {"version": 5, "error": "16 runs are active"}),
        "16 runs are active",
    ),
    "an exporter of another version": (lambda: _registered(400, {"error": "token: unknown"}), "version 5"),
    "an exporter without an ingest port": (lambda: _registered(200, {"version": 5}), "ingest port"),
    "an exporter that is gone": (lambda: ExporterClient("http://127.0.0.1:1").status(RUN), "127.0.0.1:1"),
    "a file that is not shipped": (lambda: shipped("some/file", Path("gone")), "gone/some/file"),
    "a program that is missing": (lambda: find_program("prometheus", "no-such-program"), "no-such-program"),
}
"""Refusals of no command of their own -> what raises them, and what is named."""


def _again(*phases: Phase, token: bytes | None = None, **changes: Any) -> None:
    """A run is registered, and then again in some other way."""
    runs = announced(FakeClock())
    for phase in phases or (Phase.LOAD,):
        runs.register(run_info(**changes), token or token_of(), phase)


def _runs(number: int) -> None:
    runs = LiveRuns(FakeClock())
    for each in range(number):
        register(runs, run=f"{each:016}")


def _registered(status: int, document: dict[str, object]) -> None:
    with LocalHttp(lambda asked: (status, document)) as server:
        ExporterClient(server.url).register(run_info(), token_of(), Phase.LOAD)


def lay_out(folder: Path) -> None:
    """The files that the commands above name, in the folder in which they are given."""
    for name, printed in (
        ("programs", "wrk 4.2.0 [epoll] Copyright (C) 2012 Will Glozer"),
        ("old", "wrk 4.0.0"),
        ("other", "hello"),
    ):
        _install(folder / name / "wrk", f"echo '{printed}'")
    _install(folder / "failing" / "promtool", "echo disk >&2; echo full >&2; exit 7")
    (folder / "none").mkdir()
    (folder / "empty").touch()
    rows = [ResultRow(f"run{number}") for number in range(2)]
    for file, text in (
        ("one.csv", rows_text([ROW])),
        ("two.csv", rows_text(rows)),
        ("none.csv", rows_text([])),
        ("long.csv", rows_text([replace(ROW, duration_s=90.0)])),
        ("broken.csv", rows_text([ROW]) + "x,y\n"),
        ("results/20251025-local.csv", rows_text([ROW])),
        ("young/new.csv", rows_text([ROW])),
        ("nonsense/local.csv", "nonsense\n"),
        ("mix.jsonl", '{"prompt": "a"}\n{"prompt": "b", "weight": -1}\n'),
    ):
        (folder / file).parent.mkdir(exist_ok=True)
        (folder / file).write_text(text, encoding="utf-8")
    (folder / "results" / "series.om.gz").write_bytes(gzip.compress(b"# EOF\n"))


def _install(program: Path, script: str) -> None:
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    program.chmod(0o755)


def split_command(words: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The environment in front of a command, and the command."""
    at = next(number for number, word in enumerate(words) if "=" not in word)
    return words[:at], words[at:]


def run_command(words: tuple[str, ...]) -> None:
    """`soak` with these words in the current folder, in this process; raises the error with which it ends."""
    environment, arguments = split_command(words)
    with pytest.MonkeyPatch.context() as context, LocalHttp(_answer) as target:
        for name in [name for name in os.environ if name.startswith(("WRK_", "ROUTER_", "SOAK_"))]:
            context.delenv(name)
        context.setenv("PATH", "programs")
        context.setenv("HOME", ".")
        for word in environment:
            context.setenv(*word.split("=", 1))
        context.setattr(exporter_command, "set_up_logging", lambda *_: None)
        context.setattr(exporter_command, "serve_exporter", lambda **_: pytest.fail("not refused"))
        context.setattr(simulate_command, "serve_simulator", lambda *_: pytest.fail("not refused"))
        soak.main([word.replace("LISTENING", target.address) for word in arguments], standalone_mode=False)


def _answer(asked: Asked) -> tuple[int, Body, dict[str, str]]:
    place = asked.path.removeprefix("/")
    if place == "page":
        return 200, "<!DOCTYPE html><title>Welcome</title>", {"Content-Type": "text/html"}
    if place == "v1/models":
        return 200, {"data": [{"id": "llama"}]}, {}
    status = int(place) if place.isdecimal() else 200
    return status, {"error": {"message": "so it is"}}, {"Location": "/elsewhere"} if status == 301 else {}
