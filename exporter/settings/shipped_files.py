"""Which files go with the package: setup.py puts them into a wheel, `soak files` lays them out.

This module needs the standard library alone: a build has nothing else.
"""

from collections.abc import Iterator
from pathlib import Path

SHIPPED: tuple[str, ...] = (
    # How to run the stack, and what is known to differ from one user to the next.
    ".env.example",
    "compose.yaml",
    "compose/*.yaml",
    "compose/exporter.Dockerfile",
    "compose/exporter/demo.yaml",
    "compose/requirements/*.txt",
    "compose/root.env",
    "compose/seccomp.json",
    "compose/targets/*.yml",
    "compose/watch-host.sh",
    "deploy/kubernetes/**/*.json",
    "deploy/kubernetes/**/*.yaml",
    "grafana/dashboards/*.json",
    "grafana/dashboards/kustomization.yaml",
    "grafana/provisioning/**/*.yml",
    "grafana/source/**/*.py",
    "prometheus/*.yml",
    "prometheus/runbook.md",
    "prometheus/receivers/.gitignore",
    "prometheus/receivers/README.md",
    "prometheus/rules/*.yml",
    # Of the secrets the examples alone; of the receivers nothing but the two files that are named.
    "prometheus/secrets/*.example",
    "prometheus/source/*.j2",
    "prometheus/source/*.py",
    "prometheus/targets/*.yml",
    "scripts/agent/*.service",
    "scripts/agent/*.yaml",
    "scripts/benchmarks/*.lua",
    "scripts/benchmarks/*.py",
    "scripts/benchmarks/*.sh",
    # Results are kept here; none is shipped.
    "benchmarks/results/.gitkeep",
    # What the image is built from, beside the package; .gitignore keeps a user's secrets out of a user's git.
    ".dockerignore",
    ".gitignore",
    "LICENSE",
    "README.md",
    "llm_router_soak.py",
    "pyproject.toml",
    "setup.py",
)
"""as `Path.glob` reads them, from the root of a checkout; each stands for one file at least"""


def shipped_files(root: Path) -> list[str]:
    """The shipped files under a root, by their names from there, sorted.

    Raises FileNotFoundError where a pattern stands for none: something is missing, or has another name now.
    """
    return sorted({name for pattern in SHIPPED for name in _matches(root, pattern)})


def _matches(root: Path, pattern: str) -> Iterator[str]:
    found = [path.relative_to(root) for path in root.glob(pattern) if path.is_file()]
    if not found:
        raise FileNotFoundError(f"{root / pattern}: no such file, and it is shipped")
    return map(Path.as_posix, found)
