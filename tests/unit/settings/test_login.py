"""exporter.settings.login: promtool's format for logging in, and that no secret is shown."""

import base64
from pathlib import Path

import pytest
import requests

from exporter.errors import ConfigurationError
from exporter.settings.login import NO_LOGIN, load_http_client


def put(folder: Path, text: str) -> Path:
    file = folder / "http.yml"
    file.write_text(text, encoding="utf-8")
    return file


def authorization(session: requests.Session) -> str | None:
    asked = session.prepare_request(requests.Request("GET", "http://127.0.0.1/"))
    return asked.headers.get("Authorization")


def test_without_a_file_nothing_is_sent_and_certificates_are_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    session = NO_LOGIN.session()
    assert authorization(session) is None
    assert session.verify is True
    assert session.trust_env is False


@pytest.mark.parametrize("key", ["password: geheim ジ", "password_file: secret"])
def test_user_and_password_are_sent_as_utf_8(tmp_path: Path, key: str) -> None:
    (tmp_path / "secret").write_text("geheim ジ\n", encoding="utf-8")
    client = load_http_client(put(tmp_path, f"basic_auth: {{username: alice, {key}}}"))
    expected = "Basic " + base64.b64encode("alice:geheim ジ".encode()).decode()
    assert authorization(client.session()) == expected


def test_files_of_tls_are_relative_to_the_file(tmp_path: Path) -> None:
    for name in ("ca.pem", "c.pem", "c.key"):
        (tmp_path / name).write_text("pem")
    keys = "ca_file: ca.pem, cert_file: c.pem, key_file: c.key"
    session = load_http_client(put(tmp_path, f"tls_config: {{{keys}}}")).session()
    assert session.verify == str(tmp_path / "ca.pem")
    assert session.cert == (str(tmp_path / "c.pem"), str(tmp_path / "c.key"))


def test_each_session_is_one_of_its_own(tmp_path: Path) -> None:
    client = load_http_client(put(tmp_path, "tls_config: {server_name: exporter.example}"))
    assert client.session() is not client.session()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("oauth2: {}", "oauth2: unknown key; remove it or correct its name"),
        ("basic_auth: {username: a}", "basic_auth: give password or password_file, one of them"),
        (
            "basic_auth: {username: a, password: hunter2, password_file: f}",
            "basic_auth: give password or password_file, one of them",
        ),
        (
            "basic_auth: {username: a, password: [hunter2]}",
            "basic_auth.password: Input should be a valid string",
        ),
        (
            "basic_auth: {username: a, password_file: gone}",
            "{0}/gone: cannot be read (No such file or directory); check basic_auth.password_file",
        ),
        ("tls_config: {cert_file: c}", "tls_config: give cert_file and key_file, or neither"),
        (
            "tls_config: {ca_file: gone}",
            "{0}/gone: cannot be read (No such file or directory); check tls_config.ca_file",
        ),
    ],
)
def test_what_is_wrong_is_named_without_the_secret(tmp_path: Path, text: str, problem: str) -> None:
    file = put(tmp_path, text)
    with pytest.raises(ConfigurationError) as error:
        load_http_client(file)
    assert str(error.value) == f"{file}: {problem.format(tmp_path)}"
    assert "hunter2" not in str(error.value)
