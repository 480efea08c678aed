"""exporter.stack.servers: what the services of a native stack are started with."""

import json
import os
import stat
import sys
from pathlib import Path

import pytest

from exporter.stack import servers
from exporter.stack.native import NativeStack
from exporter.stack.ports import free_ports

GRAFANA = """\
#!{python}
import http.server, json, os, pathlib
names = ("GF_SECURITY_ADMIN_PASSWORD", "GF_AUTH_ANONYMOUS_ORG_ROLE")
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


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Grafana on the PATH; what it was started with is in `seen.json` beside it."""
    program = tmp_path / "grafana"
    seen = str(tmp_path / "seen.json")
    program.write_text(GRAFANA.format(python=sys.executable, seen=seen), encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    return program


def test_grafana_gets_an_admin_password_from_a_file_that_the_user_alone_may_read(
    program: Path, tmp_path: Path
) -> None:
    passwords = []
    for name in ("one", "two"):
        (folder := tmp_path / name).mkdir()
        with NativeStack(free_ports(), folder=folder) as stack:
            stack.start(servers.grafana(stack.ports, folder))
        file = folder / servers.PASSWORD_FILE
        assert json.loads((tmp_path / "seen.json").read_text(encoding="utf-8")) == {
            "GF_SECURITY_ADMIN_PASSWORD": f"$__file{{{file}}}",
            "GF_AUTH_ANONYMOUS_ORG_ROLE": "Viewer",
        }
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        passwords.append(file.read_text(encoding="ascii"))
        # Grafana has it in its database: it is the same at the next start.
        assert servers.admin_password(folder).read_text(encoding="ascii") == passwords[-1]
    assert len(set(passwords)) == 2
    assert all(len(password) == 32 for password in passwords)


def test_what_grafana_serves_is_found_beside_its_program_and_where_packages_have_it(
    program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(servers, "GRAFANA_HOMES", (str(tmp_path / "share"),))
    assert servers.grafana_home(str(program)) is None
    for home, started in (
        (tmp_path / "share", program),
        (tmp_path / "archive", tmp_path / "archive/bin/grafana"),
    ):
        (home / "conf").mkdir(parents=True)
        (home / "conf/defaults.ini").touch()
        assert servers.grafana_home(str(started)) == home


def test_without_grafana_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert servers.grafana_program() is None


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        (["prometheus"], "Prometheus is missing: no dashboards, no alerts; "),
        (["alertmanager"], "Alertmanager is missing: alerts reach nobody; "),
        (
            ["prometheus", "alertmanager"],
            "Prometheus and Alertmanager are missing: no dashboards, no alerts; ",
        ),
    ],
)
def test_what_a_stack_goes_without_is_said_with_what_to_install(missing: list[str], said: str) -> None:
    text = servers.without(missing)
    assert text.startswith(said)
    assert all(servers.PACKAGES[name] in text for name in missing)
