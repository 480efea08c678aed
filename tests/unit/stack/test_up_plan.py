"""exporter.stack.up_plan: names, sizes and ports of a stack."""

import socket
from dataclasses import replace

import pytest

from exporter.errors import ConfigurationError, PortTakenError
from exporter.settings.router_api import RouterApi
from exporter.stack.ports import HOST, Ports, free_ports
from exporter.stack.up_plan import checked_name, choose_ports, retention_bytes

ELSEWHERE = RouterApi(url="http://router.example:8080")


@pytest.fixture
def default_ports() -> Ports:
    """Free ones in the place of the default ones, which somebody may use."""
    return free_ports()


@pytest.mark.parametrize(("text", "size"), [("64MB", 64 << 20), ("4GB", 4 << 30), ("2TB", 2 << 40)])
def test_a_size_is_read_as_prometheus_reads_it(text: str, size: int) -> None:
    assert retention_bytes(text) == size


@pytest.mark.parametrize("text", ["", "4", "4gb", "0GB", "63MB", "4.5GB", "-4GB", "4GiB", "4GB "])
def test_any_other_size_is_refused_by_its_option(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^--retention-size: .*64MB at least"):
        retention_bytes(text)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "-a", "a b", "x" * 65, "a\n"])
def test_a_name_that_is_no_folders_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^--name: "):
        checked_name(name)


def test_the_default_ports_are_taken_where_they_are_free(default_ports: Ports) -> None:
    assert choose_ports({}, {}, ELSEWHERE, default_ports) == default_ports


def test_a_default_port_that_is_in_use_gives_way_to_a_free_one(default_ports: Ports) -> None:
    with socket.create_server((HOST, default_ports.prometheus)):
        chosen = choose_ports({}, {}, ELSEWHERE, default_ports)
    assert chosen.prometheus != default_ports.prometheus
    assert chosen == replace(default_ports, prometheus=chosen.prometheus)


def test_the_ports_of_an_earlier_time_come_first_so_that_links_stay(default_ports: Ports) -> None:
    earlier = free_ports()
    chosen = choose_ports({}, {"grafana": earlier.grafana}, ELSEWHERE, default_ports)
    assert chosen == replace(default_ports, grafana=earlier.grafana)


def test_no_service_takes_the_port_of_a_router_that_is_not_up_yet(default_ports: Ports) -> None:
    router = RouterApi(url=f"http://localhost:{default_ports.prometheus}")
    chosen = choose_ports({}, {}, router, default_ports)
    assert chosen.router == default_ports.prometheus
    assert chosen.prometheus != default_ports.prometheus


def test_a_given_port_that_is_in_use_is_an_error_that_names_its_option(default_ports: Ports) -> None:
    with (
        socket.create_server((HOST, default_ports.grafana)),
        pytest.raises(PortTakenError, match=f"grafana: port {default_ports.grafana} .*--grafana-port"),
    ):
        choose_ports({"grafana": default_ports.grafana}, {}, ELSEWHERE, default_ports)


def test_a_port_that_is_given_twice_is_an_error(default_ports: Ports) -> None:
    port = default_ports.grafana
    with pytest.raises(ConfigurationError, match=r"--prometheus-port: .* port of the grafana already"):
        choose_ports({"grafana": port, "prometheus": port}, {}, ELSEWHERE, default_ports)
