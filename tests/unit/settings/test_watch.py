"""exporter.settings.watch: whether the router that an exporter watches is the one under test."""

import json

import pytest

from exporter.settings.exporter_config import ExporterConfig, Match, Role, WatchedProcess
from exporter.settings.machine import Machine, plain_host
from exporter.settings.router_api import RouterApi
from exporter.settings.watch import Watch
from tests.support.watching import watch_of

HERE = Machine(("box", "box.example", "192.168.1.5"), "of-box")
BESIDE = {"host": "box", "names": ("box.example", "192.168.1.5"), "network": "of-box"}
"""an exporter on the same machine"""
IN_A_CONTAINER = {"host": "box", "names": ("172.17.0.2",), "network": "of-a-container"}
LOCAL, AFAR = "http://127.0.0.1:9877", "http://watcher:9877"


@pytest.mark.parametrize(
    ("target", "url", "at", "where"),
    [
        ("http://localhost:8080", "http://127.0.0.1:8080", LOCAL, BESIDE),
        ("http://[::1]:8080", "http://localhost:8080", LOCAL, BESIDE),
        ("http://0.0.0.0:8080", "http://127.0.0.1:8080", LOCAL, BESIDE),
        ("http://BOX:8080", "http://127.0.0.1:8080", LOCAL, BESIDE),
        ("http://box.example.:8080", "http://127.0.0.1:8080", LOCAL, BESIDE),
        ("http://192.168.1.5:8080", "http://127.0.0.1:8080", LOCAL, BESIDE),
        ("http://127.0.0.1:8080", "http://192.168.1.5:8080", LOCAL, BESIDE),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080", "http://192.168.1.5:9877", BESIDE),
        ("http://127.0.0.1", "http://localhost:80", LOCAL, BESIDE),
        ("https://127.0.0.1", "https://localhost:443/llm", LOCAL, BESIDE),
        ("http://localhost:8080/llm/v1/", "http://127.0.0.1:8080/llm", LOCAL, BESIDE),
        ("http://localhost:8080/llm", "http://127.0.0.1:8080/llm/a", LOCAL, BESIDE),
        ("http://router.example:8080", "http://Router.example:8080", AFAR, {}),
        # The exporter is on the router's machine.
        ("http://watcher:8080", "http://127.0.0.1:8080", "http://10.0.0.9:9877", {}),
        ("http://10.0.0.9:8080", "http://127.0.0.1:8080", AFAR, {}),
        ("http://router.example:8080", "http://127.0.0.1:8080", "http://router.example:9877", {}),
        # In containers.
        ("http://host.docker.internal:8080", "http://host.docker.internal:8080", "http://exporter:9877", {}),
        ("http://localhost:8080", "http://host.docker.internal:8080", LOCAL, IN_A_CONTAINER),
        ("http://192.168.1.5:8080", "http://host.docker.internal:8080", LOCAL, IN_A_CONTAINER),
        ("http://10.0.0.9:8080", "http://host.docker.internal:8080", "http://10.0.0.9:9877", IN_A_CONTAINER),
        ("http://simulator:8080", "http://simulator:8080", "http://exporter:9877", IN_A_CONTAINER),
        ("http://localhost:8080", "http://box:8080", AFAR, {}),
    ],
)
def test_alike_are_the_names_of_one_machine_with_one_port(
    target: str, url: str, at: str, where: dict[str, object]
) -> None:
    assert watch_of(url=url, **where).watches(target, at, HERE)


@pytest.mark.parametrize(
    ("target", "url", "at", "where"),
    [
        ("http://localhost:8090", "http://127.0.0.1:8080", LOCAL, BESIDE),
        ("http://127.0.0.2:8080", "http://127.0.0.1:8080", LOCAL, BESIDE),
        ("https://localhost", "http://localhost", LOCAL, BESIDE),
        ("http://localhost:8080", "http://127.0.0.1:8080", AFAR, {}),
        ("http://box:8080", "http://127.0.0.1:8080", AFAR, {}),
        ("http://localhost:8080", "http://127.0.0.1:8080", LOCAL, IN_A_CONTAINER),
        ("http://localhost:8080", "http://simulator:8080", LOCAL, IN_A_CONTAINER),
        ("http://localhost:8080", "http://host.docker.internal:8080", AFAR, {}),
        ("http://a.example:443", "http://b.example:443", AFAR, {}),
        ("http://localhost:8080/llm-b", "http://127.0.0.1:8080/llm-a", LOCAL, BESIDE),
        ("http://localhost:8080/llm-b", "http://127.0.0.1:8080/llm", LOCAL, BESIDE),
    ],
)
def test_everything_else_is_another_router(target: str, url: str, at: str, where: dict[str, object]) -> None:
    assert not watch_of(url=url, **where).watches(target, at, HERE)


@pytest.mark.parametrize(
    ("name", "alike"),
    [
        ("llm.example", True),
        ("LLM.example:8443", True),
        ("https://llm.example:8443", True),
        ("https://llm.example", False),
        ("llm.example:8080", False),
        ("example", False),
    ],
)
def test_a_proxy_in_front_is_known_by_its_name(name: str, alike: bool) -> None:
    watch = watch_of(also_known_as=(name,))
    assert watch.watches("https://llm.example:8443", AFAR, HERE) is alike


def test_an_exporter_without_a_router_watches_none() -> None:
    assert not watch_of(url=None).watches("http://localhost:8080", LOCAL, HERE)


def test_what_is_said_holds_no_secret_and_is_read_back(monkeypatch: pytest.MonkeyPatch) -> None:
    config = ExporterConfig(
        router=RouterApi.model_construct(
            url="http://user:hunter2@h:8080/llm?key=hunter2#hunter2",
            api_key_env="hunter2",
            also_known_as=("proxy:80",),
        ),
        processes=(
            WatchedProcess(name="router", role=Role.ROUTER, match=Match(command_line="--key hunter2")),
        ),
    )
    watch = Watch.of(
        config, HERE, version=3, release="1", telemetry_path="/metrics", ingest_port=9878, owner=None
    )
    text = watch.to_json()
    assert b"hunter2" not in text
    assert Watch.from_json(text) == watch
    document = json.loads(text)
    assert document["url"] == "http://h:8080/llm"
    assert document["processes"] == [{"name": "router", "role": "router"}]
    assert document["host"] == "box"


@pytest.mark.parametrize(
    ("host", "plain"),
    [
        ("LOCALHOST", "localhost"),
        ("::ffff:127.0.0.1", "localhost"),
        ("0:0::1", "localhost"),
        ("::", "localhost"),
        ("Router.Example.", "router.example"),
        ("2001:DB8:0::1", "2001:db8::1"),
    ],
)
def test_hosts_are_compared_in_one_spelling(host: str, plain: str) -> None:
    assert plain_host(host) == plain
