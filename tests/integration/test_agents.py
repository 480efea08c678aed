"""Several agents, the router's own metrics, and targets that are hostile, as a real Prometheus has them."""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import bcrypt
import pytest
import requests
import trustme

from exporter.errors import QueryError
from exporter.run.prometheus_client import PrometheusClient
from exporter.stack import servers
from exporter.stack.native import NativeStack
from exporter.stack.ports import free_ports
from exporter.timeseries import Series
from tests.support.agent_fleet import Agent, group, label_names, write_targets
from tests.support.checkout import CHECKOUT
from tests.support.local_http import LocalHttp
from tests.support.waiting import need, wait_for

PASSWORD = "of-the-agents"
KEY = "sk-of-the-router"
AUTHORITY_LINE = "# tls_config: {ca_file: secrets/agents-ca.pem}"


def odd_target() -> LocalHttp:
    """A target that says what no agent and no router should, a page a path."""
    target = LocalHttp()
    target.give("/agent", 'node_load1{job="prometheus",instance="another:9877",role="king"} 1\n')
    target.give(
        "/metrics/cloud",
        'benchmark_requests_total{route="local"} 1e9\nrouter_up 1\nup 7\n'
        "a:benchmark:rate1m 1\ncloud_requests_total 3\nvllm:num_requests_running 2\n",
    )
    target.give("/api/metrics/cloud", "cloud_requests_total 5\n")
    target.give("/flood", "".join(f'cloud_requests_total{{n="{n}"}} 1\n' for n in range(10_001)))
    return target


@dataclass(frozen=True)
class Fleet:
    """Everything that runs."""

    stack: NativeStack
    prometheus: PrometheusClient
    agents: dict[str, Agent]
    """by their node"""
    odd: LocalHttp
    targets: Path
    """the folder of their files"""

    def write_agents(self, *nodes: str) -> None:
        """Put the router's exporter and these nodes' agents in the targets file, and an odd one."""
        exporter = self.stack.ports.url("exporter").removeprefix("http://")
        write_targets(
            self.targets / "exporter.yml",
            [
                group(exporter, node="router-1", role="router"),
                *(group(self.agents[node].target, node=node, role="node") for node in nodes),
                group(self.odd.address, node="odd", role="node", __metrics_path__="/agent"),
            ],
        )

    def series(self, expression: str) -> list[Series]:
        """What Prometheus has now, empty where it cannot say yet."""
        try:
            return self.prometheus.query(expression)
        except QueryError:
            return []

    def by_node(self, expression: str) -> dict[str | None, float]:
        return {series.label("node"): series.values[0] for series in self.series(expression)}


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Router, its exporter and Prometheus; agents on three nodes, of which gpu-3 wants TLS and a password."""
    need("prometheus")
    folder = tmp_path_factory.mktemp("fleet")
    authority = trustme.CA()
    checkout = folder / "checkout"
    shutil.copytree(CHECKOUT / "prometheus", checkout / "prometheus")
    secrets = checkout / "prometheus" / "secrets"
    (secrets / "agents-password").write_text(f"{PASSWORD}\n", encoding="utf-8")
    (secrets / "router-key").write_text(f"{KEY}\n", encoding="utf-8")
    authority.cert_pem.write_to_path(str(secrets / "agents-ca.pem"))
    configuration = checkout / "prometheus" / "prometheus.yml"
    text = configuration.read_text(encoding="utf-8")
    assert text.count(AUTHORITY_LINE) == 1
    configuration.write_text(
        text.replace(AUTHORITY_LINE, AUTHORITY_LINE.removeprefix("# ")), encoding="utf-8"
    )
    with ExitStack() as cleanup:
        stack = cleanup.enter_context(NativeStack(free_ports()))
        odd = cleanup.enter_context(odd_target())
        secured = ("--web.config.file", str(web_file(folder, authority, "127.0.0.4")))
        agents = {
            node: cleanup.enter_context(Agent(folder / node, address, *options))
            for node, address, options in (
                ("gpu-1", "127.0.0.2", ()),
                ("gpu-2", "127.0.0.3", ()),
                ("gpu-3", "127.0.0.4", secured),
            )
        }
        stack.start_simulator("--cloud-keys")
        stack.start_exporter("--config", str(routers_exporter(folder, stack.ports.router)))
        for agent in agents.values():
            agent.wait_until_it_serves()
        targets = checkout / "prometheus" / "targets"
        whole = Fleet(stack, PrometheusClient(stack.ports.url("prometheus")), agents, odd, targets)
        whole.write_agents("gpu-1", "gpu-2")
        for name in ("prometheus", "alertmanager"):
            write_targets(targets / f"{name}.yml", [])
        write_targets(
            whole.targets / "agents.yml", [group(agents["gpu-3"].target, node="gpu-3", role="node")]
        )
        router = stack.ports.url("router").removeprefix("http://")
        write_targets(
            whole.targets / "router.yml",
            [group(router), group(odd.address), group(odd.address, __metrics_path__="/flood", node="flood")],
        )
        write_targets(
            whole.targets / "router-with-key.yml", [group(odd.address, __scheme__="http", node="keyed")]
        )
        stack.start(servers.prometheus(stack.ports, stack.folder, configuration))
        wait_for(
            "four exporters up",
            lambda: (
                whole.by_node('up{job="exporter",node!="odd"} == 1').keys()
                == {"router-1", "gpu-1", "gpu-2", "gpu-3"}
            ),
            60,
        )
        yield whole


def web_file(folder: Path, authority: trustme.CA, address: str) -> Path:
    """A --web.config.file as docs/agents.md has it, with a certificate of the authority."""
    certificate = authority.issue_cert(address)
    certificate.private_key_pem.write_to_path(str(folder / "node.key"))
    certificate.cert_chain_pems[0].write_to_path(str(folder / "node.crt"))
    hashed = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
    path = folder / "web.yml"
    path.write_text(
        "tls_server_config: {cert_file: node.crt, key_file: node.key}\n"
        f"basic_auth_users: {{prometheus: '{hashed}'}}\n",
        encoding="utf-8",
    )
    return path


def routers_exporter(folder: Path, port: int) -> Path:
    """The configuration of the exporter beside the router: on that machine the load generator runs too."""
    path = folder / "exporter.yaml"
    path.write_text(
        f"router: {{url: 'http://127.0.0.1:{port}'}}\n"
        "processes:\n"
        f"  - {{name: router, role: router, match: {{port: {port}}}}}\n"
        f"  - {{name: generator, role: load, match: {{port: {port}}}}}\n",
        encoding="utf-8",
    )
    return path


def test_a_series_has_the_node_and_the_role_of_the_machine_that_its_targets_file_gives(fleet: Fleet) -> None:
    roles = {
        (s.label("node"), s.label("role")): s.values[0]
        for s in fleet.series('node_memory_MemTotal_bytes{job="exporter"}')
    }
    assert roles.keys() == {
        ("router-1", "router"),
        ("gpu-1", "node"),
        ("gpu-2", "node"),
        ("gpu-3", "node"),
    }
    assert len(set(roles.values())) == 1  # one machine plays them all


def test_the_labels_of_the_contract_win_over_those_of_the_machine(fleet: Fleet) -> None:
    processes = {
        (s.label("node"), s.label("process"), s.label("role")): s.values[0]
        for s in fleet.series("observed_process_up")
    }
    assert processes == {
        ("router-1", "router", "router"): 1,
        ("router-1", "generator", "load"): 1,
        ("gpu-1", "models", "node"): 1,
        ("gpu-2", "models", "node"): 1,
        ("gpu-3", "models", "node"): 1,
    }
    nodes = fleet.series("router_node_up")
    truth = requests.get(fleet.stack.ports.url("router") + "/api/dashboard/nodes", timeout=10).json()
    assert {s.label("node") for s in nodes} == {node["machine_name"] for node in truth}
    assert {s.label("role") for s in nodes} == {"router"}
    assert {s.label("instance") for s in nodes} == {f"127.0.0.1:{fleet.stack.ports.exporter}"}
    assert not {"exported_node", "exported_role"} & label_names(fleet.prometheus.url)


def test_the_series_of_each_agent_are_apart(fleet: Fleet) -> None:
    started = fleet.by_node('observed_process_start_time_seconds{process="models"}')
    assert len(started) == 3
    assert set(fleet.by_node("count by (node) (node_load1)").values()) == {1}


def test_an_agent_asks_no_router_and_takes_no_runs(fleet: Fleet) -> None:
    assert set(fleet.by_node('{__name__=~"router_up|benchmark_run_active",job="exporter"}')) == {"router-1"}
    refused = requests.put(f"http://{fleet.agents['gpu-1'].target}/api/runs/{'0' * 16}", json={}, timeout=10)
    assert refused.status_code == 409
    assert "no ingest" in fleet.agents["gpu-1"].log()


def test_an_agent_with_a_password_answers_prometheus_and_nobody_else(fleet: Fleet) -> None:
    [up] = fleet.series('up{node="gpu-3"}')
    assert (up.label("job"), list(up.values)) == ("exporter", [1.0])
    authority = fleet.targets.parent / "secrets" / "agents-ca.pem"
    url = f"https://{fleet.agents['gpu-3'].target}/metrics"
    assert requests.get(url, verify=str(authority), timeout=10).status_code == 401


def test_an_agent_cannot_write_series_of_another_target(fleet: Fleet) -> None:
    [load] = wait_for("the odd agent", lambda: fleet.series('node_load1{node="odd"}'), 30)
    assert load.label("job") == "exporter"
    assert load.label("instance") == fleet.odd.address
    assert fleet.series('node_load1{job="prometheus"} or node_load1{instance="another:9877"}') == []


def test_the_routers_own_metrics_are_in_prometheus(fleet: Fleet) -> None:
    request = {"model": "openai:gpt-4o", "messages": [{"role": "user", "content": "ping"}]}
    for _ in range(3):
        answer = requests.post(
            fleet.stack.ports.url("router") + "/v1/chat/completions", json=request, timeout=10
        )
        assert answer.status_code == 200
    instance = f"127.0.0.1:{fleet.stack.ports.router}"
    query = f'cloud_requests_total{{job="router",instance="{instance}",provider="openai",status="200"}}'
    wait_for("three requests", lambda: [s.values[0] for s in fleet.series(query)] == [3], 30)


def test_a_router_cannot_speak_under_our_names(fleet: Fleet) -> None:
    mine = f'job="router",instance="{fleet.odd.address}",node=""'
    wait_for("the odd router", lambda: fleet.series(f"cloud_requests_total{{{mine}}}"), 30)
    names = {s.name for s in fleet.series(f'{{__name__!~"scrape_.*",{mine}}}')}
    assert names == {"up", "cloud_requests_total", "vllm:num_requests_running"}
    assert fleet.prometheus.value(f"up{{{mine}}}") == 1


def test_a_router_that_floods_is_down_and_leaves_nothing(fleet: Fleet) -> None:
    wait_for("its scrape", lambda: fleet.by_node('up{job="router",node="flood"}') == {"flood": 0}, 30)
    assert fleet.series('cloud_requests_total{node="flood"}') == []


def test_a_router_with_a_key_is_asked_with_it_and_the_others_are_not(fleet: Fleet) -> None:
    wait_for(
        "the router with a key",
        lambda: fleet.by_node('cloud_requests_total{job="router",node="keyed"}') == {"keyed": 5},
        30,
    )
    sent = {asked.path: asked.headers.get("Authorization") for asked in fleet.odd.asked}
    assert sent["/api/metrics/cloud"] == f"Bearer {KEY}"
    assert sent["/metrics/cloud"] is None
    assert sent["/agent"] is None


def test_an_agent_added_is_scraped_and_one_removed_is_gone_while_prometheus_runs(
    fleet: Fleet, tmp_path: Path
) -> None:
    with Agent(tmp_path / "gpu-4", "127.0.0.5") as added:
        added.wait_until_it_serves()
        fleet.agents["gpu-4"] = added
        fleet.write_agents("gpu-1", "gpu-4")
        wait_for(
            "gpu-4 in place of gpu-2",
            lambda: (
                fleet.by_node('observed_process_up{process="models"} == 1').keys()
                == {"gpu-1", "gpu-3", "gpu-4"}
            ),
            60,
        )
        assert fleet.by_node('up{node="gpu-2"}') == {}
        # What gpu-2 has said until then is still there to be looked at.
        assert fleet.by_node('max_over_time(observed_process_up{node="gpu-2"}[5m])') == {"gpu-2": 1}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user and keep capabilities")
def test_a_user_with_the_units_capabilities_alone_sees_the_processes_of_another_user(tmp_path: Path) -> None:
    need("setpriv")
    unit = (CHECKOUT / "scripts" / "agent" / "soak-agent.service").read_text(encoding="utf-8")
    found = re.search(r"^AmbientCapabilities=(.+)$", unit, re.MULTILINE)
    assert found
    names = ",".join(f"+{name.removeprefix('CAP_').lower()}" for name in found[1].split())
    sets = (f"--{which}=-all,{names}" for which in ("inh-caps", "ambient-caps", "bounding-set"))
    nobody = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs", *sets)
    tmp_path.chmod(0o700)  # as the key and web.yml of a node are root's alone
    with Agent(tmp_path / "node", "127.0.0.6", run_by=nobody) as agent:
        agent.wait_until_it_serves()
        text = requests.get(f"http://{agent.target}/metrics", timeout=10).text
    values = {
        re.sub(r'(process|role)="[^"]*",?', "", line.split()[0]): float(line.split()[1])
        for line in text.splitlines()
        if line.startswith("observed_process_")
    }
    assert values["observed_process_up{}"] == 1
    assert values["observed_process_open_fds{}"] >= 3
    assert values['observed_process_connections{state="established"}'] == 0
    assert values["observed_process_read_bytes_total{}"] >= 0
