"""How many series agents are: what the list of metrics gives is what a real Prometheus holds."""

import math
import random
from pathlib import Path

import requests
from agent_crowd import Fleet, moving, prometheus_of, renewed, wider
from gpu_cost import gpu_exporter
from retention import computed_series, own_figures, scale_of

from tests.support.contract_metrics import BY_SCRAPE
from tests.support.waiting import need, wait_for

AGENTS = 3
PROCESSES = 4
AGENT = ("--ingest.listen-address", "", "--results.folder", "/nonexistent/results")


def test_a_prometheus_holds_as_many_series_of_agents_as_are_computed(tmp_path: Path) -> None:
    need("prometheus")
    need("gcc")
    with gpu_exporter(tmp_path, PROCESSES, *AGENT) as (agent, stub):
        moving(stub, random.Random(1))

        def says_all() -> bool:
            text = requests.get(f"{agent.url}/metrics", timeout=10).text
            samples = sum(not line.startswith("#") for line in text.splitlines())
            return samples == computed_series(text, PROCESSES, len(stub.gpus))

        wait_for("as many samples as are computed", says_all)
        with (
            Fleet(agent.url, 64, math.inf) as fleet,
            prometheus_of(fleet, AGENTS, tmp_path, rules=False) as store,
        ):

            def held() -> bool:
                own = own_figures(store.url)
                computed = computed_series(fleet.text, PROCESSES, len(stub.gpus)) if fleet.text else -1
                return own["prometheus_tsdb_head_series"] == AGENTS * (computed + len(BY_SCRAPE))

            wait_for("as many series as are computed", held, 60)
        scale, kernel_names = scale_of(fleet.text, PROCESSES, len(stub.gpus))
    assert (scale.cpus, scale.gpus, scale.processes) == (64, 8, 4)
    assert 0 < scale.disks + scale.interfaces < 60
    assert kernel_names > 50


def test_the_series_of_an_exposition_stay_while_its_values_move() -> None:
    first = '# TYPE a gauge\na 1\nb{device="eth0"} 2\n'
    assert renewed(first, 'a 7\nb{device="veth1"} 3\n') == first.replace("a 1", "a 7")


def test_an_exposition_is_made_wider_by_whole_cpus() -> None:
    def idle(cpu: int, seconds: float) -> str:
        return f'node_cpu_seconds_total{{cpu="{cpu}",mode="idle"}} {seconds}\n'

    text = f"a 1\n{idle(0, 5.0)}{idle(1, 7.0)}b 2\n"
    assert wider(text, 4) == text.replace("b 2\n", f"{idle(2, 5.0)}{idle(3, 7.0)}b 2\n")
    assert wider(text, 2) == text
    assert wider("a 1\n", 4) == "a 1\n"
