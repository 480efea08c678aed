"""The images of the compose files: what they are built from, run as and hold."""

import re

from tests.support.compose_command import ROOT
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


def test_what_the_image_copies_is_in_the_checkout_and_sent_to_the_build() -> None:
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert "*" in ignored
    copied = [
        line.split()[1:-1]
        for line in DOCKERFILE.splitlines()
        if line.startswith("COPY ") and "--from" not in line
    ]
    for name in (name for names in copied for name in names):
        assert (ROOT / name).exists(), f"{name}: not in the checkout"
        assert f"!{name}" in ignored, f"{name}: kept out by .dockerignore"
