"""`soak judge` of runs that a real Prometheus and a real VictoriaMetrics have scraped."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from exporter.results.run_document import parse_document
from exporter.results.run_json import run_json
from exporter.results.run_record import read_record
from exporter.settings.router_api import RouterApi
from exporter.stack.native import NativeStack
from exporter.stack.ports import free_ports
from tests.support.judged import Document, assert_alike, judged
from tests.support.scraping_server import PROGRAMS, scraping, wait_for_scrapes
from tests.support.soak_command import SoakRun, fault
from tests.support.waiting import need

SERVERS = tuple(PROGRAMS)


@dataclass(frozen=True)
class Scene:
    """Four runs that have ended, and where they were scraped."""

    urls: dict[str, str]
    own: dict[str, Document]
    """run.json of each, by its label"""
    instances: dict[str, str]
    """by label, what a Prometheus calls the exporter"""


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """One of wrk and one of streams side by side, each at an exporter of its own: clean, then failing."""
    need("wrk", "prometheus")
    folder = tmp_path_factory.mktemp("judge")
    with ExitStack() as stack:
        one, other = (stack.enter_context(NativeStack(free_ports())) for _ in range(2))
        one.start_simulator()
        one.start_exporter()
        other.start_exporter(router=RouterApi(url=one.ports.url("router")))
        hosts = {"wrk": one, "stream": other}
        targets = {"exporter": [f"127.0.0.1:{each.ports.exporter}" for each in hosts.values()]}
        urls = {
            kind: stack.enter_context(scraping(kind, targets, folder / kind))
            for kind, program in PROGRAMS.items()
            if not _missing(program)
        }
        own: dict[str, Document] = {}
        for state in ("clean", "failing"):
            if state == "failing":
                fault(one, "error", status=500, ratio=0.2)
                fault(one, "drop_connections", ratio=0.1, mode="rst")
            runs = {
                f"{engine}-{state}": SoakRun(
                    one,
                    folder / "results",
                    *("--engine", engine, "--label", f"{engine}-{state}"),
                    *("--connections", "4", "--duration", "8s", "--drain", "5s"),
                    exporter=host.ports.url("exporter"),
                )
                for engine, host in hosts.items()
            }
            for label, run in runs.items():
                own[label] = run.end().document
            # On a busy machine all scrapes of the drain may be late.
            for url in urls.values():
                wait_for_scrapes(url, len(hosts))
        instances = {label: f"127.0.0.1:{hosts[label.split('-')[0]].ports.exporter}" for label in own}
        yield Scene(urls, own, instances)


def _missing(program: str) -> bool:
    try:
        need(program)
    except pytest.skip.Exception:
        return True
    return False


@pytest.mark.parametrize("label", ["wrk-clean", "stream-clean", "wrk-failing", "stream-failing"])
@pytest.mark.parametrize("server", SERVERS)
def test_a_run_is_judged_as_it_judged_itself(server: str, label: str, scene: Scene, tmp_path: Path) -> None:
    need(PROGRAMS[server])
    result = judged(scene.urls[server], label, tmp_path)
    assert_alike(result, scene.own[label])
    assert result.evidence.planned_seconds == 8.0
    findings = {each.check: each.outcome.value for each in result.judgement.findings}
    if label.endswith("clean"):
        assert {"answers", "disconnects", "stalls", "router", "nodes"} <= {
            check for check, outcome in findings.items() if outcome == "pass"
        }
    else:
        assert (findings["answers"], findings["disconnects"]) == ("fail", "fail")
        assert result.judgement.exit_code == 1
    # VictoriaMetrics evaluates no rules here, and that is no pass.
    assert (findings["alerts"] == "not_judged") == (server == "victoria-metrics")


def test_its_files_make_the_same_report_again(scene: Scene, tmp_path: Path) -> None:
    result = judged(scene.urls["prometheus"], "stream-failing", tmp_path)
    [folder] = [each for each in tmp_path.iterdir() if each.is_dir()]
    record = read_record(folder)
    assert record.document == parse_document(run_json(result))
    assert record.document.run.engine == "stream"
    assert [each.instance for each in record.document.evidence.exporters] == sorted(
        set(scene.instances.values())
    )
    totals = {
        each.label("status_class"): each.increase() for each in record.series.each("benchmark_requests_total")
    }
    assert totals["2xx"] >= result.evidence.successes


def test_one_exporter_alone_is_chosen_by_a_matcher(scene: Scene, tmp_path: Path) -> None:
    instance = scene.instances["wrk-clean"]
    result = judged(scene.urls["prometheus"], "wrk-clean", tmp_path, f'instance="{instance}"')
    assert (result.instance, result.evidence.instance) == (instance, instance)
    assert_alike(result, scene.own["wrk-clean"])
