"""The images of the compose files: what they are built from, run as and hold."""

import json
import os
import re
import subprocess
from typing import Any

import pytest

from tests.support.compose_command import ROOT, compose_command
from tests.support.compose_files import COMPOSE

DOCKERFILE = (COMPOSE / "exporter.Dockerfile").read_text(encoding="utf-8")


def test_the_images_are_pinned_not_root_and_say_what_they_are() -> None:
    bases = re.findall(r"^FROM (\S+) AS (\S+)", DOCKERFILE, re.MULTILINE)
    stages = {name: base for base, name in bases}
    assert stages["exporter"] == stages["soak"] == "base"
    assert {base for base in stages.values() if base not in stages} == {"${BASE_IMAGE}"}
    assert re.search(r"^ARG BASE_IMAGE=python:3\.13-slim-trixie$", DOCKERFILE, re.MULTILINE)
    assert "latest" not in DOCKERFILE
    # What is shipped comes out of stages that are not: no cache, no pip.
    assert not re.search(r"pip .*install", DOCKERFILE[DOCKERFILE.index(" AS base\n") :])
    for stage in DOCKERFILE.split("\nFROM ")[3:]:
        assert re.findall(r"^USER (\S+)", stage, re.MULTILINE)[-1:] in ([], ["65532:65532"])
    assert re.search(r"install .*\bhey wrk\b", DOCKERFILE)
    assert "org.opencontainers.image.licenses" in DOCKERFILE
    assert re.search(r'^ENTRYPOINT \["soak"\]$', DOCKERFILE, re.MULTILINE)


def test_what_pip_installs_is_pinned_by_hash_or_built_here() -> None:
    installs = re.findall(r"-m pip \S+ \S+ (install|wheel) (.+?)(?: \\)?$", DOCKERFILE, re.MULTILINE)
    assert len(installs) == 5
    of_lock = [text.partition(" -r ") for _, text in installs if text.startswith("--require-hashes -r ")]
    assert [file for _, _, file in of_lock] == [
        f"compose/requirements/{name}" for name in ("exporter.txt", "build.txt", "report.txt")
    ]
    for _, text in installs:
        assert text.startswith("--require-hashes -r ") or {"--no-deps", "--no-index"} < set(text.split())
    # What is built would be built with whatever its own build asks for.
    assert "PIP_ONLY_BINARY=:all:" in DOCKERFILE


def test_every_image_can_be_named_by_its_digest() -> None:
    digest = f"@sha256:{'ab' * 32}"
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    images = dict(re.findall(r"^#(\w+_IMAGE)=(.+)$", example, re.MULTILINE))
    assert len(images) == 4
    documented = (ROOT / "docs" / "containers.md").read_text(encoding="utf-8")
    assert dict(re.findall(r"\b(\w+_IMAGE)=([\w/:.-]+)", documented)) == images
    given = {name: image + digest for name, image in images.items()}
    for options in ([], ["-f", "compose/compose.agent.yaml"]):
        plain, pinned = composed({}, *options), composed(given, *options)
        for name, service in plain["services"].items():
            expected, found = service, pinned["services"][name]
            if "build" in service:
                assert service["build"]["args"].pop("BASE_IMAGE") == images["BASE_IMAGE"]
                assert found["build"]["args"].pop("BASE_IMAGE") == given["BASE_IMAGE"]
            else:
                assert expected.pop("image") in images.values()
                assert found.pop("image") == given[f"{name.upper()}_IMAGE"]
            assert found == expected


def composed(environment: dict[str, str], *options: str) -> dict[str, Any]:
    """What Compose makes of the files, all profiles."""
    command = compose_command()
    if command is None:
        pytest.skip("no Compose v2 on this machine (`docker compose version` or `docker-compose version`)")
    done = subprocess.run(
        [*command, *options, "--profile", "*", "config", "--format", "json"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "HOME": "/", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def test_what_the_image_copies_is_in_the_checkout_and_sent_to_the_build() -> None:
    copied = [
        line.split()[1:-1]
        for line in DOCKERFILE.splitlines()
        if line.startswith("COPY ") and "--from" not in line
    ]
    # All that is sent, which is what is shipped (test_shipped_files.py); and of it what is needed earlier.
    assert copied == [["compose/requirements"], ["."], ["compose/watch-host.sh"]]
    for name in (name for names in copied for name in names):
        assert (ROOT / name).exists(), f"{name}: not in the checkout"
