"""The whole exposition of an exporter on recorded sources, as tests/golden has it: oracle and catalogue.

After a change that is meant: `pytest tests/contract/test_exposition_golden.py --update-golden`, which fails,
then read the diff.
"""

import re
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from exporter.collectors.collector import Collector, WatchedPids
from exporter.collectors.gpu.gpu import GpuCollector
from exporter.collectors.gpu.nvml import close_nvml, count_gpus, find_gpu
from exporter.collectors.gpu.reading import read_gpu, read_versions
from exporter.collectors.gpu.sampler import GpuSample
from exporter.collectors.gpu.xid_events import OTHER, XID_CODES
from exporter.collectors.priority import RightOfWay
from exporter.collectors.router.reading import RouterReader
from exporter.collectors.router.router import RouterCollector
from exporter.live.ingest import Ingest
from exporter.live.runs import LiveRuns
from exporter.settings.router_api import RouterApi, RouterLogin
from tests.support import exporter_scene as scene
from tests.support.checkout import GOLDEN
from tests.support.clocks import FakeClock
from tests.support.contract_metrics import CONTRACT, COUNTER, is_kernel_name
from tests.support.golden import compare_golden
from tests.support.gpu_series import open_stub
from tests.support.nvml_stub import NvmlStub, StubGpu
from tests.support.waiting import need

EXPOSITION = GOLDEN / "exposition.txt"
OTHER_ROUTERS = ("router-current.txt", "router-endpoints.txt")
GPUS = (
    StubGpu(uuid="GPU-4c9f0001", compute={100: 1 << 30, 201: 9 << 30, 4242: 1 << 20}),
    StubGpu(uuid="GPU-4c9f0002", fan=None, power_limit=None, compute={}, temperature=41),
)


class StubSample:
    """The stub's GPUs as they are now, and one Xid; in place of the threads that sample and listen."""

    def latest(self) -> GpuSample:
        readings = [reading for index in range(count_gpus()) for reading in read_gpu(find_gpu(index))]
        return GpuSample(tuple(readings), read_versions())

    def counts(self) -> dict[tuple[str, str], dict[str, int]]:
        codes = dict.fromkeys([*map(str, sorted(XID_CODES)), OTHER], 0)
        return {("0", "GPU-4c9f0001"): {**codes, "79": 1}, ("1", "GPU-4c9f0002"): codes}


@contextmanager
def stub_gpus(library: Path, script: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """GPUS behind the real binding, in this process."""
    NvmlStub(library, script, list(GPUS))
    open_stub(library, script, monkeypatch)
    try:
        yield
    finally:
        close_nvml()


@pytest.fixture
def exposition(nvml_library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The text of the second scrape: at the first the GPUs may be read before the processes are known."""
    scene.freeze_machine(monkeypatch)
    clock, pids = FakeClock(), WatchedPids()
    runs = LiveRuns(clock)
    ingest = Ingest(runs.apply)
    scene.some_load(runs, ingest, clock)
    results = scene.some_results(tmp_path / "results", clock)
    with (
        stub_gpus(nvml_library, tmp_path / "nvml.script", monkeypatch),
        scene.recorded_router("first-overview") as router,
    ):
        config = scene.configuration(router.url)
        gpu: Collector = GpuCollector(StubSample().latest, StubSample().counts, pids)
        watched = scene.collectors(config, clock, results, pids, gpu)
        with scene.served(watched, config.collector_deadline_seconds, clock, runs, ingest) as url:
            for _ in range(2):
                with urllib.request.urlopen(f"{url}/metrics", timeout=60) as answer:
                    text: str = answer.read().decode()
    return text


def test_the_exposition_is_the_golden_one(exposition: str, request: pytest.FixtureRequest) -> None:
    compare_golden(EXPOSITION, exposition, request.config.getoption("--update-golden"))


def test_the_current_generations_router_is_the_golden_one(request: pytest.FixtureRequest) -> None:
    registry = CollectorRegistry()
    with scene.recorded_router("current-overview") as router:
        api, clock = RouterApi(url=router.url, timeout_seconds=10), FakeClock()
        registry.register(RouterCollector(RouterReader(api, clock, "a.json.token"), clock, RightOfWay()))
        text = generate_latest(registry).decode()
    compare_golden(GOLDEN / "router-current.txt", text, request.config.getoption("--update-golden"))


def test_the_router_of_an_api_key_is_the_golden_one(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    (tmp_path / "password").write_text("open sesame")
    login = RouterLogin(username="boss", password_file=tmp_path / "password")
    registry = CollectorRegistry()
    with scene.recorded_endpoints() as router:
        api, clock = RouterApi(url=router.url, timeout_seconds=10, login=login), FakeClock()
        registry.register(RouterCollector(RouterReader(api, clock), clock, RightOfWay()))
        text = generate_latest(registry).decode()
    compare_golden(GOLDEN / "router-endpoints.txt", text, request.config.getoption("--update-golden"))


def test_a_golden_file_that_is_missing_or_another_fails(tmp_path: Path) -> None:
    path = tmp_path / "golden.txt"
    with pytest.raises(pytest.fail.Exception, match=r"golden\.txt is missing"):
        compare_golden(path, "a 1\n", update=False)
    assert not path.exists()
    path.write_text("a 2\n", encoding="utf-8")
    with pytest.raises(AssertionError):
        compare_golden(path, "a 1\n", update=False)
    compare_golden(path, "a 2\n", update=False)


def test_rewriting_a_golden_file_fails_that_run(tmp_path: Path) -> None:
    path = tmp_path / "golden.txt"
    with pytest.raises(pytest.fail.Exception, match="was rewritten"):
        compare_golden(path, "a 1\n", update=True)
    assert path.read_text(encoding="utf-8") == "a 1\n"


# promtool's lint

ALLOWED = re.compile(
    # node_exporter's names are CamelCase where the kernel's are; unit/collectors/host compares with it.
    r"node_\w+ metric names should be written in 'snake_case' not 'camelCase'"
    # Gauges that the contract gives the label of a summary.
    r"|benchmark_(request_duration_quantile|result_latency|router_overhead)_seconds "
    r'non-summary metrics should not have "quantile" label'
)


def lint(text: str) -> list[str]:
    """What `promtool check metrics` complains of, a line each."""
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False
    )
    # 3: it parsed, and there are complaints.
    assert done.returncode == (3 if done.stderr else 0), done.stderr
    return done.stderr.splitlines()


def test_promtool_complains_of_nothing_but_what_is_inherited() -> None:
    need("promtool")
    for name in ("exposition.txt", *OTHER_ROUTERS):
        problems = lint((GOLDEN / name).read_text(encoding="utf-8"))
        assert [problem for problem in problems if not ALLOWED.fullmatch(problem)] == []


def test_the_lint_finds_a_name_that_is_wrong() -> None:
    need("promtool")
    assert lint("# HELP router_requests x\n# TYPE router_requests counter\nrouter_requests 1\n") != []


# the contract


def families(text: str) -> dict[str, tuple[str, set[frozenset[str]]]]:
    """Name -> type and the sets of labels that its samples have; `le` of a histogram apart."""
    found: dict[str, tuple[str, set[frozenset[str]]]] = {}
    for family in text_string_to_metric_families(text):
        name = f"{family.name}_total" if family.type == COUNTER else family.name
        labels = {frozenset(sample.labels) - {"le"} for sample in family.samples}
        found[name] = (family.type, labels)
    return found


@pytest.fixture(scope="module")
def published() -> dict[str, tuple[str, set[frozenset[str]]]]:
    """The families of all golden files; one generation of router has samples where the other has none."""
    found = families(EXPOSITION.read_text(encoding="utf-8"))
    for file in OTHER_ROUTERS:
        for name, (kind, labels) in families((GOLDEN / file).read_text(encoding="utf-8")).items():
            assert found.setdefault(name, (kind, set()))[0] == kind
            found[name][1].update(labels)
    return found


@pytest.mark.parametrize("name", CONTRACT)
def test_every_metric_of_the_list_is_published_with_its_type_and_labels(
    published: dict[str, tuple[str, set[frozenset[str]]]], name: str
) -> None:
    assert published[name] == (CONTRACT[name].kind, {CONTRACT[name].labels})


def test_every_metric_that_is_published_is_in_the_list(
    published: dict[str, tuple[str, set[frozenset[str]]]],
) -> None:
    assert [
        name
        for name, (_, labels) in published.items()
        if name not in CONTRACT and not is_kernel_name(name, frozenset().union(*labels))
    ] == []
