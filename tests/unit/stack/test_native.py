"""The native stack: what its services are started with."""

import json
import os
import stat
import sys
from pathlib import Path

import pytest

from exporter.stack.native import NativeStack
from exporter.stack.ports import free_ports

GRAFANA = """\
#!{python}
import http.server, json, os, pathlib
names = ("GF_SECURITY_ADMIN_PASSWORD", "GF_SECURITY_ADMIN_PASSWORD__FILE", "GF_AUTH_ANONYMOUS_ORG_ROLE")
pathlib.Path({seen!r}).write_text(json.dumps({{name: os.environ.get(name) for name in names}}))

class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass

address = os.environ["GF_SERVER_HTTP_ADDR"], int(os.environ["GF_SERVER_HTTP_PORT"])
http.server.HTTPServer(address, Answer).serve_forever()
"""


def test_grafana_gets_a_new_admin_password_from_a_file_that_the_user_alone_may_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = tmp_path / "seen.json"
    program = tmp_path / "grafana"
    program.write_text(GRAFANA.format(python=sys.executable, seen=str(seen)), encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    passwords = []
    for _ in range(2):
        with NativeStack(free_ports()) as stack:
            file = stack.start_grafana()
            assert file is not None
            assert json.loads(seen.read_text(encoding="utf-8")) == {
                "GF_SECURITY_ADMIN_PASSWORD": None,
                "GF_SECURITY_ADMIN_PASSWORD__FILE": str(file),
                "GF_AUTH_ANONYMOUS_ORG_ROLE": "Viewer",
            }
            assert stat.S_IMODE(file.stat().st_mode) == 0o600
            passwords.append(file.read_text(encoding="ascii"))
        assert not file.exists()
    assert len(set(passwords)) == 2
    assert all(len(password) == 32 for password in passwords)


def test_without_grafana_nothing_is_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with NativeStack(free_ports()) as stack:
        assert stack.start_grafana() is None
        assert list(stack.folder.iterdir()) == []
