"""http_server.config: the exporter-toolkit's format, what of it is refused, and that no secret is shown."""

from pathlib import Path

import pytest

from exporter.errors import ConfigurationError
from exporter.http_server.config import ClientAuth, WebConfig
from exporter.settings.strict_yaml import load_yaml
from tests.support.refusals import HASH, WEB_CONFIGURATIONS


def load(tmp_path: Path, text: str) -> WebConfig:
    file = tmp_path / "web.yml"
    file.write_text(text, encoding="utf-8")
    return load_yaml(file, WebConfig, "--web.config.file")


def test_every_key_of_the_toolkit_that_python_can_honour_is_taken(tmp_path: Path) -> None:
    config = load(
        tmp_path,
        f"""
tls_server_config:
  cert_file: server.crt
  key_file: server.key
  client_auth_type: RequireAndVerifyClientCert
  client_ca_file: ca.crt
  client_allowed_sans: [prometheus.example, 10.0.0.1]
  min_version: TLS12
  max_version: TLS13
  cipher_suites: [TLS_AES_128_GCM_SHA256, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]
  prefer_server_cipher_suites: false
  curve_preferences: [X25519]
http_server_config:
  http2: false
  headers:
    X-Frame-Options: deny
    Content-Security-Policy: ""
basic_auth_users:
  alice: {HASH}
  bob: {HASH.replace("$2y$", "$2b$")}
  carol: {HASH.replace("$2y$", "$2a$")}
rate_limit:
  interval: 1m0.5s
  burst: 20
""",
    )
    tls = config.tls_server_config
    assert tls is not None
    assert tls.client_auth_type is ClientAuth.REQUIRED
    assert tls.client_allowed_sans == ("prometheus.example", "10.0.0.1")
    assert config.http_server_config is not None
    assert config.http_server_config.headers is not None
    assert config.http_server_config.headers.frame_options == "deny"
    assert config.http_server_config.headers.csp == ""
    assert set(config.basic_auth_users or ()) == {"alice", "bob", "carol"}
    assert config.rate_limit is not None
    assert (config.rate_limit.interval, config.rate_limit.burst) == (60.5, 20)


@pytest.mark.parametrize("text", ["", "basic_auth_users:\ntls_server_config:\n", "rate_limit: {interval: 0}"])
def test_a_file_that_asks_for_nothing_is_taken(tmp_path: Path, text: str) -> None:
    assert load(tmp_path, text).basic_auth_users is None


@pytest.mark.parametrize("text", WEB_CONFIGURATIONS)
def test_what_is_wrong_is_named_by_file_and_key_and_no_secret_is_shown(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        load(tmp_path, text)
    message = str(error.value).removeprefix(f"{tmp_path / 'web.yml'}: ")
    named = WEB_CONFIGURATIONS[text]
    assert message.endswith(named) if named.startswith("line") else message.startswith(named)
    assert "hunter2" not in str(error.value)


def test_hashes_and_keys_are_in_no_representation(tmp_path: Path) -> None:
    config = load(
        tmp_path, f"basic_auth_users: {{alice: {HASH}}}\ntls_server_config: {{cert_file: a, key: hunter2}}"
    )
    assert HASH not in repr(config)
    assert "hunter2" not in f"{config!r} {config}"


def test_a_file_that_is_not_there_is_named_with_the_option(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as error:
        load_yaml(tmp_path / "gone.yml", WebConfig, "--web.config.file")
    assert str(error.value).startswith(f"{tmp_path / 'gone.yml'}: ")
    assert "--web.config.file" in str(error.value)
