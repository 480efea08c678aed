"""The stack in real containers: as it is shipped, but for images that would have to be pulled.

One stack serves all tests of this file, in their order: first the plain one that watches a router on this
host, then the demo's, then what `docker compose run` does. tests/stack/containers has the stand-ins.
"""

import csv
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from exporter.errors import QueryError
from tests.stack.containers.compose_stack import BASE, PROJECT, ComposeStack
from tests.stack.containers.daemon import base_image, docker_daemon
from tests.support.checkout import CHECKOUT
from tests.support.waiting import wait_for
from tests.support.wheel_report import check_tour

# Images are built in the first test's setup.
pytestmark = pytest.mark.timeout(600)

ATTACKS = Path(__file__).resolve().parent / "containers" / "attacks.py"
TOUR = CHECKOUT / "tests" / "support" / "wheel_tour.py"
CALLER = 1234
SHIPPED = ("exporter", "prometheus", "alertmanager", "grafana")
ROUTER = 'process="router",role="router"'
MIB = 1 << 20


@pytest.fixture(scope="module")
def stack() -> Iterator[ComposeStack]:
    """The images built, and nothing started."""
    # Not pytest's folders, of which it keeps the last three: a daemon's is of gigabytes.
    with tempfile.TemporaryDirectory(prefix="soak-docker-") as name, docker_daemon(Path(name)) as docker:
        stack = ComposeStack(docker, Path(name))
        # mkdtemp's folder is closed to others, and the caller of some soaks is one.
        Path(name).chmod(0o755)
        base_image(docker, BASE, Path(name))
        stack.compose("--profile", "demo", "--profile", "soak", "build")
        try:
            yield stack
        finally:
            stack.compose("--profile", "demo", "--profile", "soak", "down", "--volumes", "--remove-orphans")


@pytest.fixture(scope="module")
def plain(stack: ComposeStack) -> Iterator[ComposeStack]:
    """The stack without profiles, watching a simulated router of another user on this host's network."""
    began = time.monotonic()
    stack.take_free_ports()
    stack.compose("up", "--wait", "--detach")
    print(f"healthy after {time.monotonic() - began:.1f} s")
    yield stack
    stack.compose("down")


@pytest.fixture(scope="module")
def demo(stack: ComposeStack) -> Iterator[ComposeStack]:
    """The demo, with an exporter that has given its capabilities up and results that belong to CALLER."""
    os.chown(stack.results, CALLER, CALLER)
    stack.take_free_ports()
    stack.environment |= {"EXPORTER_UID": "1000", "SOAK_DURATION": "40s", "SOAK_CONNECTIONS": "10"}
    stack.compose("--profile", "demo", "up", "--wait", "--detach")
    yield stack
    stack.compose("--profile", "demo", "down")


def samples(stack: ComposeStack) -> dict[str, float]:
    """One scrape of the exporter, by name and labels."""
    text = requests.get(stack.ports.url("exporter") + "/metrics", timeout=10).text
    lines = [line.rpartition(" ") for line in text.splitlines() if not line.startswith("#")]
    return {key: float(value) for key, _, value in lines}


def values(stack: ComposeStack, expression: str) -> list[float]:
    """The values of an expression now; an empty list where Prometheus has none, or is away."""
    try:
        return [value for series in stack.prometheus.query(expression) for value in series.values]
    except QueryError:
        return []


def labelled(stack: ComposeStack, expression: str, label: str) -> set[str | None]:
    return {series.label(label) for series in stack.prometheus.query(expression)}


def run_files(stack: ComposeStack, label: str) -> dict[str, Any]:
    """run.json of the run with that label, once it is written."""

    def read() -> dict[str, Any] | None:
        found = list(stack.results.glob(f"*-{label}/run.json"))
        return json.loads(found[0].read_text(encoding="utf-8")) if found else None

    return wait_for(f"run.json of {label}", read, 90)


def test_the_image_adds_no_more_than_stated(stack: ComposeStack) -> None:
    base = stack.docker.image_bytes(BASE)
    for image, allowed in {"llm-router-soak-exporter:local": 120, "llm-router-soak:local": 450}.items():
        added = (stack.docker.image_bytes(image) - base) / 1e6
        print(f"{image} adds {added:.0f} MB to its base")
        assert 10 < added <= allowed


def test_in_the_image_the_wheel_does_all_that_its_user_does(stack: ComposeStack) -> None:
    tour = TOUR.read_text(encoding="utf-8")
    said = stack.compose("--profile", "wheel", "run", "--rm", "--no-TTY", "wheel", "-c", tour)
    check_tour(json.loads(said.splitlines()[-1]), has_the_dashboards_library=False)


def test_a_router_of_another_user_on_the_host_is_seen_down_to_its_sockets(plain: ComposeStack) -> None:
    seen = samples(plain)
    assert seen["router_up"] == 1
    assert seen[f"observed_process_up{{{ROUTER}}}"] == 1
    assert seen[f"observed_process_open_fds{{{ROUTER}}}"] > 4
    assert seen[f'observed_process_connections{{{ROUTER},state="listen"}}'] == 1
    assert f"observed_process_read_bytes_total{{{ROUTER}}}" in seen
    # The host's name, and its network interfaces rather than the container's.
    assert any(f'nodename="{os.uname().nodename}"' in key for key in seen)
    host = {line.split(":")[0].strip() for line in Path("/proc/1/net/dev").read_text().splitlines()[2:]}
    devices = {key.split('"')[1] for key in seen if key.startswith("node_network_receive_bytes_total")}
    # A container has but lo and eth0; the daemon's own interfaces come and go.
    assert "docker0" in devices
    assert {name for name in host if not name.startswith(("veth", "br-"))} <= devices
    assert {key for key, value in seen.items() if "collector_success" in key and value != 1} == set()


def test_nothing_that_runs_is_root_or_may_do_anything_but_watch(plain: ComposeStack) -> None:
    watch = (1 << 2) | (1 << 19)  # DAC_READ_SEARCH, SYS_PTRACE
    for service in SHIPPED:
        status = Path(f"/proc/{plain.state(service)['State']['Pid']}/status").read_text()
        fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        assert "0" not in fields["Uid"].split(), service
        allowed = watch if service == "exporter" else 0
        assert [int(fields[name], 16) for name in ("CapPrm", "CapEff")] == [allowed, allowed], service
        assert fields["NoNewPrivs"] == "1", service


def test_the_exporters_container_cannot_touch_another_process(plain: ComposeStack) -> None:
    script = ATTACKS.read_text(encoding="utf-8")
    with subprocess.Popen(["sleep", "infinity"]) as victim:
        try:
            command = ("--no-TTY", "unprotected", "-c", script, str(victim.pid))
            without = json.loads(
                plain.compose("--profile", "attack", "run", "--rm", *command).splitlines()[-1]
            )
            shipped = plain.compose("exec", "--no-TTY", "exporter", "python3", "-c", script, str(victim.pid))
        finally:
            victim.kill()
    # These three take capabilities that nobody has here; all others Docker's own profile lets through.
    forbidden = {"bpf", "perf_event_open", "process_madvise"}
    assert {name for name, said in without.items() if said == "EPERM"} <= forbidden
    assert (without["ptrace"], without["process_vm_writev"]) == ("success", "success")
    assert json.loads(shipped) == dict.fromkeys(without, "EPERM")


def test_grafanas_password_is_made_once_and_printed_by_the_documented_command(plain: ComposeStack) -> None:
    command = ("exec", "--no-TTY", "grafana", "cat", "/run/soak/grafana-admin")
    first = plain.compose(*command)
    assert len(first) == 32
    plain.compose("up", "--wait", "--detach", "--force-recreate", "grafana")
    assert plain.compose(*command) == first


def test_the_demo_is_live_and_every_target_is_up(demo: ComposeStack) -> None:
    rate = "sum(rate(benchmark_requests_total[15s]))"
    wait_for("a live rate", lambda: any(value > 50 for value in values(demo, rate)), 30)
    jobs = {"exporter", "prometheus", "alertmanager", "router"}
    wait_for("every target up", lambda: labelled(demo, "up == 1", "job") == jobs)
    # The host's router belongs to the plain stack, and is the one target that may be down.
    assert {i for i in labelled(demo, "up == 0", "instance") if i} <= {"host.docker.internal:8080"}
    wait_for("the Watchdog's alert", lambda: "Watchdog" in demo.alerts())
    # What EXPORTER_UID gives up is missing, not zero.
    seen = samples(demo)
    assert seen[f"observed_process_up{{{ROUTER}}}"] == 1
    assert seen[f"observed_process_resident_memory_bytes{{{ROUTER}}}"] > MIB
    assert f"observed_process_open_fds{{{ROUTER}}}" not in seen


def test_containers_killed_in_mid_run_cost_nothing_but_a_gap(demo: ComposeStack) -> None:
    assert demo.state("demo-soak")["State"]["Running"]
    for service in ("exporter", "alertmanager", "prometheus", "grafana"):
        demo.kill(service)
    assert demo.state("demo-soak")["State"]["Running"], "the kills came after the run"
    document = run_files(demo, "demo")
    evidence = document["evidence"]
    count = evidence["engine"]["requests"]
    assert count > 1000
    assert {name: said["responses"] for name, said in evidence["counts_by_source"].items()} == dict.fromkeys(
        ("engine", "live", "exporter", "scraped", "prometheus"), count
    )
    assert evidence["failures"] == dict.fromkeys(evidence["failures"], 0)
    wait_for("the demo's end", lambda: not demo.state("demo-soak")["State"]["Running"])
    # What an exporter that is away could not see is said; what was counted stands.
    found = {each["check"]: each["outcome"] for each in document["verdict"]["findings"]}
    assert [found[check] for check in ("answers", "disconnects", "totals")] == ["pass"] * 3
    unseen = {check for check, outcome in found.items() if outcome in ("fail", "inconclusive")}
    assert unseen <= {"stalls", "latency", "throughput", "generator", "completeness"}
    code = demo.state("demo-soak")["State"]["ExitCode"]
    assert (document["verdict"]["outcome"], code) == (("inconclusive", 3) if unseen else ("pass", 0))
    assert values(demo, "sum(benchmark_requests_total)") == [count]
    assert values(demo, "sum(resets(benchmark_requests_total[5m]))") == [0]


def test_a_soak_by_compose_run_leaves_the_callers_files_and_a_dead_router_fails(
    demo: ComposeStack,
) -> None:
    began = time.time()
    options = ["--scenario", "local", "--target", "http://simulator:8080", "--label", "by-hand"]
    options += ["--duration", "20s", "--connections", "5", "--drain", "1s"]
    with demo.start("run", "--rm", "--no-TTY", "soak", *options) as run:
        active = 'benchmark_run_info{label="by-hand"} * on(instance) benchmark_run_active == 1'
        wait_for(
            "the run in Prometheus, or its end", lambda: values(demo, active) or run.poll() is not None, 60
        )
        # The store is away while it happens, which costs it nothing.
        demo.compose("stop", "store")
        demo.kill("simulator")
        wait_for("the alert of the lost requests", lambda: "BenchmarkDisconnects" in demo.alerts(), 30)
        output, _ = run.communicate(timeout=120)
    assert run.returncode == 1, output[-2000:]
    demo.compose("start", "store")
    wait_for("the store", demo.store_answers)

    (row,) = csv.DictReader(next(demo.results.glob("*-by-hand.csv")).read_text("utf-8").splitlines())
    document = run_files(demo, "by-hand")
    assert int(row["requests"]) == document["evidence"]["engine"]["requests"] > 100
    assert int(row["socket_errors"]) > 0
    files = list(demo.results.rglob("*by-hand*"))
    assert len(files) > 2
    assert {(file.stat().st_uid, file.stat().st_gid) for file in files} == {(CALLER, CALLER)}

    wait_for(
        "every sample in the store",
        lambda: sent_samples(demo, began) and sent_samples(demo, began) <= stored_samples(demo),
        60,
    )


def sent_samples(stack: ComposeStack, since: float) -> set[tuple[str, int]]:
    """Series and time (ms) of all samples of the exporter that Prometheus has from then to 7 s ago."""
    seconds = int(time.time() - since)
    answer = requests.get(
        stack.ports.url("prometheus") + "/api/v1/query",
        params={"query": f'{{job="exporter"}}[{seconds - 7}s] offset 7s'},
        timeout=10,
    ).json()
    return {
        (key_of(series["metric"]), round(at * 1000))
        for series in answer["data"]["result"]
        for at, _ in series["values"]
    }


def stored_samples(stack: ComposeStack) -> set[tuple[str, int]]:
    """The same of all that the store has; each of its series has to be labelled as this Prometheus's."""
    text = requests.get(
        f"http://127.0.0.1:{stack.store_port}/api/v1/export",
        params={"match[]": '{job="exporter"}'},
        timeout=20,
    ).text
    found = set()
    for series in map(json.loads, text.splitlines()):
        metric = dict(series["metric"])
        assert metric.pop("cluster") == "soak", metric
        found |= {(key_of(metric), at) for at in series["timestamps"]}
    return found


def key_of(metric: dict[str, str]) -> str:
    return json.dumps(metric, sort_keys=True)


def test_down_leaves_nothing(stack: ComposeStack) -> None:
    output = stack.compose("--profile", "demo", "--profile", "soak", "down", "--volumes")
    assert stack.docker.left_of(PROJECT) == {"containers": 0, "volumes": 0, "networks": 0}, output
