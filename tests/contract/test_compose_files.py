"""The compose files as wholes: Compose takes them, their settings, and what the further ones change."""

import os
import re
import subprocess
from collections.abc import Iterator

import pytest
import yaml

from tests.support.compose_command import ROOT, compose_command
from tests.support.compose_files import COMPOSE, DOCUMENT, EVERY_SERVICE, default_of


def test_the_root_file_only_includes_the_other() -> None:
    text = (ROOT / "compose.yaml").read_text(encoding="utf-8")
    assert len(text.splitlines()) == 4
    document = yaml.safe_load(text)
    include = [{"path": "compose/compose.yaml", "env_file": "compose/root.env"}]
    assert document == {"name": DOCUMENT["name"], "include": include}


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
    # compose/root.env has the one that is left out: nobody has to change it.
    used = {name: default for name, default in settings_used() if name != "SECCOMP_PROFILE"}
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
    document = yaml.safe_load(text)
    plain = yaml.safe_load((ROOT / "prometheus" / "prometheus.yml").read_text(encoding="utf-8"))
    assert document["global"].pop("external_labels") == {"cluster": "soak"}
    (store,) = document.pop("remote_write")
    assert document == plain
    assert store["queue_config"]["retry_on_http_429"] is True
    # Credentials of either kind come from the folder that is mounted; neither has to be there.
    assert re.findall(r"# .*_file: (\S+)}", text.partition("\nremote_write:\n")[2]) == [
        "secrets/remote-write-password",
        "secrets/remote-write-token",
    ]
