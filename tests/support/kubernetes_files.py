"""The objects of deploy/kubernetes: as they are written, and as `kubectl kustomize` renders them."""

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.checkout import CHECKOUT

KUBERNETES = CHECKOUT / "deploy" / "kubernetes"
COMPONENTS = sorted(path.name for path in (KUBERNETES / "components").iterdir())
OF_A_SOAK = {"router-key"}
"""components of the Job, not of what stays"""
EXPORTER_IMAGE, SOAK_IMAGE = "llm-router-soak-exporter", "llm-router-soak"

Object = dict[str, Any]
KEPT: dict[str, tuple[str, ...]] = {
    "stack": ("stack", "soak", "results"),
    **dict.fromkeys(COMPONENTS, ("stack", "soak", "results")),
    "example": ("example", "example/soak", "results"),
}
"""what is in one cluster together: the stack with no component, with each of them, and the example"""


@cache
def written(folder: str) -> list[Object]:
    """The objects of a kustomization as their files have them: without patches and components.

    Each has the namespace of its kustomization; what a generator makes is a ConfigMap without a hash.
    """
    return list(_written(KUBERNETES / folder))


def _written(folder: Path) -> Iterator[Object]:
    document = yaml.safe_load((folder / "kustomization.yaml").read_text(encoding="utf-8"))
    found: list[Object] = []
    for name in document.get("resources", []):
        path = folder / name
        if path.is_dir():
            found += _written(path.resolve())
        else:
            found += [each for each in yaml.safe_load_all(path.read_text(encoding="utf-8")) if each]
    options = document.get("generatorOptions", {})
    for generator in document.get("configMapGenerator", []):
        data = {file: (folder / file).read_text(encoding="utf-8") for file in generator.get("files", [])}
        data |= dict(literal.split("=", 1) for literal in generator.get("literals", []))
        metadata = {"name": generator["name"], "labels": options.get("labels", {})}
        found.append({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})
    for each in found:
        if "namespace" in document and each["kind"] != "Namespace":
            each["metadata"].setdefault("namespace", document["namespace"])
    yield from found


def rendered(folder: Path) -> list[Object]:
    """What kustomize makes of a kustomization; skips the test where there is none that can read it."""
    done = subprocess.run(
        [*kustomize(), str(folder)],
        capture_output=True,
        text=True,
        check=False,
        env={"HOME": "/", "PATH": "/bin"},
    )
    assert done.returncode == 0, done.stderr
    # A patch or a field that is going out is said on standard error.
    assert not done.stderr, done.stderr
    return [each for each in yaml.load_all(done.stdout, yaml.CSafeLoader) if each]


@cache
def kustomize() -> tuple[str, ...]:
    """The command that renders a folder."""
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("no kubectl on this machine (Debian: kubernetes-client)")
    version = subprocess.run(
        [kubectl, "version", "--client", "--output=json"], capture_output=True, text=True, check=False
    )
    found = re.match(r"v(\d+)", json.loads(version.stdout or "{}").get("kustomizeVersion", ""))
    if found is None or int(found[1]) < 5:
        pytest.skip("this kubectl has no kustomize 5 (Debian 12's has 2.0)")
    return (kubectl, "kustomize")


@cache
def cluster(name: str) -> list[Object]:
    """All objects of a cluster of `KEPT`, as kustomize renders them."""
    return [
        each
        for folder in KEPT[name]
        for each in _with_component(folder, name if name in COMPONENTS else None)
    ]


@cache
def _with_component(folder: str, component: str | None) -> list[Object]:
    if component is None or folder != ("soak" if component in OF_A_SOAK else "stack"):
        return rendered(KUBERNETES / folder)
    # kustomize takes relative paths alone.
    with tempfile.TemporaryDirectory() as overlay:
        up = os.path.relpath(KUBERNETES, Path(overlay).resolve())
        Path(overlay, "kustomization.yaml").write_text(
            f"resources: [{up}/{folder}]\ncomponents: [{up}/components/{component}]\n", encoding="utf-8"
        )
        return rendered(Path(overlay))


def of_kind(objects: list[Object], *kinds: str) -> list[Object]:
    """The objects of these kinds."""
    return [each for each in objects if each["kind"] in kinds]


def named(objects: list[Object], kind: str, name: str) -> Object:
    """The one object of that kind and name; a generated one's hash does not count."""
    (found,) = [
        each
        for each in of_kind(objects, kind)
        if re.fullmatch(rf"{re.escape(name)}(-[0-9a-z]{{10}})?", each["metadata"]["name"])
    ]
    return found


def pods(objects: list[Object]) -> dict[str, tuple[Object, Object]]:
    """Each pod and pod template by `kind/name`: its metadata, with the namespace, and its spec."""
    found = {}
    for each in of_kind(objects, "Pod", "DaemonSet", "Deployment", "Job"):
        template = each if each["kind"] == "Pod" else each["spec"]["template"]
        metadata = {**template["metadata"], "namespace": each["metadata"]["namespace"]}
        found[f"{each['kind']}/{each['metadata']['name']}"] = (metadata, template["spec"])
    return found


def containers(spec: Object) -> list[Object]:
    """Every container of a pod, those that come first too."""
    return [*spec.get("initContainers", []), *spec["containers"]]


def selects(selector: dict[str, str], labels: dict[str, str]) -> bool:
    """Whether a selector's matchLabels are among labels."""
    return selector.items() <= labels.items()
