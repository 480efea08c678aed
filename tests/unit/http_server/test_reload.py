"""exporter.http_server.reload: a changed file is in force at once, a broken one lets nobody in."""

import logging
import ssl
from pathlib import Path

import pytest
import trustme

from exporter.errors import ConfigurationError
from exporter.http_server.reload import WebFile, WebSettings

HASH = "$2y$10$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG"
OTHER = HASH.replace("$10$", "$11$")
TLS = "tls_server_config: {cert_file: server.crt, key_file: server.key}\n"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def put(file: Path, text: str) -> Path:
    """Replace a file as an editor does: another file, renamed."""
    new = file.with_suffix(".new")
    new.write_text(text, encoding="utf-8")
    new.replace(file)
    return file


def put_pair(folder: Path, authority: trustme.CA) -> None:
    pair = authority.issue_cert("127.0.0.1")
    put(folder / "server.crt", pair.cert_chain_pems[0].bytes().decode())
    put(folder / "server.key", pair.private_key_pem.bytes().decode())


def test_without_a_file_nothing_is_asked_for() -> None:
    assert WebFile(None).current() == WebSettings()
    assert WebFile(None).current().authenticates is False


def test_users_and_headers_are_read_again_when_the_file_has_changed(tmp_path: Path) -> None:
    file = put(tmp_path / "web.yml", f"basic_auth_users: {{alice: {HASH}}}")
    web = WebFile(file)
    assert web.current() is web.current()
    assert web.current().users == {"alice": HASH.encode()}
    put(
        file,
        f"basic_auth_users: {{bob: {OTHER}}}\nhttp_server_config: {{headers: {{X-Frame-Options: deny}}}}",
    )
    assert web.current().users == {"bob": OTHER.encode()}
    assert web.current().headers == ((b"x-frame-options", b"deny"),)


def test_a_certificate_that_was_replaced_is_another_context(tmp_path: Path, authority: trustme.CA) -> None:
    put_pair(tmp_path, authority)
    web = WebFile(put(tmp_path / "web.yml", TLS))
    first = web.current().tls
    assert isinstance(first, ssl.SSLContext)
    assert web.current().tls is first
    put_pair(tmp_path, authority)
    assert web.current().tls is not first


def test_a_broken_file_lets_nobody_in_is_logged_once_and_is_over_when_corrected(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = put(tmp_path / "web.yml", f"basic_auth_users: {{alice: {HASH}}}")
    web = WebFile(file)
    with caplog.at_level(logging.INFO):
        put(file, "basic_auth_users: {alice: hunter2}")
        for _ in range(3):
            with pytest.raises(ConfigurationError):
                web.current()
        put(file, f"basic_auth_users: {{alice: {OTHER}}}")
        assert web.current().users == {"alice": OTHER.encode()}
    broken, corrected = [record.getMessage() for record in caplog.records]
    assert broken.startswith("--web.config.file: ")
    assert f"{file}: basic_auth_users.alice: " in broken
    assert corrected.startswith(f"{file}: ")


def test_a_file_that_is_gone_lets_nobody_in(tmp_path: Path) -> None:
    file = put(tmp_path / "web.yml", f"basic_auth_users: {{alice: {HASH}}}")
    web = WebFile(file)
    file.unlink()
    with pytest.raises(ConfigurationError, match="cannot be read"):
        web.current()


@pytest.mark.parametrize("text", ["", "basic_auth_users: {}"])
def test_a_file_that_was_emptied_does_not_open_the_door(tmp_path: Path, text: str) -> None:
    file = put(tmp_path / "web.yml", f"basic_auth_users: {{alice: {HASH}}}")
    web = WebFile(file)
    put(file, text)
    with pytest.raises(ConfigurationError, match=r"web\.yml: .* user; .* restart"):
        web.current()


def test_tls_is_not_given_up_either(tmp_path: Path, authority: trustme.CA) -> None:
    put_pair(tmp_path, authority)
    file = put(tmp_path / "web.yml", TLS)
    web = WebFile(file)
    put(file, "")
    with pytest.raises(ConfigurationError, match=r"web\.yml: .* TLS; .* restart"):
        web.current()
    assert web.last_good.tls is not None


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"server.key": None}, "{0}/server.key: "),
        ({"server.crt": "no certificate"}, "tls_server_config.cert_file: "),
        ({"web.yml": TLS.replace("}", ", cipher_suites: [RC4]}")}, "tls_server_config.cipher_suites: 'RC4' "),
        (
            {"web.yml": TLS.replace("}", ", cipher_suites: [TLS_AES_128_GCM_SHA256], max_version: TLS12}")},
            "tls_server_config.cipher_suites: ",
        ),
        (
            {"web.yml": TLS.replace("}", ", client_auth_type: VerifyClientCertIfGiven, client_ca: x}")},
            "tls_server_config.client_ca_file: ",
        ),
    ],
)
def test_a_certificate_that_cannot_be_used_is_named(
    tmp_path: Path, authority: trustme.CA, change: dict[str, str | None], problem: str
) -> None:
    put_pair(tmp_path, authority)
    file = put(tmp_path / "web.yml", TLS)
    for name, text in change.items():
        if text is None:
            (tmp_path / name).unlink()
        else:
            put(tmp_path / name, text)
    with pytest.raises(ConfigurationError) as error:
        WebFile(file)
    assert str(error.value).startswith(f"{file}: {problem.format(tmp_path)}")


def test_a_key_of_another_certificate_is_refused(tmp_path: Path, authority: trustme.CA) -> None:
    put_pair(tmp_path, authority)
    put(tmp_path / "server.key", authority.issue_cert("else").private_key_pem.bytes().decode())
    with pytest.raises(ConfigurationError, match=r"web\.yml: tls_server_config\.key_file: "):
        WebFile(put(tmp_path / "web.yml", TLS))


def test_an_encrypted_key_is_refused_and_no_password_is_asked_for(
    tmp_path: Path, authority: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cryptography.hazmat.primitives import serialization

    put_pair(tmp_path, authority)
    key = serialization.load_pem_private_key((tmp_path / "server.key").read_bytes(), None)
    encrypted = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"p"),
    )
    put(tmp_path / "server.key", encrypted.decode())
    with pytest.raises(ConfigurationError, match="unencrypted key"):
        WebFile(put(tmp_path / "web.yml", TLS))


def test_certificate_and_key_may_stand_in_the_file_itself_and_leave_no_file_open(
    tmp_path: Path, authority: trustme.CA
) -> None:
    import json

    pair = authority.issue_cert("127.0.0.1")
    cert, key = pair.cert_chain_pems[0].bytes().decode(), pair.private_key_pem.bytes().decode()
    text = f"tls_server_config: {{cert: {json.dumps(cert)}, key: {json.dumps(key)}}}"
    before = len(list(Path("/proc/self/fd").iterdir()))
    assert WebFile(put(tmp_path / "web.yml", text)).current().tls is not None
    assert len(list(Path("/proc/self/fd").iterdir())) == before
