"""The pods of deploy/kubernetes: what they may do, and that it is no more than compose's agent may."""

import json
from typing import Any

import pytest

from tests.support.compose_files import AGENT
from tests.support.kubernetes_files import (
    EXPORTER_IMAGE,
    KEPT,
    KUBERNETES,
    SOAK_IMAGE,
    Object,
    cluster,
    containers,
    named,
    of_kind,
    pods,
    written,
)

AS_WRITTEN = [each for folder in KEPT["stack"] for each in written(folder)]
WATCHES = set(AGENT["services"]["agent"]["cap_add"])
RESTRICTED_VOLUMES = {
    "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected",
    "secret",
}  # fmt: skip
WATCHERS = {
    "stack": {"DaemonSet/agent"},
    "gpu": {"DaemonSet/agent", "DaemonSet/agent-gpu"},
    "router-process": {"DaemonSet/agent", "Deployment/exporter"},
    "example": {"DaemonSet/agent", "Deployment/exporter"},
}
"""who sees the processes of others, by cluster; as in the stack where nothing else is said"""


def objects_of(name: str) -> list[Object]:
    return AS_WRITTEN if name == "written" else cluster(name)


every_cluster = pytest.mark.parametrize("name", ["written", *KEPT])


def breaches_of_restricted(spec: Object) -> list[str]:
    """What Pod Security's level `restricted` would refuse of a pod."""
    found = [key for key in ("hostPID", "hostIPC", "hostNetwork") if spec.get(key)]
    found += [
        f"volume {volume['name']}"
        for volume in spec.get("volumes", [])
        if not (volume.keys() - {"name"}) <= RESTRICTED_VOLUMES
    ]
    of_pod = spec.get("securityContext", {})
    for container in containers(spec):
        context: dict[str, Any] = {**of_pod, **container.get("securityContext", {})}
        capabilities = context.get("capabilities", {})
        if context.get("privileged"):
            found.append("privileged")
        if context.get("allowPrivilegeEscalation") is not False:
            found.append("allowPrivilegeEscalation")
        if capabilities.get("drop") != ["ALL"]:
            found.append("capabilities kept")
        if set(capabilities.get("add", [])) - {"NET_BIND_SERVICE"}:
            found.append("capabilities added")
        if context.get("runAsNonRoot") is not True or context.get("runAsUser") == 0:
            found.append("root")
        if context.get("seccompProfile", {}).get("type") not in ("RuntimeDefault", "Localhost"):
            found.append("seccomp")
        if context.get("appArmorProfile", {}).get("type", "RuntimeDefault") == "Unconfined":
            found.append("apparmor")
        if any("hostPort" in port for port in container.get("ports", [])):
            found.append("hostPort")
    return found


@every_cluster
def test_who_sees_processes_of_others_has_what_composes_agent_has_and_nobody_else_has_any(name: str) -> None:
    found = pods(objects_of(name))
    watchers = WATCHERS.get(name, WATCHERS["stack"])
    for pod, (_, spec) in found.items():
        added = {
            each["name"]: set(each["securityContext"]["capabilities"].get("add", []))
            for each in containers(spec)
            if each["securityContext"]["capabilities"].get("add")
        }
        if pod not in watchers:
            assert not added, pod
            assert not spec.get("hostPID"), pod
            continue
        (container,) = spec["containers"]
        context = container["securityContext"]
        assert added == {container["name"]: WATCHES}
        assert spec["hostPID"] is True
        # Root hands the two on and is gone; as anybody else it would have none.
        assert (context["runAsUser"], container["command"]) == (0, ["watch-host", "soak"])
        assert context["seccompProfile"] == {"type": "Localhost", "localhostProfile": "llm-router-soak.json"}
        assert context["appArmorProfile"] == {"type": "Unconfined"}
    assert watchers <= found.keys()
    assert (KUBERNETES / "seccomp" / "llm-router-soak.json").is_file()


@every_cluster
def test_every_other_pod_keeps_to_restricted_and_its_namespace_says_so(name: str) -> None:
    objects = objects_of(name)
    levels = {
        each["metadata"]["name"]: each["metadata"]["labels"]["pod-security.kubernetes.io/enforce"]
        for each in of_kind(objects, "Namespace")
    }
    needs = dict.fromkeys(levels, "restricted")
    for pod, (metadata, spec) in pods(objects).items():
        breaches = breaches_of_restricted(spec)
        if pod in WATCHERS.get(name, WATCHERS["stack"]):
            assert {"hostPID", "capabilities added", "root", "apparmor"} <= set(breaches)
            needs[metadata["namespace"]] = "privileged"
        else:
            assert breaches == [], pod
    # A namespace that allows more than its pods need is as wrong as one that refuses them.
    assert levels == needs


@every_cluster
def test_every_pod_is_hardened_and_asks_nothing_of_the_cluster(name: str) -> None:
    for pod, (metadata, spec) in pods(objects_of(name)).items():
        assert spec["automountServiceAccountToken"] is False, pod
        # Else a Service `router` in the namespace gives `soak` its ROUTER_PORT.
        assert spec["enableServiceLinks"] is False, pod
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, pod
        assert not spec.get("hostNetwork"), pod
        assert metadata["labels"]["app.kubernetes.io/name"] == "llm-router-soak", pod
        for container in containers(spec):
            context = container["securityContext"]
            assert context["allowPrivilegeEscalation"] is False, pod
            assert context["readOnlyRootFilesystem"] is True, pod
            assert context["capabilities"]["drop"] == ["ALL"], pod
            assert not context.get("privileged"), pod
            resources = container["resources"]
            assert {"cpu", "memory"} <= resources["requests"].keys(), pod
            # A load generator that is throttled measures itself; nothing else may take what it likes.
            assert resources["limits"].keys() == ({"memory"} if pod == "Job/soak" else {"cpu", "memory"}), pod
        for volume in spec["volumes"]:
            if "emptyDir" in volume:
                assert volume["emptyDir"]["sizeLimit"], pod


@every_cluster
def test_the_nodes_own_files_are_seen_by_who_brings_the_profile_and_by_nobody_else(name: str) -> None:
    paths = {
        (pod, volume["hostPath"]["path"])
        for pod, (_, spec) in pods(objects_of(name)).items()
        for volume in spec["volumes"]
        if "hostPath" in volume
    }
    assert paths == ({("DaemonSet/agent", "/var/lib/kubelet/seccomp")} if name == "seccomp-init" else set())


def test_who_brings_the_profile_has_no_capability_and_sees_no_process() -> None:
    _, spec = pods(cluster("seccomp-init"))["DaemonSet/agent"]
    (init,) = spec["initContainers"]
    assert init["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert "seccompProfile" not in init["securityContext"]  # the pod's: the runtime's own
    mounts = {mount["name"]: mount.get("readOnly", False) for mount in init["volumeMounts"]}
    assert mounts == {"seccomp": True, "seccomp-host": False}
    assert not {"seccomp-host"} & {mount["name"] for mount in spec["containers"][0]["volumeMounts"]}
    brought = named(cluster("seccomp-init"), "ConfigMap", "seccomp-profile")["data"]
    profile = KUBERNETES / "seccomp" / "llm-router-soak.json"
    assert {name: json.loads(text) for name, text in brought.items()} == {
        profile.name: json.loads(profile.read_text(encoding="utf-8"))
    }


def test_a_node_has_one_agent_with_gpus_or_without() -> None:
    found = pods(cluster("gpu"))
    _, plain = found["DaemonSet/agent"]
    _, gpu = found["DaemonSet/agent-gpu"]
    affinity = plain["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    (term,) = affinity["nodeSelectorTerms"]
    (key,) = gpu["nodeSelector"].keys() - plain["nodeSelector"].keys()
    assert term == {"matchExpressions": [{"key": key, "operator": "DoesNotExist"}]}
    assert gpu["nodeSelector"] == {key: "true", **plain["nodeSelector"]}
    assert "affinity" not in gpu
    assert (gpu["runtimeClassName"], "runtimeClassName" in plain) == ("nvidia", False)
    (with_gpus,) = gpu["containers"]
    # None is taken from anybody.
    assert not [name for name in with_gpus["resources"]["limits"] if "gpu" in name]
    assert {each["name"]: each["value"] for each in with_gpus["env"]} == {
        "NVIDIA_VISIBLE_DEVICES": "all",
        "NVIDIA_DRIVER_CAPABILITIES": "utility",
    }


@every_cluster
def test_the_image_is_a_parameter_and_never_the_latest(name: str) -> None:
    images = {
        pod: {each["image"] for each in containers(spec)} for pod, (_, spec) in pods(objects_of(name)).items()
    }
    for pod, found in images.items():
        base = EXPORTER_IMAGE if pod.startswith(("DaemonSet/", "Deployment/")) else SOAK_IMAGE
        if name == "example" and pod != "Pod/results":
            assert found == {f"registry.example/{base}:0.1.0"}, pod
        else:
            # What docs/kubernetes.md builds and loads.
            assert found == {f"{base}:local"}, pod
    for _, spec in pods(objects_of(name)).values():
        assert {each["imagePullPolicy"] for each in containers(spec)} == {"IfNotPresent"}


@every_cluster
def test_what_stays_is_probed_and_a_soak_is_not_tried_again(name: str) -> None:
    objects = objects_of(name)
    for pod, (_, spec) in pods(objects).items():
        probed = [
            each["name"] for each in spec["containers"] if {"readinessProbe", "livenessProbe"} <= each.keys()
        ]
        stays = pod.startswith(("DaemonSet/", "Deployment/"))
        assert probed == ([spec["containers"][0]["name"]] if stays else []), pod
        assert spec.get("restartPolicy", "Always") == ("Always" if stays else "Never"), pod
    job = named(objects, "Job", "soak")["spec"]
    assert job["backoffLimit"] == 0
    rules = job["podFailurePolicy"]["rules"]
    assert [rule["action"] for rule in rules] == ["FailJob"] * 4
    assert [rule["onExitCodes"]["values"] for rule in rules] == [[1], [2], [3], [70]]
    assert {rule["onExitCodes"]["containerName"] for rule in rules} == {"soak"}
