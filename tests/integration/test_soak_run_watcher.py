"""`soak run` with the real wrk: which exporter watches it, and runs beside each other."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from exporter.settings.watch import Watch
from exporter.stack.native import NativeStack
from exporter.stack.ports import free_ports
from tests.support.checkout import CHECKOUT
from tests.support.exporter_process import Exporter
from tests.support.soak_command import Ended, Soak, SoakRun, running, total
from tests.support.waiting import need, wait_for


@pytest.fixture(autouse=True)
def _wrk() -> None:
    need("wrk")


@pytest.fixture
def exporters(tmp_path: Path) -> Iterator[Any]:
    """Starts exporters with the configuration given."""
    started: list[Exporter] = []

    def start(config: dict[str, Any], *options: str) -> str:
        folder = tmp_path / f"exporter-{len(started)}"
        folder.mkdir()
        exporter = Exporter(folder, config, {}, *options)
        started.append(exporter)
        url: str = exporter.url.rpartition("/")[0]
        return url

    yield start
    for each in started:
        each.kill()


def finding(ended: Ended, check: str) -> dict[str, str]:
    """The finding of that check."""
    found: dict[str, dict[str, str]] = {each["check"]: each for each in ended.document["verdict"]["findings"]}
    return found[check]


def assert_own_counts(ended: Ended) -> int:
    """A run whose sources by run agree with its engine; how many responses that is."""
    evidence = ended.document["evidence"]
    count: int = evidence["engine"]["requests"]
    by_source = {name: each["responses"] for name, each in evidence["counts_by_source"].items()}
    assert {by_source[name] for name in ("engine", "live", "exporter")} == {count}
    assert ended.code == 0, (ended.errors, ended.document["verdict"])
    return count


def test_two_runs_of_one_model_at_one_exporter_each_end_with_their_own_counts(
    live: NativeStack, soak: Soak
) -> None:
    one = soak("--duration", "6s", "--connections", "2", "--label", "one")
    running(live, 20)
    two = soak("--duration", "3s", "--connections", "3", "--label", "two")
    ended = [run.end() for run in (one, two)]
    counts = [assert_own_counts(each) for each in ended]
    assert total(live, "benchmark_requests_total") == sum(counts)
    for each, other in zip(ended, reversed(ended), strict=True):
        run = other.document["run"]
        assert each.document["evidence"]["other_runs_of_this_model"] == {run["run"]: run["label"]}
        assert f"{run['run']} ({run['label']})" in finding(each, "totals")["text"]


def test_run_wrk_sh_beside_a_soak_is_not_counted_in_it(live: NativeStack, soak: Soak) -> None:
    run = soak("--duration", "6s", "--connections", "2")
    running(live, 20)
    subprocess.run(
        [str(CHECKOUT / "scripts/benchmarks/run_wrk.sh"), "-t2", "-c2", "-d2s"],
        env={
            **os.environ,
            "WRK_TARGET": live.ports.url("router"),
            "SOAK_EXPORTER": live.ports.url("exporter"),
        },
        capture_output=True,
        check=True,
    )
    ended = run.end()
    assert assert_own_counts(ended) < total(live, "benchmark_requests_total")
    assert list(ended.document["evidence"]["other_runs_of_this_model"].values()) == ["run_wrk"]


def test_last_reports_that_are_lost_in_the_drain_are_repeated_until_they_are_published(
    live: NativeStack, soak: Soak
) -> None:
    run = soak("--duration", "2s", "--connections", "3", "--drain", "8s")
    running(live, 20)

    def all_arrived() -> bool:
        page = requests.get(live.ports.url("exporter"), timeout=10).text
        return "<td>drain</td>" in page

    wait_for("the drain", all_arrived)
    live.kill("exporter")
    live.start_exporter()
    ended = run.end()
    count = ended.document["evidence"]["engine"]["requests"]
    assert total(live, "benchmark_requests_total") == count
    assert ended.document["evidence"]["counts_by_source"]["scraped"] == {"responses": count, "failures": 0}
    assert finding(ended, "totals")["outcome"] == "pass"


def own(live: NativeStack, results: Path, *options: str) -> SoakRun:
    """A run that names no exporter."""
    return SoakRun(live, results, *options, exporter="")


def test_runs_with_exporters_of_their_own_end_with_their_own_counts_and_leave_none(
    live: NativeStack, tmp_path: Path
) -> None:
    live.kill("exporter")
    listen = [f"127.0.0.1:{free_ports().exporter}" for _ in range(2)]
    runs = [
        own(live, tmp_path / str(n), "--duration", "3s", "--connections", "2", "--own-exporter-listen", each)
        for n, each in enumerate(listen)
    ]
    for run, address in zip(runs, listen, strict=True):
        ended = run.end()
        assert_own_counts(ended)
        watching = ended.document["evidence"]["watching"]
        assert watching["exporter"] == f"http://{address}"
        assert watching["router"] == live.ports.url("router")
        assert watching["is_target"]
        with pytest.raises(requests.ConnectionError):
            requests.get(f"http://{address}/-/healthy", timeout=2)


def test_no_other_run_uses_the_exporter_of_a_run(lasting: NativeStack, tmp_path: Path) -> None:
    address = f"127.0.0.1:{free_ports().exporter}"
    run = own(lasting, tmp_path, "--duration", "60s", "--connections", "1", "--own-exporter-listen", address)
    try:
        wait_for("its exporter", lambda: answers(f"http://{address}/-/ready"))
        watch = Watch.from_json(requests.get(f"http://{address}/api/watch", timeout=10).content)
        assert watch.owner is not None
        refused = SoakRun(lasting, tmp_path / "other", "--duration", "1s", exporter=f"http://{address}").end()
        assert refused.code == 2
        assert "belongs to another run" in refused.errors
    finally:
        run.abandon()


def answers(url: str) -> bool:
    """Whether it answers 200."""
    try:
        return requests.get(url, timeout=2).status_code == 200
    except requests.RequestException:
        return False


def test_an_exporter_of_another_router_is_refused_or_used_without_judging_the_router(
    lasting: NativeStack, exporters: Any, tmp_path: Path
) -> None:
    url = exporters({"router": {"url": "http://127.0.0.1:1"}, "host": False})
    refused = SoakRun(lasting, tmp_path, "--duration", "1s", exporter=url).end()
    assert refused.code == 2
    [line] = [each for each in refused.errors.splitlines() if each.startswith("soak: ")]
    assert "watches http://127.0.0.1:1, not this router" in line
    assert "--watched-elsewhere" in line
    ended = SoakRun(
        lasting, tmp_path, "--duration", "2s", "--connections", "1", "--watched-elsewhere", exporter=url
    ).end()
    assert finding(ended, "router")["outcome"] == "not_judged"
    assert ended.code == 0
    assert "not this router" in ended.errors


def test_the_exporter_of_a_load_host_is_used_and_the_router_is_not_judged(
    lasting: NativeStack, exporters: Any, tmp_path: Path
) -> None:
    url = exporters({"router": None, "host": False})
    ended = SoakRun(lasting, tmp_path, "--duration", "2s", "--connections", "1", exporter=url).end()
    assert ended.code == 0, ended.errors
    assert finding(ended, "router") == {
        **finding(ended, "router"),
        "outcome": "not_judged",
        "text": f"the exporter at {url} watches no router",
    }
    assert f"{url} のエクスポーターはルーターを監視していない" in ended.record


def test_another_telemetry_path_and_a_name_of_the_router_are_known(
    lasting: NativeStack, exporters: Any, tmp_path: Path
) -> None:
    port = lasting.ports.router
    router = {"url": "http://127.0.0.1:1", "also_known_as": [f"127.0.0.1:{port}"]}
    url = exporters({"router": router, "host": False}, "--web.telemetry-path", "/own")
    ended = SoakRun(lasting, tmp_path, "--duration", "2s", "--connections", "1", exporter=f"{url}/own").end()
    count = ended.document["evidence"]["engine"]["requests"]
    assert ended.document["evidence"]["counts_by_source"]["scraped"]["responses"] == count
    assert ended.document["evidence"]["watching"]["is_target"]


def test_an_agent_takes_no_run(lasting: NativeStack, exporters: Any, tmp_path: Path) -> None:
    url = exporters({"router": None, "host": False}, "--ingest.listen-address", "")
    refused = SoakRun(lasting, tmp_path, "--duration", "1s", exporter=url).end()
    assert refused.code == 2
    assert f"the exporter at {url} takes no runs" in refused.errors


def test_an_exporter_that_comes_back_without_an_ingest_makes_the_run_inconclusive_with_its_files(
    live: NativeStack, soak: Soak
) -> None:
    run = soak("--duration", "6s", "--connections", "2")
    running(live, 20)
    live.kill("exporter")
    live.start_exporter("--ingest.listen-address", "")
    ended = run.end()
    assert ended.code == 3
    assert ended.document["evidence"]["engine"]["requests"] > 20
    assert finding(ended, "totals")["outcome"] == "inconclusive"
    assert "takes no runs" in ended.errors
    assert len(ended.csv_rows) == 1
    assert json.loads(ended.output)["evidence"]["requests"]["2xx"] > 20
