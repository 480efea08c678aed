"""The compose files: what they promise about images, ports, health and hardening; nothing is started."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from exporter.config import load_config
from tests.compose_command import ROOT, compose_command

COMPOSE = ROOT / "compose"
DOCUMENT: dict[str, Any] = yaml.safe_load((COMPOSE / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = DOCUMENT["services"]
# A node's agent has a file of its own, and the same promises.
AGENT: dict[str, Any] = yaml.safe_load((COMPOSE / "compose.agent.yaml").read_text(encoding="utf-8"))
EVERY_SERVICE: dict[str, dict[str, Any]] = {**SERVICES, **AGENT["services"]}
DOCKERFILE = (COMPOSE / "exporter.Dockerfile").read_text(encoding="utf-8")

every_service = pytest.mark.parametrize("service", EVERY_SERVICE.values(), ids=EVERY_SERVICE)

# What a service is let off, each with its reason beside it in the file; nothing else may be.
BECOME_ANOTHER = {"SETGID", "SETPCAP", "SETUID"}
CAPABILITIES_ADDED = {
    **dict.fromkeys(("exporter", "agent"), BECOME_ANOTHER | {"DAC_READ_SEARCH", "SYS_PTRACE"}),
    **dict.fromkeys(("soak", "demo-soak"), BECOME_ANOTHER),
}
ROOT_ALLOWED = {*CAPABILITIES_ADDED, "grafana-password"}
PUBLISHED = {
    "exporter": {"9877", "9878/udp"},
    "agent": {"9877"},
    "prometheus": {"9090"},
    "alertmanager": {"9093"},
    "grafana": {"3000"},
}


def runs_once(service: dict[str, Any]) -> bool:
    """Whether the service ends by itself, so that it has no health to check."""
    return bool(service["restart"] == "no")


def sources(service: dict[str, Any]) -> list[str]:
    """The left sides of its mounts: paths of the checkout, or names of volumes; of a setting its default."""
    return [default_of(volume).split(":")[0] for volume in service.get("volumes", [])]


def default_of(text: str) -> str:
    """What Compose makes of `${NAME:-default}` where nothing is set."""
    return re.sub(r"\$\{[A-Z_]+:-([^}]*)\}", r"\1", text)


def test_the_root_file_only_includes_the_other() -> None:
    text = (ROOT / "compose.yaml").read_text(encoding="utf-8")
    assert len(text.splitlines()) == 3
    document = yaml.safe_load(text)
    assert document == {"name": DOCUMENT["name"], "include": ["compose/compose.yaml"]}


def test_the_stack_is_exporter_prometheus_alertmanager_and_grafana() -> None:
    always = {name for name, service in SERVICES.items() if "profiles" not in service}
    assert always == {"exporter", "prometheus", "alertmanager", "grafana", "grafana-password"}
    demo = {name for name, service in SERVICES.items() if service.get("profiles") == ["demo"]}
    assert demo == {"simulator", "demo-soak"}
    # With a profile of its own it is started by `docker compose run` alone.
    assert SERVICES["soak"]["profiles"] == ["soak"]


@every_service
def test_images_are_pinned_or_built_here(service: dict[str, Any]) -> None:
    image = service["image"]
    if "build" in service:
        assert service["pull_policy"] == "build"
        assert (COMPOSE / service["build"]["context"]).resolve() == ROOT
        assert (ROOT / service["build"]["dockerfile"]).is_file()
        targets = {"llm-router-soak-exporter:local": "exporter", "llm-router-soak:local": "soak"}
        assert service["build"]["target"] == targets[image]
    else:
        assert re.fullmatch(r"[\w./-]+:v?\d+\.\d+\.\d+", image), image
    assert "latest" not in image


@every_service
def test_a_service_that_stays_has_a_healthcheck(service: dict[str, Any]) -> None:
    if runs_once(service):
        # One that is disabled is waited for in vain by `up --wait`.
        assert "healthcheck" not in service
    else:
        check = service["healthcheck"]
        assert check["test"][0] == "CMD"
        assert {"interval", "timeout", "retries", "start_period"} <= set(check)


@every_service
def test_every_service_is_hardened(service: dict[str, Any]) -> None:
    name = next(name for name, other in EVERY_SERVICE.items() if other is service)
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert service["read_only"] is True
    assert not service.get("privileged")
    assert set(service.get("cap_add", [])) == CAPABILITIES_ADDED.get(name, set())
    user = default_of(str(service.get("user", "image's own")))
    assert not user.startswith(("0:", "root")) or name in ROOT_ALLOWED
    assert service.get("network_mode") in (None, "none")


@every_service
def test_every_service_has_limits(service: dict[str, Any]) -> None:
    limits = service["deploy"]["resources"]["limits"]
    # More than one CPU would be refused on a machine that has only one.
    assert 0 < float(default_of(limits["cpus"])) <= 1
    assert re.fullmatch(r"\d+[MG]", limits["memory"])
    assert limits["pids"] > 0
    assert service["logging"]["options"]["max-size"]


@every_service
def test_ports_are_those_of_the_contract_and_on_loopback_unless_told_otherwise(
    service: dict[str, Any],
) -> None:
    name = next(name for name, other in EVERY_SERVICE.items() if other is service)
    published = set()
    for port in service.get("ports", []):
        found = re.fullmatch(r"\$\{BIND_ADDRESS:-127\.0\.0\.1\}:\$\{[A-Z]+_PORT:-(\d+)\}:(\d+)(/udp)?", port)
        assert found, port
        assert found[1] == found[2], port
        published.add(found[2] + (found[3] or ""))
    assert published == PUBLISHED.get(name, set())


@every_service
def test_mounts_are_read_only_files_of_the_checkout_results_or_declared_volumes(
    service: dict[str, Any],
) -> None:
    for volume, source in zip(service.get("volumes", []), sources(service), strict=True):
        if source.startswith("."):
            assert (COMPOSE / source).exists(), f"{source}: not in the checkout"
            assert (COMPOSE / source).resolve().is_relative_to(ROOT), source
            writes_results = source == "../benchmarks/results" and runs_once(service)
            assert volume.endswith(":ro") != writes_results, volume
        else:
            assert source in DOCUMENT["volumes"], source


def test_every_declared_volume_is_used() -> None:
    used = {source for service in SERVICES.values() for source in sources(service)}
    assert set(DOCUMENT["volumes"]) == {source for source in used if not source.startswith(".")}


@every_service
def test_a_service_waits_for_services_that_exist_until_they_are_healthy(service: dict[str, Any]) -> None:
    for other, wait in service.get("depends_on", {}).items():
        once = runs_once(SERVICES[other])
        assert wait["condition"] == ("service_completed_successfully" if once else "service_healthy")
        if "profiles" in SERVICES[other] and "profiles" not in service:
            assert wait["required"] is False, f"{other} is there with its profile only"


def test_targets_in_compose_are_services_and_ports_of_the_stack() -> None:
    native = sorted(path.name for path in (ROOT / "prometheus" / "targets").glob("*.yml"))
    assert sorted(path.name for path in (COMPOSE / "targets").glob("*.yml")) == native
    for path in sorted((COMPOSE / "targets").glob("*.yml")):
        for group in yaml.safe_load(path.read_text(encoding="utf-8")):
            for target in group["targets"]:
                if path.stem == "router":
                    continue
                host, port = target.split(":")
                assert port in PUBLISHED[host], f"{path.name}: {target}"


def test_the_router_of_this_host_and_the_simulated_one_can_be_reached_for_their_own_metrics() -> None:
    (group,) = yaml.safe_load((COMPOSE / "targets" / "router.yml").read_text(encoding="utf-8"))
    assert group == {"targets": ["host.docker.internal:8080", "simulator:8080"]}
    assert SERVICES["prometheus"]["extra_hosts"] == ["host.docker.internal:host-gateway"]
    assert SERVICES["simulator"]["command"][-2:] == ["--port", "8080"]


def test_prometheus_finds_every_secret_that_its_configuration_names() -> None:
    mounts = dict(zip(sources(SERVICES["prometheus"]), SERVICES["prometheus"]["volumes"], strict=True))
    assert mounts["../prometheus/secrets"].endswith(":/etc/prometheus/secrets:ro")
    assert mounts["../prometheus/prometheus.yml"].endswith(":/etc/prometheus/prometheus.yml:ro")


def test_prometheus_is_told_how_long_and_how_much_to_keep() -> None:
    flags = " ".join(SERVICES["prometheus"]["command"])
    assert "--storage.tsdb.retention.time=" in flags
    assert "--storage.tsdb.retention.size=" in flags


def test_grafana_has_no_default_password_and_finds_what_is_provisioned() -> None:
    environment = SERVICES["grafana"]["environment"]
    assert "GF_SECURITY_ADMIN_PASSWORD" not in environment
    secret = Path(environment["GF_SECURITY_ADMIN_PASSWORD__FILE"])
    mounts = dict(volume.split(":")[:2] for volume in SERVICES["grafana"]["volumes"])
    assert mounts["grafana-secret"] == str(secret.parent)
    assert environment["PROMETHEUS_URL"] == "http://prometheus:9090"
    assert environment["GRAFANA_DASHBOARDS_PATH"] == mounts["../grafana/dashboards"]
    home = Path(environment["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert (ROOT / "grafana" / "dashboards" / home.name).is_file()
    assert str(home.parent) == mounts["../grafana/dashboards"]


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
    ("demo", "before", "config", "chosen"),
    [
        (False, False, "", ""),
        (True, False, "", " --config /etc/soak/demo.yaml"),
        (True, False, "/etc/soak/mine.yaml", " --config /etc/soak/mine.yaml"),
        (False, True, "", ""),
    ],
    ids=["plain", "demo", "own configuration", "plain after the demo"],
)
def test_the_exporter_starts_with_what_is_to_be_watched(
    tmp_path: Path, demo: bool, before: bool, config: str, chosen: str
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
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "SOAK_CONFIG": config, "DEMO": str(demo)}
    command = [*SERVICES["exporter"]["entrypoint"], script]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    listen = "--web.listen-address 0.0.0.0:9877 --ingest.listen-address 0.0.0.0:9878"
    files = "--ingest.state-file /var/lib/soak/ingest.json --results.folder /results"
    assert done.stdout.strip() == f"soak exporter {listen} {files}{chosen}"
    # Whom the simulator is waited for after a reboot.
    assert marker.exists() == (demo and not config)


def test_an_agent_takes_no_runs_and_asks_for_a_password_where_it_is_given_one(tmp_path: Path) -> None:
    agent = AGENT["services"]["agent"]
    (script,) = agent["command"]
    fake = tmp_path / "watch-host"
    fake.write_text('#!/bin/sh\nprintf "%s|" "$@"\n', encoding="utf-8")
    fake.chmod(0o755)

    def started() -> list[str]:
        command = [*agent["entrypoint"], script.replace("$$", "$").replace("/etc/soak/web.yml", str(web))]
        environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        return done.stdout.split("|")[:-1]

    web = tmp_path / "web.yml"
    plain = ["soak", "exporter", "--config", "/etc/soak/agent.yaml", "--web.listen-address", "0.0.0.0:9877"]
    plain += ["--ingest.listen-address", ""]
    assert started() == plain
    web.touch()
    assert started() == [*plain, "--web.config.file", str(web)]
    assert sources(agent) == ["../scripts/agent"]
    assert agent["pid"] == "host"


def test_the_demo_configuration_is_one_that_the_exporter_takes() -> None:
    config = load_config(COMPOSE / "exporter" / "demo.yaml")
    assert config.router is not None and config.router.url == "http://simulator:8080"
    (router,) = config.processes
    assert router.match.command_line is not None
    simulator = " ".join(["/opt/soak/bin/python3", "/opt/soak/bin/soak", *SERVICES["simulator"]["command"]])
    assert re.search(router.match.command_line, simulator)


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


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--profile", "demo"],
        ["--profile", "soak"],
        ["-f", "compose/compose.yaml", "-f", "compose/compose.gpu.yaml"],
        ["-f", "compose/compose.yaml", "-f", "compose/compose.remote-write.yaml"],
        ["-f", "compose/compose.agent.yaml"],
    ],
    ids=["plain", "demo", "soak", "gpu", "remote write", "agent"],
)
def test_compose_itself_takes_the_files(options: list[str]) -> None:
    command = compose_command()
    if command is None:
        pytest.skip("no Compose v2 on this machine (`docker compose version` or `docker-compose version`)")
    # Only what the command needs: settings of this machine's environment are not under test.
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")}
    done = subprocess.run(
        [*command, *options, "config", "-q"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def settings_used() -> Iterator[tuple[str, str]]:
    for path in sorted(COMPOSE.glob("*.yaml")):
        yield from re.findall(r"\$\{([A-Z_]+):-([^}]*)\}", path.read_text(encoding="utf-8"))


def test_the_example_settings_are_all_there_are_and_say_the_defaults() -> None:
    text = (ROOT / ".env.example").read_text(encoding="utf-8")
    example = dict(re.findall(r"^#([A-Z_]+)=(.*)$", text, re.MULTILINE))
    # Without one the example's is an empty one, which means the same.
    folders = {"SECRETS_FOLDER", "RECEIVERS_FOLDER", "RESULTS_FOLDER", "REMOTE_WRITE_CONFIG", "AGENT_FOLDER"}
    used = dict(settings_used())
    assert set(example) == {*used, "COMPOSE_FILE"} - {"AGENT_FOLDER"}
    assert {name: value for name, value in example.items() if name in used and name not in folders} == {
        name: default for name, default in used.items() if name not in folders
    }
    for file in example["COMPOSE_FILE"].split(":"):
        assert (ROOT / file).is_file()


def test_gpus_are_reserved_in_a_file_of_their_own_alone() -> None:
    gpu = yaml.safe_load((COMPOSE / "compose.gpu.yaml").read_text(encoding="utf-8"))
    (device,) = gpu["services"]["exporter"]["deploy"]["resources"]["reservations"]["devices"]
    assert device == {"driver": "nvidia", "count": "all", "capabilities": ["gpu", "utility"]}
    assert not any("reservations" in service["deploy"]["resources"] for service in EVERY_SERVICE.values())


def test_the_configuration_with_remote_write_is_the_other_one_and_two_blocks_more() -> None:
    override = yaml.safe_load((COMPOSE / "compose.remote-write.yaml").read_text(encoding="utf-8"))
    (mount,) = override["services"]["prometheus"]["volumes"]
    source, target = default_of(mount).split(":")[:2]
    assert target == "/etc/prometheus/prometheus.yml"
    text = (COMPOSE / source).read_text(encoding="utf-8")
    blocks = re.findall(r"\n *# >>> remote write\n.*?# <<<\n", text, re.DOTALL)
    assert len(blocks) == 2
    rest = text.partition("\n\n")[2]
    for block in blocks:
        rest = rest.replace(block, "", 1)
    assert rest == (ROOT / "prometheus" / "prometheus.yml").read_text(encoding="utf-8")

    document = yaml.safe_load(text)
    plain = yaml.safe_load(rest)
    assert document["global"].pop("external_labels") == {"cluster": "soak"}
    (store,) = document.pop("remote_write")
    assert document == plain
    assert store["queue_config"]["retry_on_http_429"] is True
    # Credentials of either kind come from the folder that is mounted; neither has to be there.
    assert re.findall(r"# .*_file: (\S+)}", blocks[1]) == [
        "secrets/remote-write-password",
        "secrets/remote-write-token",
    ]
