"""`--web.config.file`: whatever is in it, it is taken or named in one line; nothing else, and no secret."""

import tempfile
from pathlib import Path

import yaml
from hypothesis import given
from hypothesis import strategies as st

from exporter.errors import ConfigurationError
from exporter.http_server.guard import _Bucket
from exporter.http_server.reload import WebFile
from exporter.settings.exporter_config import ExporterConfig
from exporter.settings.strict_yaml import load_yaml
from tests.support.mutations import SCALARS, TEXTS, mutated_bytes, mutated_lines, repeated
from tests.support.refusals import HASH

SECRET = "hunter2"
FILES = (
    f"""\
tls_server_config:
  cert_file: server.crt
  key: {SECRET}
  client_auth_type: RequireAndVerifyClientCert
  client_ca: |
    -----BEGIN CERTIFICATE-----
  client_allowed_sans: [prometheus.example, 10.0.0.1]
  min_version: TLS12
  cipher_suites: [TLS_AES_128_GCM_SHA256, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]
  curve_preferences: [X25519]
""",
    f"""\
http_server_config:
  http2: false
  headers: {{X-Frame-Options: deny, Content-Security-Policy: ""}}
basic_auth_users:
  alice: {HASH}
  bob: &hash "{HASH}"
rate_limit: {{interval: 1m0.5s, burst: 20}}
""",
    """\
a: &a {x: 1}
b: &b {<<: [*a, *a], "y": !!int "7"}
rate_limit: {<<: *b}
""",
)
TAGS = st.sampled_from(
    [
        "bool",
        "int",
        "float",
        "null",
        "timestamp",
        "binary",
        "set",
        "omap",
        "pairs",
        "seq",
        "map",
        "str",
        "merge",
        "value",
        "python/object:os.system",
        "python/name:os.system",
    ]
)
TAGGED = st.builds(lambda tag, value: f"rate_limit: !!{tag} {value}\n", TAGS, SCALARS.map(repr) | TEXTS)
KEYS = st.sampled_from(
    [
        "tls_server_config",
        "http_server_config",
        "basic_auth_users",
        "rate_limit",
        "cert",
        "cert_file",
        "key",
        "key_file",
        "client_ca",
        "client_ca_file",
        "client_auth_type",
        "cipher_suites",
        "interval",
        "burst",
        "headers",
        "X-Frame-Options",
        "alice",
        "curve_preferences",
        "client_allowed_sans",
        "min_version",
    ]
)
WORDS = st.sampled_from([HASH, "RequireAndVerifyClientCert", "9" * 400 + "h", "web.yml", "a\0b", "é", ".."])
VALUES = st.recursive(
    SCALARS | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=10,
)
DOCUMENTS = st.dictionaries(KEYS, VALUES, max_size=3)


def dumped(document: object) -> bytes:
    return yaml.safe_dump(document, allow_unicode=True).encode("utf-8", "surrogatepass")


CONTENTS = (
    st.binary(max_size=200)
    | (mutated_lines(FILES) | TAGGED).map(lambda text: text.encode("utf-8", "surrogatepass"))
    | mutated_bytes(st.sampled_from(FILES).map(str.encode))
    | DOCUMENTS.map(dumped)
    | repeated(b"[", b"{a: ", b"- ", b"? ", b"&a [*a, ")
)


@given(CONTENTS)
def test_any_file_is_in_force_or_refused_in_a_line_that_shows_no_secret(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "web.yml"
        file.write_bytes(content)
        try:
            settings = WebFile(file).current()
        except ConfigurationError as error:
            message = str(error)
            assert message.startswith(f"{file}: ")
            assert SECRET not in message
            assert HASH not in message
            assert len(message) < 2000
            message.encode()
        else:
            assert all(hashed.startswith(b"$2") for hashed in settings.users.values())
            if settings.rate_limit is not None:
                bucket = _Bucket(settings.rate_limit, 0.0)
                assert bucket.take(0.0)
                # It is refilled at some time.
                assert bucket.take(1e10)


@given(mutated_lines(FILES[1:]), mutated_lines(FILES[1:]))
def test_a_file_that_changes_is_in_force_or_nothing_is_answered_until_it_is_right(
    first: str, then: str
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "web.yml"
        file.write_text("", encoding="utf-8")
        web = WebFile(file)
        authenticated = False
        for text in (first, then, FILES[0], FILES[1] + "#" * 9):
            file.write_text(text, encoding="utf-8", errors="replace")
            try:
                settings = web.current()
            except ConfigurationError:
                continue
            assert settings.authenticates or not authenticated
            authenticated = settings.authenticates
        assert web.current().users.keys() == {"alice", "bob"}


EXPORTER = """\
router: {url: "http://127.0.0.1:8080", api_key_env: KEY, timeout_seconds: 1.5, also_known_as: ["proxy:80"]}
processes:
  - {name: router, role: router, match: {port: 8080}}
  - {name: node-1, role: node, match: {command_line: "ollama serve"}, each: true}
  - {name: wrk, role: load, match: {pid_file: /run/x.pid}}
host: true
gpu: off
proc_root: /proc
"""


@given(
    mutated_lines([EXPORTER]).map(lambda text: text.encode("utf-8", "surrogatepass"))
    | mutated_bytes(st.just(EXPORTER.encode()))
)
def test_any_configuration_of_the_exporter_is_taken_or_refused_in_a_line(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "exporter.yml"
        file.write_bytes(content)
        try:
            config = load_yaml(file, ExporterConfig, "--config")
        except ConfigurationError as error:
            assert str(error).startswith(f"{file}: ")
            str(error).encode()
        else:
            names = [name for process in config.processes for name in process.names]
            assert len(names) == len(set(names))
            assert all(name.isascii() and name.isprintable() and " " not in name for name in names)
