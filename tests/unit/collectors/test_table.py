"""exporter.collectors: what is built from a configuration, and under which names it is written out."""

import re
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from exporter.clock import SystemClock
from exporter.collectors import COLLECTORS, Shared, build_collectors
from exporter.collectors.isolation import IsolatedCollectors
from exporter.collectors.priority import RightOfWay
from exporter.errors import ConfigurationError
from exporter.settings.exporter_config import ExporterConfig, GpuMode, Match, Role, RouterApi, WatchedProcess

ROUTER = WatchedProcess(name="router", role=Role.ROUTER, match=Match(port=1))
NOWHERE = RouterApi(url="http://127.0.0.1:1")


def names(config: ExporterConfig) -> list[str]:
    return [collector.name for collector in build_collectors(config, SystemClock())]


def test_the_table_names_each_collector_as_it_names_itself() -> None:
    config = ExporterConfig(processes=(ROUTER,))
    shared = Shared(SystemClock(), RightOfWay())
    assert {name: build(config, shared).name for name, build in COLLECTORS.items()} == {
        name: name for name in COLLECTORS
    }


def test_only_what_the_configuration_asks_for_is_built() -> None:
    assert names(ExporterConfig(processes=(ROUTER,))) == ["process", "node", "router", "gpu"]
    assert names(ExporterConfig()) == ["node", "router", "gpu"]
    assert names(ExporterConfig(router=None, host=False, gpu=GpuMode.OFF)) == []


def test_an_api_key_file_that_is_missing_is_told_at_the_start(tmp_path: Path) -> None:
    config = ExporterConfig(router=RouterApi(api_key_file=tmp_path / "none"))
    with pytest.raises(ConfigurationError, match="the API key file cannot be read"):
        build_collectors(config, SystemClock())


def test_the_exposition_has_the_types_of_the_contract_and_each_family_once() -> None:
    config = ExporterConfig(router=NOWHERE, processes=(ROUTER,), gpu=GpuMode.OFF)
    registry = CollectorRegistry()
    registry.register(IsolatedCollectors(build_collectors(config, SystemClock()), 10, SystemClock()))
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
        "router_up": "gauge",
        "router_probe_duration_seconds": "gauge",
        "exporter_host_devices_not_shown": "gauge",
        "exporter_collector_success": "gauge",
        "exporter_collector_duration_seconds": "gauge",
        "exporter_collector_last_success_timestamp_seconds": "gauge",
    }
