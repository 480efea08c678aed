"""exporter_config: strict YAML; what is wrong is said with file and key, and a secret is never shown."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from exporter.errors import ConfigurationError
from exporter.settings.exporter_config import (
    ExporterConfig,
    GpuMode,
    Role,
    default_config,
    load_config,
    read_secret,
)

SECRET = "sk-very-secret"


def config_of(tmp_path: Path, text: str | bytes) -> ExporterConfig:
    path = tmp_path / "exporter.yml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load_config(path)


def refusal(tmp_path: Path, text: str | bytes) -> str:
    """What is said of a configuration, without the file's name that it must begin with."""
    with pytest.raises(ConfigurationError) as error:
        config_of(tmp_path, text)
    said = str(error.value)
    assert said.startswith(f"{tmp_path / 'exporter.yml'}: ")
    assert "\n" not in said
    return said.removeprefix(f"{tmp_path / 'exporter.yml'}: ")


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
router: {url: "https://router:8443", api_key_file: /run/key, timeout_seconds: 0.5}
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
        config.host = False  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("colour: red", "colour: unknown key; remove it or correct its name"),
        ("router: {uri: x}", "router.uri: unknown key; remove it or correct its name"),
        (
            "processes: [{name: a, role: router, match: {prot: 1}}]",
            "processes.0.match.prot: unknown key; remove it or correct its name",
        ),
        ("processes: [{name: a, match: {port: 1}}]", "processes.0.role: Field required"),
        (
            "processes: [{name: a, role: king, match: {port: 1}}]",
            "processes.0.role: Input should be 'router', 'node' or 'load'",
        ),
        (
            "processes: [{name: a, role: node, match: {}}]",
            "processes.0.match: give exactly one of port, pid_file, name, command_line (given: none)",
        ),
        (
            "processes: [{name: a, role: node, match: {port: 1, name: x}}]",
            "processes.0.match: give exactly one of port, pid_file, name, command_line "
            "(given: ['port', 'name'])",
        ),
        (
            "processes: [{name: a, role: node, match: {port: 70000}}]",
            "processes.0.match.port: Input should be less than or equal to 65535",
        ),
        (
            "processes: [{name: 'a b', role: node, match: {port: 1}}]",
            "processes.0.name: String should match pattern '^[A-Za-z0-9_.:-]{1,64}$'",
        ),
        (
            "processes: [{name: a, role: node, match: {port: 1}}, {name: a, role: node, match: {port: 2}}]",
            "processes: the name 'a' is used twice",
        ),
        ("host: perhaps", "host: Input should be a valid boolean, unable to interpret input"),
        ("proc_root: host/proc", "proc_root: 'host/proc' is not an absolute path"),
        ("host_root: host", "host_root: 'host' is not an absolute path"),
        ("gpu: on", "gpu: give auto, required or off; on could be either of the first two"),
        ("gpu: maybe", "gpu: Input should be 'auto', 'required' or 'off'"),
        ("gpu: 0", "gpu: Input should be 'auto', 'required' or 'off'"),
        ("gpu_max_age_seconds: 1", "gpu_max_age_seconds: Input should be greater than or equal to 2"),
        ("gpu_retry_seconds: 0", "gpu_retry_seconds: Input should be greater than or equal to 1"),
        ("collector_deadline_seconds: 0", "collector_deadline_seconds: Input should be greater than 0"),
        ("collector_deadline_seconds: .nan", "collector_deadline_seconds: Input should be"),
        (
            "router: {timeout_seconds: 11}",
            "router.timeout_seconds: Input should be less than or equal to 10",
        ),
        ("router: {url: 'ftp://x'}", "router.url: String should match pattern '^https?://[^/\\s]+'"),
        ("router: http://x", "router: Input should be a valid dictionary or instance of RouterApi"),
        ("[]", "Input should be a valid dictionary or instance of ExporterConfig"),
        ("just text", "Input should be a valid dictionary or instance of ExporterConfig"),
        ("router: {url: [", "not valid YAML: while parsing"),
        ("host: true\n\thost: false", "not valid YAML: "),
        (b"\xff\xfe\x00", "not valid YAML: "),
    ],
)
def test_what_is_wrong_is_said_with_file_and_key_in_one_line(
    tmp_path: Path, text: str | bytes, said: str
) -> None:
    assert refusal(tmp_path, text).startswith(said)


def test_a_file_that_is_not_there_is_named_with_its_option(tmp_path: Path) -> None:
    path = tmp_path / "missing.yml"
    with pytest.raises(ConfigurationError) as error:
        load_config(path)
    assert str(error.value) == f"{path}: cannot be read (No such file or directory); check --config"


def test_yaml_that_would_build_objects_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path, "!!python/object/apply:os.getcwd []").startswith("not valid YAML: could not")


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
    assert str(error.value) == (
        f"ROUTER_URL: {url!r} is not an http(s) URL; give one like http://127.0.0.1:8080"
    )


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
    with pytest.raises(ConfigurationError, match="named twice") as error:
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
    assert (
        str(error.value)
        == "environment variable KEY_FOR_A_TEST: empty or not set; it should hold the API key"
    )


def test_a_key_file_that_is_missing_empty_or_no_text_is_refused_by_its_name(tmp_path: Path) -> None:
    file = tmp_path / "key"
    with pytest.raises(ConfigurationError, match=f"{file}: the API key file cannot be read"):
        read_secret(None, file)
    file.write_text("\n")
    with pytest.raises(ConfigurationError) as error:
        read_secret(None, file)
    assert str(error.value) == f"{file}: the API key file is empty"
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigurationError, match=f"{file}: the API key file cannot be read"):
        read_secret(None, file)


def test_a_pattern_that_is_none_is_refused_by_file_and_key(tmp_path: Path) -> None:
    file = tmp_path / "c.yml"
    file.write_text("processes: [{name: it, role: node, match: {command_line: '('}}]")
    with pytest.raises(ConfigurationError) as refused:
        load_config(file)
    assert str(refused.value).startswith(f"{file}: processes.0.match.command_line: '(' is not a regular")
