"""http_server.config: the exporter-toolkit's format, what of it is refused, and that no secret is shown."""

from pathlib import Path

import pytest

from exporter.errors import ConfigurationError
from exporter.http_server.config import ClientAuth, WebConfig
from exporter.settings.strict_yaml import load_yaml

HASH = "$2y$10$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG"
PAIR = "cert_file: a, key_file: b"


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


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("tls: {}", "tls: unknown key; remove it or correct its name"),
        ("tls_server_config: {}", "tls_server_config: cert_file is missing"),
        ("tls_server_config: {cert_file: a}", "tls_server_config: key_file is missing"),
        (
            f"tls_server_config: {{{PAIR}, cert: x}}",
            "tls_server_config: give cert or cert_file, not both",
        ),
        (
            f"tls_server_config: {{{PAIR}, client_ca_file: c}}",
            "tls_server_config: client_ca_file does nothing without client_auth_type; "
            "RequireAndVerifyClientCert?",
        ),
        (
            f"tls_server_config: {{{PAIR}, client_auth_type: RequireAndVerifyClientCert}}",
            "tls_server_config: client_ca_file is missing",
        ),
        (
            f"tls_server_config: {{{PAIR}, client_auth_type: RequireAnyClientCert}}",
            "tls_server_config.client_auth_type: RequireAnyClientCert accepts unverified certificates, "
            "which Python's TLS does not; use VerifyClientCertIfGiven or "
            "RequireAndVerifyClientCert",
        ),
        (
            f"tls_server_config: {{{PAIR}, client_auth_type: Maybe}}",
            "tls_server_config.client_auth_type: Input should be 'NoClientCert', 'VerifyClientCertIfGiven' "
            "or 'RequireAndVerifyClientCert'",
        ),
        (
            f"tls_server_config: {{{PAIR}, client_allowed_sans: [a]}}",
            "tls_server_config: client_allowed_sans needs client_auth_type: RequireAndVerifyClientCert",
        ),
        (
            f"tls_server_config: {{{PAIR}, min_version: TLS10}}",
            "tls_server_config.min_version: TLS10 is switched off in today's OpenSSL; use TLS12 or TLS13",
        ),
        (
            f"tls_server_config: {{{PAIR}, min_version: TLS13, max_version: TLS12}}",
            "tls_server_config: min_version TLS13 is above max_version TLS12",
        ),
        (
            f"tls_server_config: {{{PAIR}, curve_preferences: [X25519, CurveP256]}}",
            "tls_server_config: curve_preferences: Python's TLS takes one curve; name one",
        ),
        (
            "http_server_config: {http2: true}",
            "http_server_config.http2: HTTP/2 is not offered; leave the key out or set it to false",
        ),
        (
            "http_server_config: {headers: {Server: x}}",
            "http_server_config.headers.Server: unknown key; remove it or correct its name",
        ),
        (
            "http_server_config: {headers: {X-Frame-Options: allow}}",
            "http_server_config.headers.X-Frame-Options: Input should be '', 'deny' or 'sameorigin'",
        ),
        (
            'http_server_config: {headers: {X-XSS-Protection: "a\\r\\nb: c"}}',
            r"http_server_config.headers.X-XSS-Protection: String should match pattern '^[\x20-\x7e]*$'",
        ),
        ("rate_limit: {interval: soon}", "rate_limit.interval: not a duration like 1s, 500ms or 1m30s"),
        ("rate_limit: {interval: 1s}", "rate_limit: burst: at least 1, or nothing is ever answered"),
        (
            "basic_auth_users: {alice: hunter2}",
            "basic_auth_users.alice: not a bcrypt hash; make one with: htpasswd -nBC 10 USER",
        ),
        (
            f"basic_auth_users: {{alice: {HASH.replace('$10$', '$31$')}}}",
            "basic_auth_users.alice: bcrypt cost 31: use 4 to 18 (10 is usual)",
        ),
        ("basic_auth_users:\n  alice: a\n  alice: b\n", "key given twice at line 3, column 3"),
        ("basic_auth_users:\n  alice: *hunter2\n", "not valid YAML at line 2, column 10"),
        ("basic_auth_users:\n  alice: {hunter2\n", "not valid YAML at line 3, column 1"),
        ("!!python/object:os.system hunter2", "not valid YAML at line 1, column 1"),
    ],
)
def test_what_is_wrong_is_named_by_file_and_key_and_no_secret_is_shown(
    tmp_path: Path, text: str, problem: str
) -> None:
    with pytest.raises(ConfigurationError) as error:
        load(tmp_path, text)
    assert str(error.value) == f"{tmp_path / 'web.yml'}: {problem}"
    assert "hunter2" not in str(error.value)


def test_hashes_and_keys_are_in_no_representation(tmp_path: Path) -> None:
    config = load(
        tmp_path,
        f"basic_auth_users: {{alice: {HASH}}}\ntls_server_config: {{cert_file: a, key: hunter2}}",
    )
    assert HASH not in repr(config)
    assert "hunter2" not in f"{config!r} {config}"


def test_a_file_that_is_not_there_is_named_with_the_option(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as error:
        load_yaml(tmp_path / "gone.yml", WebConfig, "--web.config.file")
    expected = f"{tmp_path / 'gone.yml'}: cannot be read (No such file or directory); check --web.config.file"
    assert str(error.value) == expected
