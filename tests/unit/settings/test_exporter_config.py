"""exporter_config: strict YAML; what is wrong is named by file and key, and a secret is never shown."""

from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from exporter.errors import ConfigurationError
from exporter.settings.exporter_config import (
    ExporterConfig,
    GpuMode,
    Role,
    default_config,
    load_config,
    watch_router,
)
from exporter.settings.router_api import RouterApi
from exporter.settings.server_trust import ServerTrust
from exporter.settings.strict_yaml import read_secret
from tests.support.refusals import CONFIGURATIONS

SECRET = "sk-very-secret"


def config_of(tmp_path: Path, text: str | bytes) -> ExporterConfig:
    path = tmp_path / "exporter.yml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load_config(path)


def refusal(tmp_path: Path, text: str | bytes) -> str:
    """The message about a configuration, without the file's name that it begins with."""
    with pytest.raises(ConfigurationError) as error:
        config_of(tmp_path, text)
    message = str(error.value)
    assert message.startswith(f"{tmp_path / 'exporter.yml'}: ")
    assert "\n" not in message
    return message.removeprefix(f"{tmp_path / 'exporter.yml'}: ")


@pytest.mark.parametrize("text", ["", "# nothing\n", "{}"])
def test_an_empty_file_is_the_default_router_and_this_host(tmp_path: Path, text: str) -> None:
    config = config_of(tmp_path, text)
    assert config == ExporterConfig()
    assert config.router is not None
    assert config.router.url == "http://127.0.0.1:8080"
    assert config.host is True
    assert config.gpu is GpuMode.AUTO
    assert (config.proc_root, config.host_root) == (Path("/proc"), Path("/"))
    assert config.processes == ()


def test_every_key_is_read(tmp_path: Path) -> None:
    config = config_of(
        tmp_path,
        """
router:
  url: "https://router:8443"
  api_key_file: /run/key
  timeout_seconds: 0.5
  tls_config: {ca_file: ca.pem, server_name: router.internal}
host: false
proc_root: /host/proc
host_root: /proc/1/root
gpu: required
gpu_max_age_seconds: 10
gpu_retry_seconds: 30
collector_deadline_seconds: 2
processes:
  - {name: router, role: router, match: {port: 8443}}
  - {name: node-1, role: node, match: {pid_file: /run/node.pid}}
  - {name: node-2, role: node, match: {name: llm-node}}
  - {name: load, role: load, match: {command_line: "wrk .*-c"}}
""",
    )
    assert config.router is not None
    assert config.router.url == "https://router:8443"
    assert config.router.api_key_file == Path("/run/key")
    assert config.router.timeout_seconds == 0.5
    assert config.router.tls_config == ServerTrust(ca_file=Path("ca.pem"), server_name="router.internal")
    assert config.host is False
    assert (config.proc_root, config.host_root) == (Path("/host/proc"), Path("/proc/1/root"))
    assert config.gpu is GpuMode.REQUIRED
    assert (config.gpu_max_age_seconds, config.gpu_retry_seconds) == (10.0, 30.0)
    assert config.collector_deadline_seconds == 2.0
    assert [(process.name, process.role) for process in config.processes] == [
        ("router", Role.ROUTER),
        ("node-1", Role.NODE),
        ("node-2", Role.NODE),
        ("load", Role.LOAD),
    ]
    assert config.processes[0].match.port == 8443
    assert config.processes[3].match.command_line == "wrk .*-c"


def test_the_router_may_be_left_out(tmp_path: Path) -> None:
    assert config_of(tmp_path, "router: null").router is None


@pytest.mark.parametrize("word", ["off", "no", "false", '"off"'])
def test_gpus_are_switched_off_by_every_word_that_yaml_has_for_it(tmp_path: Path, word: str) -> None:
    assert config_of(tmp_path, f"gpu: {word}").gpu is GpuMode.OFF


def test_a_configuration_cannot_be_changed(tmp_path: Path) -> None:
    config = config_of(tmp_path, "")
    with pytest.raises(ValidationError, match="frozen"):
        config.host = False


@pytest.mark.parametrize("text", CONFIGURATIONS)
def test_what_is_wrong_is_reported_with_file_and_key_in_one_line(tmp_path: Path, text: str) -> None:
    key = CONFIGURATIONS[text]
    message = refusal(tmp_path, text)
    assert message.startswith(f"{key}: " if key else "")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("router: {url: [", "YAML at line 1"),
        ("host: true\n\thost: false", "YAML at line 2"),
        (b"\xff\xfe\x00", "UTF-8"),
    ],
)
def test_what_is_no_yaml_is_called_that(tmp_path: Path, text: str | bytes, named: str) -> None:
    assert named in refusal(tmp_path, text)


def test_a_file_that_is_not_there_is_named_with_its_option(tmp_path: Path) -> None:
    path = tmp_path / "missing.yml"
    with pytest.raises(ConfigurationError) as error:
        load_config(path)
    assert str(error.value).startswith(f"{path}: ")
    assert "--config" in str(error.value)


def test_yaml_that_would_build_objects_is_refused(tmp_path: Path) -> None:
    assert "not valid YAML at line 1" in refusal(tmp_path, "!!python/object/apply:os.getcwd []")


@pytest.mark.parametrize(
    ("url", "port"),
    [
        ("http://127.0.0.1:8080", 8080),
        ("http://localhost", 80),
        ("https://localhost", 443),
        ("http://[::1]:9000", 9000),
        ("http://host.docker.internal:8081", 8081),
    ],
)
def test_by_default_the_process_of_a_router_on_this_host_is_watched(url: str, port: int) -> None:
    config = default_config(url)
    assert config.router is not None
    assert config.router.url == url
    (process,) = config.processes
    assert (process.name, process.role, process.match.port) == ("router", Role.ROUTER, port)


def test_by_default_no_process_is_watched_for_a_router_elsewhere() -> None:
    config = default_config("http://router.example:8080")
    assert config.processes == ()
    assert config.router is not None
    assert config.router.url == "http://router.example:8080"


@pytest.mark.parametrize(
    ("value", "url"), [("http://10.0.0.1:81", "http://10.0.0.1:81"), ("", "http://127.0.0.1:8080")]
)
def test_the_default_router_is_that_of_the_environment(
    monkeypatch: pytest.MonkeyPatch, value: str, url: str
) -> None:
    monkeypatch.setenv("ROUTER_URL", value)
    router = default_config().router
    assert router is not None
    assert router.url == url


@pytest.mark.parametrize(
    "url", ["localhost:8080", "ftp://x", "http://[::1", "http://x:99999", "http:///", "x"]
)
def test_a_router_url_that_is_none_is_refused_by_its_variable(url: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        default_config(url)
    assert str(error.value).startswith(f"ROUTER_URL: {url!r}: not the http(s) URL of a server")


def test_a_password_in_the_variable_is_refused_without_showing_it() -> None:
    with pytest.raises(ConfigurationError) as error:
        default_config("http://user:secret@h")
    assert str(error.value).startswith("ROUTER_URL: 'h': no user and password are taken from it")


def test_what_is_watched_of_a_router_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    trust = ServerTrust(ca_file=Path("/etc/ca.pem"), insecure_skip_verify=True)
    router = RouterApi(url="https://127.0.0.1:8443/llm", timeout_seconds=40, tls_config=trust)
    watched = watch_router(router)
    text = yaml.safe_dump(watched.model_dump(mode="json", exclude_defaults=True))
    assert config_of(tmp_path, text) == watched
    assert [process.match.port for process in watched.processes] == [8443]


def test_a_secret_is_read_from_the_variable_or_the_file_without_its_line_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEY_FOR_A_TEST", SECRET)
    file = tmp_path / "key"
    file.write_text(f"{SECRET}\n")
    assert read_secret("KEY_FOR_A_TEST", None) == SECRET
    assert read_secret(None, file) == SECRET
    assert read_secret(None, None) is None


def test_a_key_named_twice_is_refused_without_showing_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEY_FOR_A_TEST", SECRET)
    with pytest.raises(ConfigurationError) as error:
        read_secret("KEY_FOR_A_TEST", tmp_path / "key")
    assert SECRET not in str(error.value)


@pytest.mark.parametrize("value", [None, "", "  \n"])
def test_a_variable_without_a_key_is_refused_by_its_name(
    monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    monkeypatch.delenv("KEY_FOR_A_TEST", raising=False)
    if value is not None:
        monkeypatch.setenv("KEY_FOR_A_TEST", value)
    with pytest.raises(ConfigurationError) as error:
        read_secret("KEY_FOR_A_TEST", None)
    assert "KEY_FOR_A_TEST" in str(error.value)


@pytest.mark.parametrize("content", [None, b"\n", b"\xff\xfe"], ids=["missing", "empty", "not text"])
def test_a_key_file_that_holds_no_key_is_refused_by_its_name(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "key"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigurationError) as error:
        read_secret(None, file)
    assert str(error.value).startswith(f"{file}: ")
