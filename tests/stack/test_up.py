"""`soak up`, `down` and `status` with the real Prometheus and Alertmanager, and a `soak run` beside them."""

import os
import re
import signal
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import requests

from exporter.stack import servers
from exporter.stack.native import NativeStack
from exporter.stack.ports import HOST, free_ports
from exporter.stack.up_state import read_record
from tests.support.checkout import CHECKOUT
from tests.support.soak_command import without_matplotlib
from tests.support.stack_command import Stacks, are_gone, port_options, until
from tests.support.waiting import need, wait_for


@pytest.fixture(scope="module")
def router() -> Iterator[NativeStack]:
    """A router on this machine, alone."""
    with NativeStack(free_ports()) as stack:
        stack.start_simulator("--latency-median", "0.005", "--latency-p99", "0.015")
        yield stack


@pytest.fixture(scope="module")
def stacks(router: NativeStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stacks]:
    """Of a user whose router is on the port that ROUTER_PORT names; whatever is up at the end is ended."""
    home = tmp_path_factory.mktemp("home")
    found = Stacks(home, **without_matplotlib(ROUTER_PORT=str(router.ports.router)))
    yield found
    found.soak("down", "--all")


@pytest.fixture(scope="module")
def name(stacks: Stacks, router: NativeStack) -> str:
    """The name of the stack that lasts for all tests of this file."""
    need("prometheus", "prometheus-alertmanager")
    done = stacks.soak("up", "--detach", *port_options())
    assert (done.returncode, done.stderr) == (0, "")
    name = f"localhost-{router.ports.router}"
    assert next(line for line in done.stdout.splitlines() if "/live" in line).startswith("live page ")
    assert f"soak run --target http://localhost:{router.ports.router}" in done.stdout
    return name


def test_two_commands_watch_a_router_and_soak_it(stacks: Stacks, name: str, tmp_path: Path) -> None:
    services = stacks.services(name)
    assert {each: service.problem for each, service in services.items()} == dict.fromkeys(
        ("exporter", "alertmanager", "prometheus"), ""
    )
    links = [each.link for each in services.values()]
    assert all(link and requests.get(link, timeout=10).status_code == 200 for link in links)
    # What README and docs/up.md say, but for ports that are free in any case, and a shorter load.
    readme = (CHECKOUT / "README.md").read_text(encoding="utf-8")
    assert re.search(r"^soak up --detach .*\nsoak run ", readme, re.MULTILINE)
    page = (CHECKOUT / "docs" / "up.md").read_text(encoding="utf-8")
    [block, *_] = re.findall(r"^```sh\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert re.findall(r"^(.*?)  +#", block, re.MULTILINE) == ["soak up --detach", "soak run --duration 10m"]
    options = ("--duration", "3s", "--drain", "1s", "--connections", "2", "--results", str(tmp_path))
    ran = stacks.soak("run", *options)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    urls = {each: service.url for each, service in services.items()}
    assert (
        f"watched by soak up {name}: exporter {urls['exporter']}, Prometheus {urls['prometheus']}"
        in ran.stdout
    )
    words = " ".join(ran.stdout.split())
    assert ", prometheus " in words[words.index("the sources agree: ") :]
    assert "no alert fired" in words


def test_status_says_what_is_up_and_where(stacks: Stacks, name: str, router: NativeStack) -> None:
    code, [document] = stacks.status()
    assert code == 0
    assert (document["name"], document["well"], document["router_up"]) == (name, True, True)
    assert document["processes"] == {"router": True}
    assert document["target"] == router.ports.url("router").replace(HOST, "localhost")
    shown = stacks.soak("status", "--target", router.ports.url("router"))
    assert shown.returncode == 0
    assert shown.stdout.startswith(f"{name}: well; watches ")
    assert "Prometheus up to 4GB" in shown.stdout
    assert stacks.soak("status", "--name", "other").returncode == 3


def test_a_second_up_for_the_same_router_says_so_and_starts_nothing(
    stacks: Stacks, name: str, router: NativeStack
) -> None:
    before = stacks.pids(name)
    target = ("--target", router.ports.url("router"), "--name", "another")
    for options, code in (((), 2), (("--detach",), 0)):
        done = stacks.soak("up", *target, *options)
        assert done.returncode == code
        assert done.stdout.startswith(f"{name} is up already\nlive page ")
    assert not stacks.folder("another").exists()
    assert stacks.pids(name) == before


def test_of_two_that_start_at_once_for_one_router_one_is_up_and_both_show_it(
    router: NativeStack, tmp_path: Path
) -> None:
    # Without the servers: this is about whose stack it is.
    alone = Stacks(tmp_path, **without_matplotlib(PATH=str(tmp_path / "bin")))
    target = ("--target", router.ports.url("router"), "--detach")
    both = [[*target, *port_options()], [*target, *port_options(), "--name", "another"]]
    with ThreadPoolExecutor(2) as threads:
        done = list(threads.map(lambda options: alone.soak("up", *options), both))
    try:
        assert [each.returncode for each in done] == [0, 0], [each.stdout + each.stderr for each in done]
        code, [document] = alone.status()
        assert (code, document["well"]) == (0, True)
        link = f"live page     {document['services']['exporter']['link']}"
        assert all(link in each.stdout for each in done)
        told = [f"{document['name']} is up already" in each.stdout for each in done]
        assert sorted(told) == [False, True]
    finally:
        alone.soak("down", "--all")


def test_a_service_that_ends_is_started_again(stacks: Stacks, name: str) -> None:
    before = stacks.services(name)
    os.kill(before["prometheus"].pid or 0, signal.SIGKILL)
    wait_for("another Prometheus", lambda: stacks.services(name)["prometheus"].starts == 2)
    wait_for("that it is well", lambda: stacks.health(name).is_well)
    after = stacks.services(name)
    assert after["prometheus"].url == before["prometheus"].url
    assert after["exporter"] == before["exporter"]
    log = (stacks.folder(name) / "up.log").read_text(encoding="utf-8")
    assert "prometheus has ended (killed by signal 9); started again in 1 s" in log


def test_a_stack_for_a_router_that_is_not_up_yet_watches_it_from_when_it_is_beside_the_other(
    stacks: Stacks, name: str
) -> None:
    port = free_ports().router
    target = ("--target", f"http://{HOST}:{port}")
    with stacks.held(*target, *port_options()) as up:
        said = until(up, "Ctrl-C stops everything")
        assert f"the router at http://{HOST}:{port} does not answer yet (connection refused); " in said[0]
        code, both = stacks.status()
        assert (code, len(both)) == (0, 2)
        with NativeStack(replace(free_ports(), router=port)) as late:
            late.start_simulator()
            until(up, "answers")
        children = stacks.pids(f"localhost-{port}")
        up.send_signal(signal.SIGKILL)
        wait_for("the end of what it has started", lambda: are_gone(children))
    code, documents = stacks.status("--name", f"localhost-{port}")
    assert (code, [each["running"] for each in documents]) == (3, [False])
    # The exporter alone: what ends it is the same.
    with stacks.held(*target, *port_options(), PATH=str(stacks.home / "nowhere")) as up:
        until(up, "Ctrl-C stops everything")
        children = stacks.pids(f"localhost-{port}")
        up.send_signal(signal.SIGINT)
        assert up.wait(60) == 0
        assert are_gone(children)
    gone = stacks.soak("down", "--name", f"localhost-{port}", "--delete-data")
    assert gone.returncode == 0
    assert not stacks.folder(f"localhost-{port}").exists()
    assert stacks.health(name).is_well


def test_a_given_port_that_is_in_use_is_one_line_and_leaves_nothing_up(stacks: Stacks, name: str) -> None:
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
        router = free_ports().router
        words = ("up", "--target", f"http://{HOST}:{router}", "--prometheus-port", str(port), "--detach")
        done = stacks.soak(*words)
    assert (done.returncode, done.stdout) == (2, "")
    [line] = done.stderr.splitlines()
    assert line.startswith(f"soak: prometheus: port {port} on {HOST} is already in use")
    assert line.endswith("choose another with --prometheus-port")
    assert read_record(stacks.folder(f"localhost-{router}")) is None


def test_without_prometheus_the_rest_is_up_and_a_key_reaches_the_exporter_alone(
    stacks: Stacks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (nowhere := tmp_path / "bin").mkdir()
    secret = "hunter2-of-the-test"
    with NativeStack(free_ports()) as router:
        with monkeypatch.context() as patch:
            patch.setenv("KEY_OF_THE_TEST", secret)
            key = ("--api-key-env", "KEY_OF_THE_TEST")
            router.begin(servers.simulator(router.ports, "--generation", "current", *key))
        url = router.ports.url("router")
        wait_for("the router", lambda: answers(url))
        options = ("--detach", "--target", url, *key, *port_options())
        done = stacks.soak("up", *options, KEY_OF_THE_TEST=secret, PATH=str(nowhere))
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("Prometheus and Alertmanager are missing: no dashboards, no alerts; ")
        assert "nodes 2 online" in done.stdout
        name = f"localhost-{router.ports.router}"
        [pid] = stacks.pids(name)
        assert secret in psutil.Process(pid).environ().values()
        words = [word for each in psutil.process_iter(["cmdline"]) for word in each.info["cmdline"] or ()]
        assert not any(secret in word for word in words)
        assert files_with(secret.encode(), stacks.folder(name)) == []
        assert secret not in done.stdout + stacks.soak("status").stdout
        ended = stacks.soak("down", "--target", url)
        assert (ended.returncode, ended.stdout) == (0, f"{name} is down\n")


def answers(url: str) -> bool:
    with suppress(requests.RequestException):
        return requests.get(f"{url}/v1/models", timeout=5).status_code == 401
    return False


def files_with(secret: bytes, folder: Path) -> list[Path]:
    return [file for file in folder.rglob("*") if file.is_file() and secret in file.read_bytes()]


def test_down_ends_every_service_and_keeps_the_data(stacks: Stacks, name: str) -> None:
    children = stacks.pids(name)
    assert len(children) == 3
    done = stacks.soak("down")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{name} is down\n", "")
    assert are_gone(children)
    assert (stacks.folder(name) / "prometheus-data").is_dir()
    assert stacks.soak("down").stdout == "no stack is up\n"
