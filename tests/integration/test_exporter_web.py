"""A real exporter behind TLS, client certificates and passwords, asked by all its clients."""

import json
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import requests
import yaml
from requests.auth import HTTPBasicAuth

from exporter.errors import QueryError
from exporter.run.prometheus_client import PrometheusClient
from exporter.stack.native import NativeStack
from exporter.stack.ports import free_ports
from tests.support.secured_exporter import PASSWORD, USER, Certificates, ExporterProcess, hashed
from tests.support.soak_command import without_matplotlib
from tests.support.waiting import need, wait_for


def put(file: Path, text: str) -> Path:
    """Replace a file in one step."""
    new = file.with_suffix(".new")
    new.write_text(text, encoding="utf-8")
    return new.replace(file)


def web_config(password: str = PASSWORD) -> str:
    return yaml.safe_dump(
        {
            "tls_server_config": {
                "cert_file": "server.crt",
                "key_file": "server.key",
                "client_auth_type": "RequireAndVerifyClientCert",
                "client_ca_file": "ca.pem",
                "client_allowed_sans": ["prometheus.example"],
            },
            "http_server_config": {"headers": {"Strict-Transport-Security": "max-age=60"}},
            "basic_auth_users": {USER: hashed(password)},
        }
    )


class Secured:
    """The exporter, and sessions that are good for it."""

    def __init__(self, process: ExporterProcess, certificates: Certificates) -> None:
        self.process = process
        self.certificates = certificates
        self.url = f"https://127.0.0.1:{process.port}"
        self.web_config = certificates.folder / "web.yml"

    def session(self, client: str | None = "client", password: str | None = PASSWORD) -> requests.Session:
        session, folder = requests.Session(), self.certificates.folder
        session.trust_env = False
        session.verify = str(folder / "ca.pem")
        if client is not None:
            session.cert = (str(folder / f"{client}.crt"), str(folder / f"{client}.key"))
        if password is not None:
            session.auth = HTTPBasicAuth(USER.encode(), password.encode())
        return session

    def status(
        self, client: str | None = "client", password: str | None = PASSWORD, path: str = "/metrics"
    ) -> int:
        with self.session(client, password) as session:
            return session.get(self.url + path, timeout=20).status_code


@pytest.fixture
def secured(tmp_path: Path) -> Iterator[Secured]:
    certificates = Certificates.made_in(tmp_path)
    file = put(tmp_path / "web.yml", web_config())
    with ExporterProcess(tmp_path, "--web.config.file", str(file)) as process:
        yield Secured(process, certificates)


def test_certificate_and_password_are_both_needed(secured: Secured) -> None:
    assert secured.status() == 200
    assert secured.status(password="wrong") == 401
    assert secured.status(password=None) == 401
    assert secured.status(path="/runbook/RouterDown") == 200
    assert secured.status(path="/runbook/RouterDown", password=None) == 401
    with secured.session() as session:
        answer = session.get(secured.url + "/-/healthy", timeout=20)
        assert answer.headers["Strict-Transport-Security"] == "max-age=60"
    for client in (None, "stranger"):
        with pytest.raises(requests.ConnectionError):
            secured.status(client=client)
    with pytest.raises(requests.ConnectionError):
        secured.process.get()
    assert "geheim" not in secured.process.log.read_text("utf-8")


def test_users_are_changed_without_a_restart(secured: Secured) -> None:
    assert secured.status() == 200
    put(secured.web_config, web_config("neu"))
    assert secured.status() == 401
    assert secured.status(password="neu") == 200


def test_certificates_are_changed_without_a_restart_and_connections_of_the_old_ones_are_ended(
    secured: Secured,
) -> None:
    folder = secured.certificates.folder
    context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
    context.load_cert_chain(folder / "client.crt", folder / "client.key")
    with context.wrap_socket(secured.process.connect(), server_hostname="exporter.example") as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert connection.recv(1 << 16).startswith(b"HTTP/1.1 401 ")
        before = connection.getpeercert()
        Certificates.made_in(folder)
        assert secured.status() == 200
        connection.settimeout(20)
        with suppress(ConnectionResetError):
            while connection.recv(1 << 16):
                pass
    context.load_verify_locations(str(folder / "ca.pem"))
    context.load_cert_chain(folder / "client.crt", folder / "client.key")
    with context.wrap_socket(secured.process.connect(), server_hostname="exporter.example") as connection:
        assert connection.getpeercert() != before


def test_a_broken_file_is_a_500_for_everybody_until_it_is_corrected(secured: Secured) -> None:
    assert secured.status() == 200
    put(secured.web_config, "basic_auth_users: {alice: hunter2}")
    assert [secured.status() for _ in range(3)] == [500] * 3
    put(secured.web_config, web_config())
    assert secured.status() == 200
    log = secured.process.log.read_text("utf-8")
    assert log.count("basic_auth_users.alice") == 1
    assert "hunter2" not in log


def test_handshakes_that_never_come_are_dropped_while_metrics_go_on(secured: Secured) -> None:
    clients = [secured.process.connect() for _ in range(200)]
    try:
        assert secured.status() == 200
        wait_for("no handshake is waited for any more", lambda: secured.process.connections() == 0, 60)
        assert secured.status() == 200
    finally:
        for client in clients:
            client.close()


def test_prometheus_scrapes_with_certificate_and_password(secured: Secured, tmp_path: Path) -> None:
    need("prometheus")
    port = free_ports().prometheus
    (tmp_path / "password").write_text(PASSWORD, encoding="utf-8")
    job = {
        "job_name": "exporter",
        "scheme": "https",
        "scrape_interval": "1s",
        "scrape_timeout": "1s",
        "static_configs": [{"targets": [f"127.0.0.1:{secured.process.port}"]}],
        "basic_auth": {"username": USER, "password_file": str(tmp_path / "password")},
        "tls_config": {
            "ca_file": str(tmp_path / "ca.pem"),
            "cert_file": str(tmp_path / "client.crt"),
            "key_file": str(tmp_path / "client.key"),
            "server_name": "exporter.example",
        },
    }
    configuration = put(tmp_path / "prometheus.yml", yaml.safe_dump({"scrape_configs": [job]}))
    command = ["prometheus", f"--config.file={configuration}", f"--web.listen-address=127.0.0.1:{port}"]
    command += [f"--storage.tsdb.path={tmp_path / 'data'}", "--log.level=error"]
    prometheus = subprocess.Popen(command)
    try:
        api = PrometheusClient(f"http://127.0.0.1:{port}")

        def up() -> bool:
            try:
                return api.value('up{job="exporter"}') == 1
            except QueryError:
                return False

        wait_for("Prometheus has scraped the exporter", up)
        assert api.value("count(node_memory_MemAvailable_bytes)") == 1
    finally:
        prometheus.terminate()
        prometheus.wait(timeout=20)


@pytest.fixture
def client_config(secured: Secured) -> Path:
    folder = secured.certificates.folder
    (folder / "password").write_text(PASSWORD + "\n", encoding="utf-8")
    config = {
        "basic_auth": {"username": USER, "password_file": "password"},
        "tls_config": {
            "ca_file": "ca.pem",
            "cert_file": "client.crt",
            "key_file": "client.key",
            "server_name": "exporter.example",
        },
    }
    return put(folder / "http.yml", yaml.safe_dump(config))


def soak_run(router: str, secured: Secured, *options: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "exporter.cli", "run", "--json", "--duration", "3s", "--drain", "1s"]
    command += ["--target", router, "--exporter", secured.url, "--connections", "4"]
    command += ["--results", str(secured.certificates.folder / "results"), *options]
    return subprocess.run(
        command, env=without_matplotlib(), capture_output=True, text=True, timeout=120, check=False
    )


def test_a_run_reports_to_a_secured_exporter_and_is_judged_by_it(
    stack: NativeStack, secured: Secured, client_config: Path
) -> None:
    need("wrk")
    stack.start_simulator()
    login = ("--exporter.config", str(client_config))
    done = soak_run(stack.ports.url("router"), secured, *login, "--watched-elsewhere")
    evidence = json.loads(done.stdout)["evidence"]
    assert evidence["failed_scrapes"] == 0
    responses = {name: count["responses"] for name, count in evidence["counts_by_source"].items()}
    assert responses["engine"] > 0
    assert responses == dict.fromkeys(("engine", "live", "exporter", "scraped"), responses["engine"])
    assert "geheim" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("config", "named"),
    [
        ("tls_config: {insecure_skip_verify: true}", "https://127.0.0.1:"),
        (
            "tls_config: {ca_file: ca.pem, cert_file: client.crt, key_file: client.key}",
            "basic_auth in --exporter.config",
        ),
        ("tls_config: {cert_file: client.crt, key_file: client.key}", "certificate verify failed"),
    ],
)
def test_a_run_that_cannot_log_in_is_refused_before_anything_starts(
    stack: NativeStack, secured: Secured, config: str, named: str
) -> None:
    need("wrk")
    stack.start_simulator()
    file = put(secured.certificates.folder / "http.yml", config)
    done = soak_run(stack.ports.url("router"), secured, "--exporter.config", str(file))
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("soak: --exporter: ")
    assert named in done.stderr


def test_a_login_without_the_exporter_that_it_is_for_is_refused(stack: NativeStack, tmp_path: Path) -> None:
    need("wrk")
    stack.start_simulator()
    command = [sys.executable, "-m", "exporter.cli", "run", "--target", stack.ports.url("router")]
    command += ["--results", str(tmp_path), "--exporter.config", str(tmp_path / "http.yml")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("soak: --exporter.config: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("tls_server_config: {cert_file: gone, key_file: gone}", "gone: "),
        ("basic_auth_users: {alice: hunter2}", "basic_auth_users.alice: "),
    ],
)
def test_an_exporter_does_not_start_with_a_file_that_is_wrong(tmp_path: Path, text: str, named: str) -> None:
    file = put(tmp_path / "web.yml", text)
    done = subprocess.run(
        [sys.executable, "-m", "exporter.cli", "exporter", "--web.config.file", str(file)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert named in done.stderr
    assert "hunter2" not in done.stderr


@pytest.mark.parametrize(("users", "warnings"), [(None, 1), ({USER: hashed(PASSWORD)}, 0)])
def test_an_open_exporter_on_all_addresses_warns_once(
    tmp_path: Path, users: dict[str, str] | None, warnings: int
) -> None:
    options = []
    if users:
        options = [
            "--web.config.file",
            str(put(tmp_path / "web.yml", yaml.safe_dump({"basic_auth_users": users}))),
        ]
    with ExporterProcess(tmp_path, *options, host="0.0.0.0") as process:
        assert process.get().status_code == (401 if users else 200)
    assert process.log.read_text("utf-8").count("is no loopback address") == warnings
