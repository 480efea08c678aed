"""Render what deploy/kubernetes holds copies of, or compare: PrometheusRules and the seccomp profile.

`python scripts/render_kubernetes.py render|check`. The rules are those of prometheus/rules, each group with
the interval that prometheus.yml evaluates it at. The profile is compose/seccomp.json in the words of the
runtime specification: Docker understands more than containerd, which does not say what it does not know.
"""

import argparse
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from exporter.cli.rendering import check_or_render
from exporter.settings.shipped import shipped

COMMAND = "python scripts/render_kubernetes.py"
LABELS = {"app.kubernetes.io/name": "llm-router-soak"}
RULE_KEYS = {"action", "args", "comment", "errnoRet", "includes", "names"}
"""what a rule of compose/seccomp.json may have; of `includes`, arches alone"""


def prometheus_rule(name: str, text: str, interval: str) -> str:
    """A file of rules as a PrometheusRule, with its comments; every group says its interval.

    ValueError where the text is not one mapping of `groups`, each beginning `  - name: `.
    """
    groups = re.findall(r"^  - name: .+$", text, re.MULTILINE)
    document = yaml.safe_load(text)
    if list(document) != ["groups"] or len(groups) != len(document["groups"]):
        raise ValueError(f"{name}: not a file of groups that begin with `  - name: `")
    with_interval = re.sub(
        r"^(  - name: .+\n)(?!(?:    #.*\n)*    interval: )",
        rf"\g<1>    interval: {interval}\n",
        text,
        flags=re.MULTILINE,
    )
    indented = "".join(f"  {line}" if line.strip() else line for line in with_interval.splitlines(True))
    head = yaml.safe_dump(
        {
            "apiVersion": "monitoring.coreos.com/v1",
            "kind": "PrometheusRule",
            "metadata": {"name": f"soak-{object_name(name)}", "labels": LABELS},
        },
        sort_keys=False,
    )
    return f"# rendered from prometheus/rules/{name}, by `{COMMAND} render`\n{head}spec:\n{indented}"


def object_name(file_name: str) -> str:
    """`gpu_xid.alerts.yml` as an object's name may be: `gpu-xid-alerts`."""
    return re.sub(r"[._]", "-", file_name.removesuffix(".yml"))


def rules_kustomization(names: Sequence[str]) -> str:
    """The kustomization of the rendered rules."""
    document = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": list(names),
    }
    return f"# rendered by `{COMMAND} render`\n{yaml.safe_dump(document, sort_keys=False)}"


def runtime_profile(docker: dict[str, Any]) -> dict[str, Any]:
    """A profile for Docker as one of the runtime specification, for the node's own architecture.

    What holds for some architectures alone holds for all: another one has no call of that name. ValueError
    for anything else that the specification has no word for.
    """
    syscalls = []
    for rule in docker["syscalls"]:
        if unknown := (rule.keys() - RULE_KEYS) | (rule.get("includes", {}).keys() - {"arches"}):
            name = rule["names"][0]
            raise ValueError(f"compose/seccomp.json: {name}: {sorted(unknown)} means nothing to containerd")
        syscalls.append({key: rule[key] for key in ("names", "action", "errnoRet", "args") if key in rule})
    return {
        "defaultAction": docker["defaultAction"],
        "defaultErrnoRet": docker["defaultErrnoRet"],
        "syscalls": syscalls,
    }


def texts(folder: Path) -> dict[Path, str]:
    """Every rendered file below deploy/kubernetes."""
    rules = sorted(shipped("prometheus/rules").glob("*.yml"))
    interval = yaml.safe_load(shipped("prometheus/prometheus.yml").read_text(encoding="utf-8"))["global"]
    docker = json.loads(shipped("compose/seccomp.json").read_text(encoding="utf-8"))
    found = {
        folder / "monitoring" / "rules" / f"{path.stem}.yaml": prometheus_rule(
            path.name, path.read_text(encoding="utf-8"), interval["evaluation_interval"]
        )
        for path in rules
    }
    found[folder / "monitoring" / "rules" / "kustomization.yaml"] = rules_kustomization(
        [f"{path.stem}.yaml" for path in rules]
    )
    found[folder / "seccomp" / "llm-router-soak.json"] = json.dumps(runtime_profile(docker), indent=2) + "\n"
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Render or check; the exit code."""
    parser = argparse.ArgumentParser(description="Render what deploy/kubernetes holds copies of.")
    parser.add_argument("verb", choices=("render", "check"))
    parser.add_argument("--folder", type=Path, help="where the rendered files are [deploy/kubernetes]")
    options = parser.parse_args(arguments)
    folder = options.folder or shipped("deploy/kubernetes")
    rendered = texts(folder)
    strangers = sorted(set((folder / "monitoring" / "rules").glob("*.y*ml")) - rendered.keys())
    return check_or_render(options.verb, rendered, COMMAND, strangers)


if __name__ == "__main__":
    sys.exit(main())
