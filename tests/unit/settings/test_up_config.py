"""exporter.settings.up_config: the configuration of `soak up`."""

from pathlib import Path

import pytest
import yaml

from exporter.errors import ConfigurationError
from exporter.settings.exporter_config import ExporterConfig
from exporter.settings.up_config import UpConfig, for_router, load_up_config

DEFAULT = "http://localhost:8080"


def loaded(folder: Path, **document: object) -> UpConfig:
    file = folder / "watch.yml"
    file.write_text(yaml.safe_dump(document), encoding="utf-8")
    return load_up_config(file)


def test_the_router_is_the_named_one_else_the_files_else_the_default(tmp_path: Path) -> None:
    in_file = loaded(tmp_path, router={"url": "http://router:1", "timeout_seconds": 3})
    assert for_router(UpConfig(), None, DEFAULT).router == for_router(UpConfig(), DEFAULT, "http://h").router
    chosen = for_router(in_file, None, DEFAULT).router
    assert chosen is not None
    assert (chosen.url, chosen.timeout_seconds) == ("http://router:1", 3)
    without = for_router(loaded(tmp_path, router={"timeout_seconds": 3}), "http://other:2/v1", DEFAULT).router
    assert without is not None
    assert (without.url, without.timeout_seconds) == ("http://other:2", 3)
    assert for_router(in_file, "http://router:1/", DEFAULT).router == chosen


def test_two_different_routers_are_refused(tmp_path: Path) -> None:
    in_file = loaded(tmp_path, router={"url": "http://router:1"})
    with pytest.raises(
        ConfigurationError, match=r"^--target: http://other:2 is not the router.url of --config"
    ):
        for_router(in_file, "http://other:2", DEFAULT)


def test_a_key_of_an_option_takes_the_place_of_the_files(tmp_path: Path) -> None:
    in_file = loaded(tmp_path, router={"api_key_env": "KEY"})
    router = for_router(in_file, None, DEFAULT, api_key_file=Path("key"), api_key_env=None).router
    assert router is not None
    assert (router.api_key_env, router.api_key_file) == (None, Path("key").absolute())
    kept = for_router(in_file, None, DEFAULT, api_key_file=None, api_key_env=None).router
    assert kept is not None
    assert kept.api_key_env == "KEY"


def test_files_have_whole_names_since_the_stack_goes_on_in_any_folder(tmp_path: Path) -> None:
    config = loaded(
        tmp_path,
        processes=[{"name": "router", "role": "router", "match": {"pid_file": "router.pid"}}],
        agents=[{"targets": ["gpu-1:9877"]}],
        agents_login={
            "basic_auth": {"username": "prometheus", "password_file": "password"},
            "tls_config": {"ca_file": "ca.pem"},
        },
    )
    assert config.processes[0].match.pid_file == Path("router.pid").absolute()
    login = config.agents_login
    assert login is not None
    assert login.basic_auth is not None
    assert login.basic_auth.password_file == tmp_path / "password"
    assert login.tls_config.ca_file == tmp_path / "ca.pem"


def test_the_exporter_gets_what_is_its_own(tmp_path: Path) -> None:
    config = loaded(tmp_path, gpu="off", agents=[{"targets": ["gpu-1:9877"]}])
    assert config.of_the_exporter == ExporterConfig.model_validate({"gpu": "off"})


@pytest.mark.parametrize(
    ("document", "why"),
    [
        ({"router": None}, "router: soak up is for one"),
        ({"agents": [{"targets": ["gpu-1"]}]}, "agents.0.targets: 'gpu-1' is not HOST:PORT"),
        ({"agents": [{"targets": []}]}, "agents.0.targets: "),
        ({"agents": [{"targets": ["a:1"], "labels": {"a-b": "c"}}]}, "agents.0.labels: 'a-b'"),
        ({"agents": [{"target": "a:1"}]}, "agents.0.targets: "),
        ({"agents_login": {}}, "agents_login: is about agents"),
        (
            {
                "agents": [{"targets": ["a:1"]}],
                "agents_login": {"basic_auth": {"username": "u", "password": "hunter2"}},
            },
            "agents_login.basic_auth: give password_file",
        ),
        ({"process": []}, "process: unknown key"),
    ],
)
def test_what_is_wrong_is_named_by_file_and_key(
    tmp_path: Path, document: dict[str, object], why: str
) -> None:
    with pytest.raises(ConfigurationError) as error:
        loaded(tmp_path, **document)
    assert str(error.value).startswith(f"{tmp_path / 'watch.yml'}: {why}")
    assert "hunter2" not in str(error.value)
