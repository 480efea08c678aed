"""`soak exporter` that logs in to a router of the current generation."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.support.exporter_process import Exporter
from tests.support.simulated_router import CHAT, Simulator, running

KEY, PASSWORD = "sk_of_the_router", "open sesame 3000"
SUCCESSES = 'router_requests_total{outcome="success"}'


class Scene:
    """A router, and an exporter whose configuration has its key and its user."""

    def __init__(self, folder: Path, simulator: Simulator) -> None:
        self.simulator = simulator
        self.password = folder / "password"
        self.write(PASSWORD)
        (folder / "key").write_text(KEY)
        login = {"username": "boss", "password_file": str(self.password)}
        router = {"url": simulator.url, "api_key_file": str(folder / "key"), "login": login}
        self.exporter = Exporter(folder, {"router": router, "host": False, "gpu": "off"}, {})

    def write(self, password: str) -> None:
        self.password.write_text(password + "\n")
        self.password.chmod(stat.S_IRUSR | stat.S_IWUSR)

    def until_logged_in(self, is_so: bool = True) -> dict[str, float]:
        return self.exporter.until(
            f"logged in: {is_so}",
            lambda found: found.get("router_logged_in") == is_so and (SUCCESSES in found) == is_so,
        )


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with running(generation="current", api_key=KEY, user="boss", password=PASSWORD) as simulator:
        scene = Scene(tmp_path_factory.mktemp("login"), simulator)
        yield scene
        scene.exporter.kill()


def test_it_shows_all_that_the_router_counts(scene: Scene) -> None:
    scene.until_logged_in()
    for _ in range(3):
        scene.simulator.post(CHAT, headers={"Authorization": f"Bearer {KEY}"})
    found = scene.exporter.until("three requests", lambda found: found.get(SUCCESSES) == 3)
    assert found['router_tokens_total{direction="output"}'] == 12
    assert found["router_queued_requests"] == 0
    assert found['router_node_requests_total{node="node-1",outcome="success"}'] == 2
    assert found["router_models"] == 4


def test_without_a_token_it_shows_what_the_key_may_until_it_is_logged_in_again(scene: Scene) -> None:
    scene.until_logged_in()
    scene.simulator.begin("hang", scope="login")
    scene.simulator.begin("expire_tokens")
    found = scene.until_logged_in(False)
    assert (found["router_up"], found['router_node_up{node="node-1"}']) == (1, 1)
    scene.exporter.until("a login that hangs", lambda _: "login failed" in scene.exporter.log())
    scene.simulator.end()
    scene.write(PASSWORD)  # so that it is not waited for
    scene.until_logged_in()


def test_password_and_tokens_are_nowhere(scene: Scene) -> None:
    scene.until_logged_in()
    url, pid = scene.exporter.url.rpartition("/")[0], scene.exporter.process.pid
    texts = [
        requests.get(f"{url}{path}", timeout=10).text for path in ("/metrics", "/", "/api/watch", "/live")
    ]
    texts += [scene.exporter.log()]
    texts += [Path(f"/proc/{pid}/{name}").read_text() for name in ("environ", "cmdline")]
    assert [text for text in texts if any(word in text for word in (PASSWORD, "eyJ", KEY))] == []
    assert "boss" not in "".join(texts[:4])
    assert scene.exporter.log().count("login failed") == 1  # that which hung
    assert PASSWORD not in os.environ.values()
