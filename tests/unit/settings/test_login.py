"""exporter.settings.login: promtool's format for logging in, and that no secret is shown."""

import base64
from pathlib import Path

import pytest
import requests

from exporter.errors import ConfigurationError
from exporter.settings.login import NO_LOGIN, load_http_client
from tests.support.refusals import LOGINS


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


@pytest.mark.parametrize("text", LOGINS)
def test_what_is_wrong_is_named_without_the_secret(tmp_path: Path, text: str) -> None:
    file = put(tmp_path, text)
    with pytest.raises(ConfigurationError) as error:
        load_http_client(file)
    assert str(error.value).startswith(f"{file}: ")
    assert LOGINS[text] in str(error.value)
    assert "hunter2" not in str(error.value)


def test_a_file_that_is_not_there_is_looked_for_beside_the_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as error:
        load_http_client(put(tmp_path, "tls_config: {ca_file: gone}"))
    assert f"{tmp_path}/gone: " in str(error.value)
