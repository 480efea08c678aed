"""The target: an nginx that answers every request with the same chat completion."""

import json
import os
import pwd
from contextlib import AbstractContextManager
from pathlib import Path

from service import find_program, running

from exporter.load.workload import DEFAULT_ENDPOINT, DEFAULT_MODEL
from exporter.stack.service import Service

HOST = "127.0.0.1"
COMPLETION = {
    "id": "chatcmpl-bench",
    "object": "chat.completion",
    "created": 1700000000,
    "model": DEFAULT_MODEL,
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "pong"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 8, "completion_tokens": 1, "total_tokens": 9},
}
MODELS = {"object": "list", "data": [{"id": DEFAULT_MODEL, "object": "model"}]}


def nginx_target(port: int, folder: Path) -> AbstractContextManager[Service]:
    """nginx on `port`, with all its files in `folder`."""
    home = folder / "nginx"
    home.mkdir()
    configuration = home / "nginx.conf"
    configuration.write_text(configuration_text(port, home, _user()), encoding="utf-8")
    command = [find_program("nginx"), "-p", home, "-e", home / "error.log", "-c", configuration]
    return running("nginx", [str(part) for part in command], f"http://{HOST}:{port}", "/v1/models", folder)


def configuration_text(port: int, home: Path, user: str | None) -> str:
    """nginx's configuration: two workers, no log, connections that are never closed.

    Without reuseport one worker may take nearly all connections, or not, and throughput differs with that; so
    it does where both are on one CPU for a while.
    nginx closes a connection after 1000 requests by default, which a load generator would count
    as read errors. `user` is given where nginx runs as root: its workers could not enter `home` as another.
    """
    paths = "".join(
        f"  {kind}_temp_path {home}/{kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    return (
        (f"user {user};\n" if user else "") + f"daemon off;\nworker_processes 2;\nworker_cpu_affinity auto;\n"
        f"pid {home}/nginx.pid;\nerror_log {home}/error.log;\n"
        "events { worker_connections 2048; }\n"
        "http {\n"
        "  access_log off;\n  keepalive_requests 1000000000;\n  keepalive_timeout 600s;\n"
        "  default_type application/json;\n"
        f"{paths}"
        f"  server {{\n    listen {HOST}:{port} backlog=2048 reuseport;\n"
        f"    location = {DEFAULT_ENDPOINT} {{ return 200 '{json.dumps(COMPLETION)}'; }}\n"
        f"    location = /v1/models {{ return 200 '{json.dumps(MODELS)}'; }}\n"
        "  }\n}\n"
    )


def _user() -> str | None:
    return pwd.getpwuid(os.geteuid()).pw_name if os.geteuid() == 0 else None
