"""exporter.collectors: what is built from a configuration, and which families each collector has."""

import re
from collections import Counter
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from exporter.clock import SystemClock
from exporter.collectors import COLLECTORS, build_collectors
from exporter.collectors.collector import LiveLoad, Shared
from exporter.collectors.isolation import FAMILIES, IsolatedCollectors
from exporter.errors import ConfigurationError
from exporter.live.ingest import Ingest
from exporter.live.runs import LiveRuns
from exporter.settings.exporter_config import (
    ExporterConfig,
    GpuMode,
    Match,
    Role,
    WatchedProcess,
)
from exporter.settings.router_api import RouterApi
from tests.support.checkout import GOLDEN

ROUTER = WatchedProcess(name="router", role=Role.ROUTER, match=Match(port=1))
NOWHERE = RouterApi(url="http://127.0.0.1:1")
NOTHING = ExporterConfig(router=None, host=False, gpu=GpuMode.OFF)


def shared() -> Shared:
    return Shared(SystemClock())


def names(config: ExporterConfig, shared: Shared) -> list[str]:
    return [collector.name for collector in build_collectors(config, shared)]


def test_each_collector_has_a_name_of_its_own() -> None:
    assert len({each.name for each in COLLECTORS}) == len(COLLECTORS)


def test_the_exporters_own_state_is_published_before_what_is_isolated() -> None:
    isolated = [each.isolated for each in COLLECTORS]
    assert isolated == sorted(isolated)


def test_every_family_of_the_golden_exposition_is_stated_by_one_collector() -> None:
    text = (GOLDEN / "exposition.txt").read_text(encoding="utf-8")
    found = set(re.findall(r"^# TYPE (\S+)", text, re.MULTILINE))
    stated = Counter([*FAMILIES]) + Counter(family for each in COLLECTORS for family in each.families)
    by_name = {name: [family for family in stated.elements() if fnmatchcase(name, family)] for name in found}
    assert {name: families for name, families in by_name.items() if len(families) != 1} == {}


def test_every_family_that_a_collector_states_is_in_a_golden_exposition() -> None:
    # What needs a login at the router is in that of a router with one.
    files = [GOLDEN / name for name in ("exposition.txt", "router-endpoints.txt")]
    text = "\n".join(file.read_text(encoding="utf-8") for file in files)
    found = re.findall(r"^# TYPE (\S+)", text, re.MULTILINE)
    stated = {*FAMILIES, *(family for each in COLLECTORS for family in each.families)}
    assert {family for family in stated if not any(fnmatchcase(name, family) for name in found)} == set()


def test_only_what_the_configuration_asks_for_is_built(tmp_path: Path) -> None:
    world = ExporterConfig(processes=(ROUTER,))
    assert names(world, shared()) == ["own_process", "process", "node", "router", "gpu"]
    assert names(ExporterConfig(), shared()) == ["own_process", "node", "router", "gpu"]
    assert names(NOTHING, shared()) == ["own_process"]
    assert names(NOTHING, Shared(SystemClock(), results=tmp_path)) == ["own_process", "results"]


def test_an_exporter_that_takes_runs_publishes_their_load() -> None:
    runs = LiveRuns(SystemClock())
    takes_runs = Shared(SystemClock(), load=LiveLoad(runs, Ingest(runs.apply)))
    assert names(NOTHING, takes_runs) == ["load", "own_process"]


def test_an_api_key_file_that_is_missing_is_reported_at_the_start(tmp_path: Path) -> None:
    config = ExporterConfig(router=RouterApi(api_key_file=tmp_path / "none"))
    with pytest.raises(ConfigurationError, match=f"^{tmp_path}/none: .* API key file"):
        build_collectors(config, shared())


def test_the_exposition_has_the_types_of_the_contract_and_each_family_once() -> None:
    config = ExporterConfig(router=NOWHERE, processes=(ROUTER,), gpu=GpuMode.OFF)
    registry = CollectorRegistry()
    registry.register(IsolatedCollectors(build_collectors(config, shared()), 10, SystemClock()))
    lines = re.findall(r"^# TYPE (\S+) (\S+)$", generate_latest(registry).decode(), re.MULTILINE)
    types = dict(lines)
    assert len(types) == len(lines)
    assert {name: kind for name, kind in types.items() if not name.startswith("node_")} == {
        "observed_process_up": "gauge",
        "observed_process_cpu_seconds_total": "counter",
        "observed_process_resident_memory_bytes": "gauge",
        "observed_process_anonymous_memory_bytes": "gauge",
        "observed_process_swap_bytes": "gauge",
        "observed_process_virtual_memory_bytes": "gauge",
        "observed_process_threads": "gauge",
        "observed_process_open_fds": "gauge",
        "observed_process_max_fds": "gauge",
        "observed_process_connections": "gauge",
        "observed_process_context_switches_total": "counter",
        "observed_process_page_faults_total": "counter",
        "observed_process_read_bytes_total": "counter",
        "observed_process_write_bytes_total": "counter",
        "observed_process_start_time_seconds": "gauge",
        "observed_process_restarts_total": "counter",
        "observed_process_unwatched": "gauge",
        "observed_process_children": "gauge",
        "observed_process_child_starts_total": "counter",
        "observed_process_worker_deaths_total": "counter",
        "observed_process_written_files_bytes": "gauge",
        "exporter_build_info": "gauge",
        "process_virtual_memory_bytes": "gauge",
        "process_resident_memory_bytes": "gauge",
        "process_start_time_seconds": "gauge",
        "process_cpu_seconds_total": "counter",
        "process_open_fds": "gauge",
        "process_max_fds": "gauge",
        "router_up": "gauge",
        "router_probe_duration_seconds": "gauge",
        "router_probe_result": "gauge",
        "router_probe_age_seconds": "gauge",
        "router_probe_timeout_seconds": "gauge",
        "exporter_host_devices_not_shown": "gauge",
        "exporter_collector_success": "gauge",
        "exporter_collector_duration_seconds": "gauge",
        "exporter_collector_last_success_timestamp_seconds": "gauge",
    }
