"""The scripts that services of the compose files start with, run by the shell of this machine."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.support.compose_files import AGENT, SERVICES, sources


def test_the_password_is_random_made_once_and_readable_by_grafana_alone(tmp_path: Path) -> None:
    (script,) = SERVICES["grafana-password"]["command"]
    script = script.replace("$$", "$").replace("/run/soak", str(tmp_path))
    secret = tmp_path / "grafana-admin"

    def start() -> str:
        subprocess.run(["/bin/sh", "-ec", script], check=True)
        return secret.read_text(encoding="utf-8")

    # As an interrupted first start leaves it: read-only, and half of a password.
    left_over = tmp_path / "grafana-admin.new"
    left_over.write_text("half", encoding="utf-8")
    left_over.chmod(0o440)
    first = start()
    assert re.fullmatch(r"[\w-]{32}", first)
    assert secret.stat().st_mode & 0o777 == 0o440
    assert start() == first, "a restart changed the password"
    secret.unlink()
    assert start() != first


@pytest.mark.parametrize(
    ("demo", "before", "config", "hosts", "chosen"),
    [
        (False, False, "", "", ""),
        (True, False, "", "", " --config /etc/soak/demo.yaml"),
        (True, False, "/etc/soak/mine.yaml", "", " --config /etc/soak/mine.yaml"),
        (False, True, "", "", ""),
        (
            False,
            False,
            "",
            "192.0.2.7 bench.example",
            " --web.allowed-host 192.0.2.7 --web.allowed-host bench.example",
        ),
    ],
    ids=["plain", "demo", "own configuration", "plain after the demo", "names of the host"],
)
def test_the_exporter_starts_with_what_is_to_be_watched(
    tmp_path: Path, demo: bool, before: bool, config: str, hosts: str, chosen: str
) -> None:
    (script,) = SERVICES["exporter"]["command"]
    marker = tmp_path / "demo"
    script = script.replace("$$", "$").replace("/var/lib/soak/demo", str(marker))
    script = script.replace("/proc/1/root/.", str(tmp_path / "closed")).replace("timeout 10", "timeout 0.1")
    if before:
        marker.touch()
    for name, body in {
        "watch-host": 'echo "$*"',
        "getent": '[ "$DEMO" = True ] && [ "$*" = "hosts simulator" ]',
    }.items():
        fake = tmp_path / name
        fake.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
        fake.chmod(0o755)
    environment = {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "SOAK_CONFIG": config,
        "ALLOWED_HOSTS": hosts,
        "DEMO": str(demo),
    }
    command = [*SERVICES["exporter"]["entrypoint"], script]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    listen = "--web.listen-address 0.0.0.0:9877 --ingest.listen-address 0.0.0.0:9878"
    files = (
        "--web.allowed-host exporter --ingest.state-file /var/lib/soak/ingest.json --results.folder /results"
    )
    assert done.stdout.strip() == f"soak exporter {listen} {files}{chosen}"
    # Whom the simulator is waited for after a reboot.
    assert marker.exists() == (demo and not config)


def test_an_agent_takes_no_runs_and_asks_for_a_password_where_it_is_given_one(tmp_path: Path) -> None:
    agent = AGENT["services"]["agent"]
    (script,) = agent["command"]
    fake = tmp_path / "watch-host"
    fake.write_text('#!/bin/sh\nprintf "%s|" "$@"\n', encoding="utf-8")
    fake.chmod(0o755)

    def run(address: str) -> "subprocess.CompletedProcess[str]":
        command = [*agent["entrypoint"], script.replace("$$", "$").replace("/etc/soak/web.yml", str(web))]
        environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "BIND_ADDRESS": address}
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    def started(address: str = "127.0.0.1") -> list[str]:
        return run(address).stdout.split("|")[:-1]

    web = tmp_path / "web.yml"
    plain = ["soak", "exporter", "--config", "/etc/soak/agent.yaml", "--web.listen-address", "0.0.0.0:9877"]
    plain += ["--ingest.listen-address", ""]
    assert started() == started("localhost") == started("[::1]") == plain
    refused = run("10.0.0.7")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.startswith("BIND_ADDRESS=10.0.0.7: an agent without a web.yml")
    web.touch()
    assert started() == started("10.0.0.7") == [*plain, "--web.config.file", str(web)]
    assert sources(agent) == ["../scripts/agent"]
    assert agent["pid"] == "host"
