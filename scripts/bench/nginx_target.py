"""The target: an nginx that answers every request with the same chat completion, whole or as a stream."""

import json
import os
import pwd
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from service import find_program, running

from exporter.load.workload import DEFAULT_ENDPOINT, DEFAULT_MODEL
from exporter.stack.service import Service

HOST = "127.0.0.1"
STREAM_PREFIX = "/stream"
"""below it every chat completion is a stream"""
STREAM_ENDPOINT = STREAM_PREFIX + DEFAULT_ENDPOINT
STREAM_EVENTS = 66
"""of each stream: the role, the tokens, the finish, the usage and [DONE]"""
STREAM_TOKENS = STREAM_EVENTS - 4
COMPLETION = {
    "id": "chatcmpl-bench",
    "object": "chat.completion",
    "created": 1700000000,
    "model": DEFAULT_MODEL,
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "pong"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 8, "completion_tokens": 1, "total_tokens": 9},
}
MODELS = {"object": "list", "data": [{"id": DEFAULT_MODEL, "object": "model"}]}


def stream_text() -> str:
    """The server-sent events of the stream."""
    head = {key: COMPLETION[key] for key in ("id", "created", "model")} | {"object": "chat.completion.chunk"}
    words = [f"word{number} " for number in range(STREAM_TOKENS)]
    deltas: list[dict[str, str]] = [
        {"role": "assistant", "content": ""},
        *({"content": word} for word in words),
    ]
    choices: list[dict[str, Any]] = [{"index": 0, "delta": delta, "finish_reason": None} for delta in deltas]
    choices.append({"index": 0, "delta": {}, "finish_reason": "stop"})
    usage = {"prompt_tokens": 8, "completion_tokens": STREAM_TOKENS, "total_tokens": 8 + STREAM_TOKENS}
    documents = [head | {"choices": [choice]} for choice in choices]
    documents.append(head | {"choices": [], "usage": usage})
    events = [json.dumps(document, separators=(",", ":")) for document in documents]
    return "".join(f"data: {event}\n\n" for event in (*events, "[DONE]"))


def nginx_target(port: int, folder: Path) -> AbstractContextManager[Service]:
    """nginx on `port`, with all its files in `folder`."""
    home = folder / "nginx"
    home.mkdir()
    (home / "stream.sse").write_text(stream_text(), encoding="utf-8")
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
    The stream is a file, since a text in the configuration has 4 KiB at most. A file is for GET alone, so the
    way from a POST to it leads over the error that says so.
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
        f"    location = {STREAM_ENDPOINT} {{ error_page 405 =200 /stream.sse; return 405; }}\n"
        "    location = /stream.sse {\n"
        f"      internal;\n      root {home};\n      types {{ }}\n      default_type text/event-stream;\n"
        "      open_file_cache max=4;\n      sendfile on;\n      tcp_nopush on;\n    }\n"
        f"    location = {STREAM_PREFIX}/v1/models {{ return 200 '{json.dumps(MODELS)}'; }}\n"
        f"    location = /v1/models {{ return 200 '{json.dumps(MODELS)}'; }}\n"
        "  }\n}\n"
    )


def _user() -> str | None:
    return pwd.getpwuid(os.geteuid()).pw_name if os.geteuid() == 0 else None
