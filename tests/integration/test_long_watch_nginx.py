"""The long watch through a real nginx, with short timeouts of its own, in front of the simulated router."""

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from service import SYSTEM_PATH

from exporter.clock import SystemClock
from exporter.live.long_seen import LongSeen
from exporter.load.stream import long_watch
from exporter.load.stream.long_watch import LongWatch
from exporter.load.workload import make_workload
from exporter.stack.ports import free_ports
from tests.support.simulated_router import running, wait_until

NGINX = shutil.which("nginx", path=SYSTEM_PATH)
IDLE_SECONDS = 1
SILENT_SECONDS = 2


pytestmark = pytest.mark.skipif(NGINX is None, reason="nginx is not installed")


@pytest.fixture(autouse=True)
def _idle_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(long_watch, "IDLE_AFTER_SECONDS", 0.0)


@contextmanager
def proxied(target: str, folder: Path) -> Iterator[str]:
    """The URL of an nginx in front of `target`."""
    port, user = free_ports().router, pwd.getpwuid(os.geteuid()).pw_name
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    paths = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in kinds)
    (folder / "nginx.conf").write_text(
        f"{f'user {user};' if os.geteuid() == 0 else ''}\ndaemon off;\nworker_processes 1;\n"
        f"pid {folder}/nginx.pid;\nevents {{ }}\nhttp {{\naccess_log off;\n{paths}"
        f"keepalive_timeout {IDLE_SECONDS}s;\nserver {{\nlisten 127.0.0.1:{port};\n"
        f"location / {{ proxy_pass {target}; proxy_http_version 1.1;\n"
        f"proxy_read_timeout {SILENT_SECONDS}s; }}\n}}\n}}\n"
    )
    log = folder / "error.log"
    command = [str(NGINX), "-p", str(folder), "-e", str(log), "-c", str(folder / "nginx.conf")]
    url = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        assert server.poll() is None, log.read_text()
        try:
            return requests.get(f"{url}/v1/models", timeout=10).status_code == 200
        except requests.ConnectionError:
            return False

    server = subprocess.Popen(command)
    try:
        wait_until(answers, "nginx answers")
        yield url
    finally:
        server.terminate()
        server.wait(10)


def seen_through(folder: Path, heartbeat_seconds: float, closed: int) -> LongSeen:
    """What is seen of two silences, one shorter and one longer than nginx keeps a silent stream."""
    with (
        running(heartbeat_seconds=heartbeat_seconds) as simulator,
        proxied(simulator.url, folder) as url,
    ):
        workload = make_workload(url, "/v1/chat/completions", "gpt-oss:20b")
        watch = LongWatch(workload, "hold", 3600, SystemClock(), ladder=(0.6, 3.5))
        watch.start()

        def enough() -> bool:
            seen = watch.seen()
            return len(seen.held) == 2 and seen.idle is not None and seen.idle.closed >= closed

        wait_until(enough, "all of it was seen", 30)
        return watch.stop()


def test_what_nginx_closes_is_told_with_its_seconds(tmp_path: Path) -> None:
    seen = seen_through(tmp_path, heartbeat_seconds=0, closed=1)
    assert seen.idle is not None
    assert (seen.idle.ended_by, seen.idle.how) == ("router", "fin")
    assert seen.idle.seconds >= IDLE_SECONDS - 0.1
    short, long = seen.held
    assert (short.survived, short.ended_by) == (True, "nobody")
    assert (long.survived, long.ended_by, long.how) == (False, "router", "fin")
    assert long.after_seconds >= SILENT_SECONDS - 0.1


def test_heartbeats_bring_a_silence_through_nginx(tmp_path: Path) -> None:
    seen = seen_through(tmp_path, heartbeat_seconds=0.5, closed=1)
    assert [one.survived for one in seen.held] == [True, True]
    assert seen.held[1].heartbeats >= 3
    assert seen.longest_survived_seconds == 3.5
