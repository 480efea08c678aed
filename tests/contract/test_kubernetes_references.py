"""deploy/kubernetes: what is named is there, every option is one, and the API's schemas are kept."""

import copy
import json
import re
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import kubernetes_validate
import pytest
import yaml

from exporter.cli.exporter import exporter
from exporter.cli.judge import judge
from exporter.cli.run import run
from exporter.settings.exporter_config import load_config
from tests.support.kubernetes_files import (
    COMPONENTS,
    KEPT,
    KUBERNETES,
    Object,
    cluster,
    containers,
    named,
    of_kind,
    pods,
    rendered,
    selects,
    written,
)

AS_WRITTEN = [each for folder in KEPT["stack"] for each in written(folder)]
MADE_BY_THE_USER = {"router-key", "agents-web", "agents-password"}
"""Secrets: docs/kubernetes.md and the components say how"""
VERSIONS = ("1.30", "1.37")
"""the oldest that knows appArmorProfile, and the newest whose schemas are at hand"""
OPERATOR = "monitoring.coreos.com/v1"


def objects_of(name: str) -> list[Object]:
    return AS_WRITTEN if name == "written" else cluster(name)


every_cluster = pytest.mark.parametrize("name", ["written", *KEPT])


@every_cluster
def test_the_core_objects_satisfy_the_schemas_of_the_api(name: str) -> None:
    objects = [each for each in objects_of(name) if each["apiVersion"] != OPERATOR]
    assert {each["kind"] for each in objects} == {
        "ConfigMap", "DaemonSet", "Deployment", "Job", "Namespace", "NetworkPolicy", "PersistentVolumeClaim",
        "Pod", "Service",
    }  # fmt: skip
    for each in objects:
        for version in VERSIONS:
            _validate(json.dumps(each), version)


@cache
def _validate(text: str, version: str) -> None:
    assert kubernetes_validate.validate(json.loads(text), version, strict=True) == version


@every_cluster
def test_every_object_has_a_namespace_that_is_made_and_a_name_of_its_own(name: str) -> None:
    objects = objects_of(name)
    made = {each["metadata"]["name"] for each in of_kind(objects, "Namespace")}
    assert made == {"llm-router-soak", "llm-router-soak-agents"}
    names = [(each["kind"], each["metadata"].get("namespace"), each["metadata"]["name"]) for each in objects]
    assert len(names) == len(set(names))
    assert {each["metadata"]["namespace"] for each in objects if each["kind"] != "Namespace"} == made


@every_cluster
def test_volumes_lead_to_objects_that_are_there_or_that_the_user_makes(name: str) -> None:
    objects = objects_of(name)
    there = {(each["kind"], each["metadata"].get("namespace"), each["metadata"]["name"]) for each in objects}
    for pod, (metadata, spec) in pods(objects).items():
        namespace = metadata["namespace"]
        for volume in spec["volumes"]:
            if "configMap" in volume:
                assert ("ConfigMap", namespace, volume["configMap"]["name"]) in there, (pod, volume)
            elif "persistentVolumeClaim" in volume:
                claim = volume["persistentVolumeClaim"]["claimName"]
                assert ("PersistentVolumeClaim", namespace, claim) in there, (pod, volume)
            elif "secret" in volume:
                secret = volume["secret"]
                assert secret["secretName"] in MADE_BY_THE_USER
                # The owner, or the pod's group: nobody else on the node.
                assert secret["defaultMode"] in (0o400, 0o440)
                assert secret.get("optional", False) == (secret["secretName"] == "router-key")
            else:
                assert volume.keys() & {"emptyDir", "hostPath"}, (pod, volume)
        for container in containers(spec):
            for source in container.get("envFrom", []):
                assert ("ConfigMap", namespace, source["configMapRef"]["name"]) in there
            # A secret is a file: the environment is inherited, and shown by whoever describes the pod.
            assert not [each for each in container.get("env", []) if "valueFrom" in each]
        mounted = {
            mount["name"] for container in containers(spec) for mount in container.get("volumeMounts", [])
        }
        assert mounted == {volume["name"] for volume in spec["volumes"]}, pod


@every_cluster
def test_ports_are_named_where_they_are_and_those_of_the_contract(name: str) -> None:
    objects = objects_of(name)
    ports = {
        pod: {
            port["name"]: (port["containerPort"], port["protocol"])
            for container in spec["containers"]
            for port in container.get("ports", [])
        }
        for pod, (_, spec) in pods(objects).items()
    }
    metrics, ingest = ("metrics", (9877, "TCP")), ("ingest", (9878, "UDP"))
    agents = [pod for pod in ports if pod.startswith("DaemonSet/")]
    assert ports == {
        **{pod: dict([metrics]) for pod in agents},
        "Deployment/exporter": dict([metrics, ingest]),
        "Job/soak": {},
        "Pod/results": {},
    }
    for pod, (_, spec) in pods(objects).items():
        for container in spec["containers"]:
            for probe in (container[key] for key in container if key.endswith("Probe")):
                (asked,) = [probe[key] for key in ("httpGet", "tcpSocket") if key in probe]
                assert asked["port"] in ports[pod]
    service = named(objects, "Service", "exporter")["spec"]
    assert {(each["targetPort"], (each["port"], each["protocol"])) for each in service["ports"]} == set(
        ports["Deployment/exporter"].items()
    )


@every_cluster
def test_selectors_find_the_pods_that_they_are_for(name: str) -> None:
    objects = objects_of(name)
    labels = {
        pod: (metadata["namespace"], metadata["labels"]) for pod, (metadata, _) in pods(objects).items()
    }

    def found(namespace: str, selector: dict[str, str]) -> set[str]:
        return {pod for pod, (of, has) in labels.items() if of == namespace and selects(selector, has)}

    agents = {pod for pod in labels if pod.startswith("DaemonSet/")}
    for each in of_kind(objects, "DaemonSet", "Deployment"):
        # Its own pods and no other's.
        own = f"{each['kind']}/{each['metadata']['name']}"
        assert found(each["metadata"]["namespace"], each["spec"]["selector"]["matchLabels"]) == {own}
    assert found("llm-router-soak", named(objects, "Service", "exporter")["spec"]["selector"]) == {
        "Deployment/exporter"
    }
    for monitor, of in {"exporter": {"Deployment/exporter"}, "agents": agents}.items():
        each = named(objects, "PodMonitor", monitor)
        assert found(each["metadata"]["namespace"], each["spec"]["selector"]["matchLabels"]) == of
        assert [endpoint["port"] for endpoint in each["spec"]["podMetricsEndpoints"]] == ["metrics"]


@every_cluster
def test_prometheus_and_soaks_reach_what_they_ask_and_nobody_else_does(name: str) -> None:
    objects = objects_of(name)
    policies = of_kind(objects, "NetworkPolicy")
    assert all(policy["spec"]["policyTypes"] == ["Ingress"] for policy in policies)
    # Every pod of both namespaces is under a policy.
    whole = {each["metadata"]["namespace"] for each in policies if each["spec"]["podSelector"] == {}}
    assert whole == {each["metadata"]["name"] for each in of_kind(objects, "Namespace")}
    reached = set()
    for policy in policies:
        of = policy["spec"]["podSelector"].get("matchLabels", {}).get("app.kubernetes.io/component", "all")
        for rule in policy["spec"].get("ingress", []):
            (peer,) = rule["from"]
            (kind,) = peer
            who = peer[kind]["matchLabels"]
            reached |= {
                (
                    policy["metadata"]["namespace"],
                    of,
                    tuple(sorted(who.values())),
                    port["protocol"],
                    port["port"],
                )
                for port in rule["ports"]
            }
    prometheus = ("observability" if name == "example" else "monitoring",)
    soak = ("llm-router-soak", "soak")
    assert reached == {
        ("llm-router-soak-agents", "all", prometheus, "TCP", "metrics"),
        ("llm-router-soak", "exporter", prometheus, "TCP", "metrics"),
        ("llm-router-soak", "exporter", tuple(sorted(soak)), "TCP", "metrics"),
        ("llm-router-soak", "exporter", tuple(sorted(soak)), "UDP", "ingest"),
    }
    _, spec = pods(objects)["Job/soak"]
    assert selects(
        {"app.kubernetes.io/name": soak[0], "app.kubernetes.io/component": soak[1]},
        named(objects, "Job", "soak")["spec"]["template"]["metadata"]["labels"],
    )
    assert (
        urlsplit(option(spec, "--prometheus", objects)).hostname == f"prometheus-operated.{prometheus[0]}.svc"
    )


def option(spec: Object, name: str, objects: list[Object]) -> str:
    """The value of an option in a container's arguments, with the environment's variables in their place."""
    (container,) = spec["containers"]
    environment: dict[str, str] = {}
    for source in container.get("envFrom", []):
        environment |= named(objects, "ConfigMap", source["configMapRef"]["name"].split("-")[0])["data"]
    (value,) = [arg.partition("=")[2] for arg in container["args"] if arg.startswith(f"{name}=")]
    return re.sub(r"\$\((\w+)\)", lambda found: environment[found[1]], value)


@every_cluster
def test_every_argument_is_an_option_of_the_command(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    objects = objects_of(name)
    for pod, (_, spec) in pods(objects).items():
        (container,) = spec["containers"]
        if pod == "Pod/results":
            continue
        command, *args = container["args"]
        given = [f"{arg.partition('=')[0]}={option(spec, arg.partition('=')[0], objects)}" for arg in args]
        if command == "exporter":
            exporter.make_context("soak exporter", given)
        else:
            assert command == "run"
            for variable, value in named(objects, "ConfigMap", "soak")["data"].items():
                monkeypatch.setenv(variable, value)
            context = run.make_context("soak run", given)
            assert context.params["target"] == named(objects, "ConfigMap", "soak")["data"]["WRK_TARGET"]


def test_the_job_that_judges_is_the_soaks_but_for_its_arguments() -> None:
    soak, judging = rendered(KUBERNETES / "soak"), rendered(KUBERNETES / "judge")
    assert of_kind(judging, "ConfigMap") == of_kind(soak, "ConfigMap")
    job, of_soak = copy.deepcopy(named(judging, "Job", "judge")), copy.deepcopy(named(soak, "Job", "soak"))
    (container,) = job["spec"]["template"]["spec"]["containers"]
    command, *args = container["args"]
    given = [
        f"{name}={option(job['spec']['template']['spec'], name, judging)}"
        for name in (arg.partition("=")[0] for arg in args)
    ]
    context = judge.make_context("soak judge", given)
    settings = named(judging, "ConfigMap", "soak")["data"]
    assert (command, context.params["job"]) == ("judge", "exporter")
    assert (context.params["url"], context.params["run"]) == (
        settings["SOAK_PROMETHEUS"],
        settings["SOAK_LABEL"],
    )
    container["args"] = of_soak["spec"]["template"]["spec"]["containers"][0]["args"]
    job["metadata"]["name"] = "soak"
    assert job == of_soak


@every_cluster
def test_a_soak_asks_the_router_that_the_exporter_watches_through_its_service(
    name: str, tmp_path: Path
) -> None:
    objects = objects_of(name)
    watched = tmp_path / "exporter.yaml"
    watched.write_text(named(objects, "ConfigMap", "exporter")["data"]["exporter.yaml"], encoding="utf-8")
    config = load_config(watched)
    assert config.router is not None
    assert config.router.url == named(objects, "ConfigMap", "soak")["data"]["WRK_TARGET"]
    # The node and its GPUs would be seen twice.
    assert (config.host, str(config.gpu)) == (False, "off")
    _, spec = pods(objects)["Job/soak"]
    asked = urlsplit(option(spec, "--exporter", objects))
    service = named(objects, "Service", "exporter")
    assert asked.hostname == service["metadata"]["name"]
    assert asked.port in {port["port"] for port in service["spec"]["ports"]}
    _, of_exporter = pods(objects)["Deployment/exporter"]
    assert option(of_exporter, "--web.allowed-host", objects) == asked.hostname
    assert bool(config.processes) == (name == "example")


@every_cluster
def test_agents_watch_processes_by_name_and_no_router(name: str, tmp_path: Path) -> None:
    watched = tmp_path / "agent.yaml"
    watched.write_text(named(objects_of(name), "ConfigMap", "agent")["data"]["agent.yaml"], encoding="utf-8")
    config = load_config(watched)
    assert config.router is None
    # One that finds no router on its node would call it down; what is named has to be on every node.
    assert {process.role.value for process in config.processes} == ({"node"} if name == "example" else set())
    for each in of_kind(objects_of(name), "DaemonSet"):
        selector = dict(each["spec"]["template"]["spec"]["nodeSelector"])
        assert selector.pop("kubernetes.io/os") == "linux"
        assert bool(config.processes) == bool(selector) or each["metadata"]["name"] == "agent-gpu"
    # A port of a pod is none of the node's.
    assert not [process for process in config.processes if process.match.port is not None]
    assert (config.host, str(config.host_root)) == (True, "/proc/1/root")


def test_components_are_named_in_the_example_and_on_the_page() -> None:
    example = "".join(
        (KUBERNETES / name / "kustomization.yaml").read_text(encoding="utf-8")
        for name in ("example", "example/soak")
    )
    page = (KUBERNETES.parents[1] / "docs" / "kubernetes.md").read_text(encoding="utf-8")
    for component in COMPONENTS:
        assert f"components/{component}" in example
    table = page.partition("\n| component |")[2].partition("\n\n")[0]
    assert set(re.findall(r"^\| `([\w-]+)` \|", table, re.MULTILINE)) == set(COMPONENTS)


def test_no_kustomization_reads_a_file_outside_of_its_folder() -> None:
    # kustomize refuses it unless told otherwise, and `kubectl apply -k` cannot be told.
    folders = [
        *KUBERNETES.rglob("kustomization.yaml"),
        KUBERNETES.parents[1] / "grafana/dashboards/kustomization.yaml",
    ]
    assert len(folders) > 15
    for file in folders:
        document = yaml.safe_load(file.read_text(encoding="utf-8"))
        for name in document.get("resources", []):
            path = file.parent / name
            assert path.is_dir() or (
                path.is_file() and path.resolve().is_relative_to(file.parent.resolve())
            ), path
        for generator in document.get("configMapGenerator", []):
            for name in generator.get("files", []):
                assert (file.parent / name).resolve().parent == file.parent.resolve()
