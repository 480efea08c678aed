"""exporter.collectors.process.forwarded_port: the router behind a published port, not what publishes it."""

import logging
from ipaddress import ip_address

import pytest

from exporter.collectors.process.forwarded_port import FORWARDERS, Target, parse_target
from exporter.collectors.procfs import ProcFs
from tests.support.fake_proc import ABSENT, FakeProc, fake_proc, scrape, watch

proc = pytest.fixture(fake_proc)

NOT_FOUND = ABSENT | {"unwatched{forwarded}": 1}
IN_CONTAINER = {"comm": "litellm", "start": 900, "namespace": "inside"}
DOCKER_PROXY = "/usr/bin/docker-proxy -proto tcp -host-ip 0.0.0.0 -host-port 8080 -container-ip 172.17.0.2 "


def forwarder(proc: FakeProc, pid: int, comm: str, command: str = "", inode: int = 0, **more: object) -> None:
    """A process that listens on port 8080 of the host."""
    inode = inode or 7000 + pid
    proc.socket(8080, "0A", inode)
    cmdline = (command or comm).strip().replace(" ", "\0") + "\0"
    proc.process(pid, comm=comm, start=100, sockets=(inode,), cmdline=cmdline, **more)  # type: ignore[arg-type]


def container(proc: FakeProc, port: int = 4000, address: str = "172.17.0.2") -> None:
    """A router of 900 ticks that listens on `port` in a namespace of its own, with a worker."""
    proc.namespace("inside", address)
    proc.socket(port, "0A", 71, "inside")
    proc.process(1, parent=0, comm="systemd", start=0)
    proc.process(20, comm="containerd-shim", start=800)
    proc.process(21, parent=20, sockets=(71,), **IN_CONTAINER)  # type: ignore[arg-type]
    proc.process(22, parent=21, sockets=(71,), **IN_CONTAINER)  # type: ignore[arg-type]


@pytest.mark.parametrize("address", ["172.17.0.2", "fd00::2"])
def test_behind_docker_proxy_is_what_listens_in_the_namespace_with_the_containers_address(
    proc: FakeProc, address: str
) -> None:
    container(proc, address=address)
    proc.namespace("another", "172.17.0.3")
    proc.socket(4000, "0A", 81, "another")
    proc.process(30, comm="other", sockets=(81,), namespace="another")
    command = DOCKER_PROXY.replace("172.17.0.2", address) + "-container-port 4000"
    forwarder(proc, 10, "docker-proxy", command)
    forwarder(proc, 11, "docker-proxy", command)  # the same for IPv6: not a second router
    found = scrape(watch(proc, port=8080))
    assert (found["up"], found["start_time_seconds"], found["threads"]) == (1, 1700000009.0, 2)
    assert found["unwatched{several}"] == found["unwatched{forwarded}"] == 0


def test_a_container_that_is_replaced_is_a_restart(proc: FakeProc) -> None:
    container(proc)
    forwarder(proc, 10, "docker-proxy", DOCKER_PROXY + "-container-port 4000")
    collector = watch(proc, port=8080)
    assert scrape(collector)["restarts_total"] == 0
    proc.end(21, 22)
    assert scrape(collector) == NOT_FOUND
    proc.process(31, parent=20, sockets=(71,), **IN_CONTAINER)  # type: ignore[arg-type]
    found = [scrape(collector) for _ in range(6)]
    assert (found[-1]["up"], found[-1]["restarts_total"]) == (1, 1)


def test_a_port_that_is_published_for_another_container_is_followed(proc: FakeProc) -> None:
    container(proc)
    forwarder(proc, 10, "docker-proxy", DOCKER_PROXY + "-container-port 4000")
    collector = watch(proc, port=8080)
    assert scrape(collector)["start_time_seconds"] == 1700000009.0
    proc.end(10)  # the first container goes on without a port
    proc.tcp["net"].clear()
    proc.namespace("another", "172.17.0.3")
    proc.socket(4000, "0A", 81, "another")
    proc.process(30, comm="other", start=1000, sockets=(81,), namespace="another")
    forwarder(proc, 12, "docker-proxy", DOCKER_PROXY.replace("0.2", "0.3") + "-container-port 4000")
    found = scrape(collector)
    assert (found["start_time_seconds"], found["restarts_total"]) == (1700000010.0, 1)


def test_where_descriptors_may_not_be_read_the_one_tree_of_the_namespace_is_watched(
    proc: FakeProc, monkeypatch: pytest.MonkeyPatch
) -> None:
    container(proc)
    forwarder(proc, 10, "docker-proxy", DOCKER_PROXY + "-container-port 4000")
    real = ProcFs.names

    def names(self: ProcFs, path: str) -> list[str]:
        if path.startswith("2"):
            raise PermissionError(path)
        return real(self, path)

    monkeypatch.setattr(ProcFs, "names", names)
    assert scrape(watch(proc, port=8080))["start_time_seconds"] == 1700000009.0
    proc.process(40, comm="sidecar", namespace="inside")
    assert scrape(watch(proc, port=8080)) == NOT_FOUND


def test_a_dockerd_that_keeps_the_socket_of_its_docker_proxy_does_not_hide_it(proc: FakeProc) -> None:
    container(proc)
    forwarder(proc, 9, "dockerd", inode=77)
    forwarder(proc, 10, "docker-proxy", DOCKER_PROXY + "-container-port 4000", inode=77, parent=9)
    found = scrape(watch(proc, port=8080))
    assert (found["start_time_seconds"], found["unwatched{forwarded}"]) == (1700000009.0, 0)


def test_who_may_read_no_descriptors_finds_docker_proxy_by_its_command_line(
    proc: FakeProc, monkeypatch: pytest.MonkeyPatch
) -> None:
    container(proc)
    forwarder(proc, 9, "docker-proxy", DOCKER_PROXY.replace("8080", "9999") + "-container-port 4001")
    forwarder(proc, 10, "docker-proxy", DOCKER_PROXY + "-container-port 4000")

    def names(self: ProcFs, path: str) -> list[str]:
        raise PermissionError(path)

    monkeypatch.setattr(ProcFs, "names", names)
    found = scrape(watch(proc, port=8080))
    assert (found["up"], found["start_time_seconds"]) == (1, 1700000009.0)
    assert "open_fds" not in found


def test_two_namespaces_with_the_same_address_are_not_guessed_at(proc: FakeProc) -> None:
    container(proc)
    proc.namespace("rootless", "172.17.0.2")
    proc.socket(4000, "0A", 81, "rootless")
    proc.process(30, sockets=(81,), namespace="rootless")
    forwarder(proc, 10, "docker-proxy", DOCKER_PROXY + "-container-port 4000")
    assert scrape(watch(proc, port=8080)) == NOT_FOUND


def test_a_rootless_dockers_port_leads_through_its_namespace_to_the_container(proc: FakeProc) -> None:
    container(proc)
    proc.namespace("rootless", "10.0.2.100")
    proc.socket(8080, "0A", 91, "rootless")
    forwarder(proc, 10, "rootlesskit")
    proc.process(11, parent=10, comm="exe", namespace="rootless")
    proc.process(12, parent=11, comm="dockerd", namespace="rootless")
    cmdline = (DOCKER_PROXY + "-container-port 4000").replace(" ", "\0")
    proc.process(13, parent=12, comm="docker-proxy", sockets=(91,), cmdline=cmdline, namespace="rootless")
    assert scrape(watch(proc, port=8080))["start_time_seconds"] == 1700000009.0


@pytest.mark.parametrize(
    ("comm", "child"), [("conmon", "litellm"), ("rootlessport", "rootlessport-ch")], ids=str
)
def test_podmans_container_is_the_one_tree_in_its_childs_namespace(
    proc: FakeProc, comm: str, child: str
) -> None:
    container(proc)
    if child != "litellm":
        proc.process(50, parent=10, comm=child, namespace="inside")
    else:
        proc.process(21, parent=10, sockets=(71,), **IN_CONTAINER)  # type: ignore[arg-type]
    forwarder(proc, 10, comm)
    assert scrape(watch(proc, port=8080))["start_time_seconds"] == 1700000009.0


def test_socat_leads_to_the_listener_on_this_host_and_further(proc: FakeProc) -> None:
    container(proc)
    proc.socket(9090, "0A", 92)
    cmdline = (DOCKER_PROXY.replace("8080", "9090") + "-container-port 4000").replace(" ", "\0")
    proc.process(12, comm="docker-proxy", sockets=(92,), cmdline=cmdline)
    forwarder(proc, 10, "socat", "socat TCP-LISTEN:8080,fork,reuseaddr TCP:127.0.0.1:9090")
    assert scrape(watch(proc, port=8080))["start_time_seconds"] == 1700000009.0


def test_forwarders_that_lead_to_each_other_are_not_followed_for_ever(proc: FakeProc) -> None:
    forwarder(proc, 10, "socat", "socat TCP-LISTEN:8080,fork TCP:localhost:9090")
    proc.socket(9090, "0A", 92)
    proc.process(11, comm="socat", sockets=(92,), cmdline="socat\0TCP-LISTEN:9090\0TCP:localhost:8080\0")
    assert scrape(watch(proc, port=8080)) == NOT_FOUND


@pytest.mark.parametrize("comm", sorted(FORWARDERS))
def test_what_only_forwards_is_never_taken_for_the_router_and_the_log_says_what_to_do(
    proc: FakeProc, caplog: pytest.LogCaptureFixture, comm: str
) -> None:
    forwarder(proc, 10, comm, f"{comm} -L 8080:gpu-host:8080 user@gpu-host")
    collector = watch(proc, port=8080)
    with caplog.at_level(logging.WARNING):
        assert [scrape(collector) for _ in range(3)] == [NOT_FOUND] * 3
    (line,) = caplog.messages  # once
    assert f"{comm} (process 10) only forwards port 8080" in line
    assert ("an agent there" if comm in {"ssh", "kubectl"} else "") in line


@pytest.mark.parametrize("comm", ["nginx", "haproxy", "traefik", "caddy", "envoy"])
def test_a_reverse_proxy_is_watched_as_what_it_is(proc: FakeProc, comm: str) -> None:
    forwarder(proc, 10, comm)
    assert scrape(watch(proc, port=8080))["up"] == 1


def test_a_port_on_which_nothing_listens_may_be_forwarded_by_the_kernel_and_the_log_says_so(
    proc: FakeProc, caplog: pytest.LogCaptureFixture
) -> None:
    container(proc, port=8080)
    assert scrape(watch(proc, port=8080)) == ABSENT
    assert "nothing listens on port 8080" in caplog.text
    assert "command_line" in caplog.text


@pytest.mark.parametrize(
    ("name", "command", "target"),
    [
        ("docker-proxy", DOCKER_PROXY + "-container-port 80", ("172.17.0.2", 80)),
        ("docker-proxy", "docker-proxy --container-ip=fd00::2 --container-port=80", ("fd00::2", 80)),
        ("docker-proxy", "docker-proxy -proto udp -container-ip 172.17.0.2 -container-port 80", None),
        ("docker-proxy", "docker-proxy -container-ip 172.17.0.2 -container-port", None),
        ("docker-proxy", "docker-proxy -container-ip router -container-port 80", None),
        ("docker-proxy", "", None),
        ("socat", "socat TCP-LISTEN:80,fork TCP4:127.0.0.1:8080,nodelay", ("127.0.0.1", 8080)),
        ("socat", "socat tcp-l:80 tcp-connect:[::1]:8080", ("::1", 8080)),
        ("socat", "socat TCP-LISTEN:80,fork UNIX-CONNECT:/run/router.sock", None),
        ("socat", "socat TCP:127.0.0.1:8080 TCP-LISTEN:80", None),
        ("systemd-socket-", "systemd-socket-proxyd --exit-idle-time=5 127.0.0.1:8080", ("127.0.0.1", 8080)),
        ("ssh", "ssh -L 8080:127.0.0.1:8080 host", None),
    ],
)
def test_a_target_is_what_the_command_line_says_or_none(
    name: str, command: str, target: tuple[str, int] | None
) -> None:
    expected = None if target is None else Target(ip_address(target[0]), target[1])
    assert parse_target(name, command.split(" ")) == expected
