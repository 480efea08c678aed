"""One soak from three hosts, each in a network namespace of its own, and its one verdict."""

import json
import subprocess
from contextlib import ExitStack
from pathlib import Path

import requests

from exporter.results.run_document import document_of
from exporter.results.run_result import JudgeInputs
from exporter.stack.ports import free_ports
from exporter.stack.service import SOAK, Service
from tests.support.judged import Document, judged
from tests.support.network_hosts import NetworkHost, network_hosts
from tests.support.scraping_server import scraping
from tests.support.soak_command import without_matplotlib
from tests.support.waiting import need, wait_for

LABEL = "three-hosts"


def test_a_soak_from_three_hosts_has_one_verdict(tmp_path: Path) -> None:
    need("wrk", "prometheus")
    with ExitStack() as stack:
        here, hosts = stack.enter_context(network_hosts(3))
        router = f"http://{here}:{free_ports().router}"
        command = [*SOAK, "simulate", "--host", here, "--port", router.rpartition(":")[2]]
        _started(stack, Service("router", router, command, tmp_path), "/v1/models")
        exporters = [_exporter(host, router, tmp_path) for host in hosts]
        for exporter in exporters:
            _started(stack, exporter, "/-/ready")
        targets = {"exporter": [f"{host.address}:9877" for host in hosts]}
        prometheus = stack.enter_context(scraping("prometheus", targets, tmp_path / "prometheus"))
        runs = [_soak(host, router, tmp_path) for host in hosts]
        fault = {"ratio": 0.05, "mode": "rst"}
        wait_for("the load of all hosts", lambda: _served(router) > 200)
        assert requests.put(f"{router}/admin/faults/drop_connections", json=fault, timeout=10).ok
        own = [_ended(run) for run in runs]

        results = tmp_path / "judged"
        results.mkdir()
        result = judged(prometheus, LABEL, results)

    evidence = document_of(result).evidence
    for counts in ("requests", "failures"):
        sums = {
            name: sum(each["evidence"][counts][name] for each in own) for name in own[0]["evidence"][counts]
        }
        assert getattr(evidence, counts) == sums
    assert evidence.failed > 0
    assert result.evidence.connections == 6
    assert [each.instance for each in evidence.exporters] == [f"{host.address}:9877" for host in hosts]
    findings = {each.check: each for each in result.judgement.findings}
    assert result.judgement.exit_code == 1
    assert findings["disconnects"].outcome == "fail"
    assert findings["router"].outcome == "pass"
    # Each host is told by its exporter.
    assert all(f"{host.address}:9877: " in findings["router"].text for host in hosts)
    assert result.info.target == router
    assert isinstance(result.inputs, JudgeInputs)
    assert result.inputs.runs == tuple(sorted(each["run"]["run"] for each in own))


def _started(stack: ExitStack, service: Service, path: str) -> None:
    stack.callback(service.stop)
    # Whose port it is cannot be seen in another network.
    service.wait_until_ready(path, is_its_own=lambda _: True)


def _exporter(host: NetworkHost, router: str, folder: Path) -> Service:
    command = [*host.inside, *SOAK, "exporter", "--web.listen-address", "0.0.0.0:9877"]
    command += ["--ingest.state-file", ""]
    name = f"exporter-{host.address}"
    return Service(name, f"http://{host.address}:9877", command, folder, {"ROUTER_URL": router})


def _soak(host: NetworkHost, router: str, folder: Path) -> subprocess.Popen[str]:
    command = [*host.inside, *SOAK, "run", "--json", "--no-preflight", "--engine", "wrk", "--label", LABEL]
    command += ["--target", router, "--exporter", "http://127.0.0.1:9877"]
    command += ["--connections", "2", "--duration", "6s", "--drain", "5s"]
    command += ["--results", str(folder / host.name)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=without_matplotlib())


def _ended(run: subprocess.Popen[str]) -> Document:
    output, _ = run.communicate(timeout=120)
    document: Document = json.loads(output)
    return document


def _served(router: str) -> int:
    truth = requests.get(f"{router}/admin/truth", timeout=10).json()
    return sum(truth["inference_responses"].values())
