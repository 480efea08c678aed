"""A Docker daemon: the one that answers on this machine, or one of the tests' own, all in one folder."""

import http.client
import json
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

import pytest

from tests.support.waiting import need, wait_for

SOCKET = Path("/var/run/docker.sock")


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("docker", timeout=60)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(60)
        self.sock.connect(str(self._path))


class Docker:
    """The daemon's HTTP API; Debian 13 has a daemon without a command line beside it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def ask(self, path: str, method: str = "GET", body: IO[bytes] | None = None) -> Any:
        """What it answers, from JSON; RuntimeError with its reason where it refuses, OSError without one."""
        connection = _Connection(self.path)
        try:
            connection.request(
                method, path, body=body, encode_chunked=body is not None, headers=_headers(body)
            )
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        if answer.status >= 400:
            raise RuntimeError(f"{method} {path}: {answer.status}: {text.strip()}")
        return json.loads(text) if answer.headers.get_content_type() == "application/json" and text else text

    def answers(self) -> bool:
        try:
            return bool(self.ask("/_ping") == "OK")
        except (OSError, RuntimeError):
            return False

    def import_image(self, tar: IO[bytes], name: str) -> None:
        """An image of one layer, out of a tar file of its root."""
        told = self.ask(f"/images/create?fromSrc=-&repo={quote(name)}&tag=latest", "POST", tar)
        assert "error" not in str(told), told

    def image_bytes(self, name: str) -> int:
        return int(self.ask(f"/images/{name}/json")["Size"])

    def left_of(self, project: str) -> dict[str, int]:
        """How many containers, volumes and networks of a Compose project there are."""
        chosen = quote(json.dumps({"label": [f"com.docker.compose.project={project}"]}))
        return {
            "containers": len(self.ask(f"/containers/json?all=1&filters={chosen}")),
            "volumes": len(self.ask(f"/volumes?filters={chosen}")["Volumes"] or []),
            "networks": len(self.ask(f"/networks?filters={chosen}")),
        }


def _headers(body: IO[bytes] | None) -> dict[str, str]:
    return {} if body is None else {"Content-Type": "application/x-tar", "Transfer-Encoding": "chunked"}


@contextmanager
def docker_daemon(folder: Path) -> Iterator[Docker]:
    """A daemon that answers; skips the test, with the reason, where there is none and none can be started."""
    found = Docker(SOCKET)
    if found.answers():
        yield found
        return
    if os.geteuid() != 0:
        pytest.skip("no Docker daemon answers here, and only root can start one")
    need("dockerd")
    own = Docker(folder / "docker.sock")
    command = ["dockerd", "--host", f"unix://{own.path}", "--pidfile", str(folder / "docker.pid")]
    command += ["--data-root", str(folder / "data"), "--exec-root", str(folder / "exec")]
    log_file = folder / "dockerd.log"
    with log_file.open("wb") as log:
        daemon = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        # It may be that no daemon can run here at all: in a container, or under a kernel without its modules.
        wait_for("dockerd's answer or end", lambda: own.answers() or daemon.poll() is not None, 60)
        if daemon.poll() is not None:
            last = log_file.read_text(errors="replace").strip().splitlines()[-1:]
            pytest.skip(f"dockerd does not run here: {' '.join(last)}")
        yield own
    finally:
        daemon.terminate()
        daemon.wait(60)
        # It leaves its network namespace mounted, and so the folder could not be removed.
        for line in Path("/proc/self/mounts").read_text().splitlines():
            mountpoint = line.split()[1]
            if mountpoint.startswith(f"{folder}/"):
                subprocess.run(["umount", mountpoint], check=True)


def base_image(docker: Docker, name: str, folder: Path) -> None:
    """Debian trixie with Python, venv and pip under `name`: the shape of the image that is built upon."""
    need("debootstrap")
    if os.geteuid() != 0:
        pytest.skip("only root can make a base image by debootstrap")
    root = folder / "root"
    packages = "--include=ca-certificates,python3-venv,python3-pip"
    made = subprocess.run(
        ["debootstrap", "--variant=minbase", packages, "trixie", str(root), _mirror()],
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode != 0:
        pytest.skip(f"debootstrap makes no Debian trixie here: {' '.join(made.stdout.splitlines()[-1:])}")
    _reach_packages_as_this_machine_does(root)
    tar = ["tar", "--create", "--directory", str(root), "--exclude=./var/cache/apt/archives/*.deb", "."]
    with subprocess.Popen(tar, stdout=subprocess.PIPE) as packing:
        assert packing.stdout is not None
        docker.import_image(packing.stdout, name)
    shutil.rmtree(root)


def _mirror() -> str:
    if shutil.which("apt-get") is None:
        pytest.skip("a base image is made from a Debian mirror, which only apt knows")
    sites = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(SITE)", "Created-By: Packages"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    debian = [site.rstrip("/") for site in sites if site.rstrip("/").endswith("/debian")]
    if not debian:
        pytest.skip("a base image is made from a Debian mirror, and apt has none here")
    return debian[0]


def _reach_packages_as_this_machine_does(root: Path) -> None:
    """Certificates and pip's index; paths of this machine mean nothing in there."""
    bundle = "etc/ssl/certs/ca-certificates.crt"
    if (Path("/") / bundle).is_file():
        shutil.copyfile(Path("/") / bundle, root / bundle)
    listed = subprocess.run(["pip", "config", "list"], capture_output=True, text=True, check=False).stdout
    settings = [f"cert = /{bundle}"]
    for line in listed.splitlines():
        key, _, value = line.partition("=")
        name, value = key.rpartition(".")[2], value.strip("'")
        if name in {"index-url", "trusted-host", "proxy"} and "file:" not in value:
            settings.append(f"{name} = {value}")
    (root / "etc/pip.conf").write_text("\n".join(["[global]", *settings, ""]), encoding="utf-8")
