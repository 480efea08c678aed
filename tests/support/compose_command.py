"""Which Compose v2 this machine has."""

import re
import shutil
import subprocess

from tests.support.checkout import CHECKOUT

ROOT = CHECKOUT


def compose_command() -> list[str] | None:
    """The Compose v2 of this machine, if any: the plugin, or the same program under its old name."""
    # The last is where scripts/fetch_compose.sh unpacks it.
    unpacked = ROOT / ".venv/compose/usr/libexec/docker/cli-plugins/docker-compose"
    for command in (["docker", "compose"], ["docker-compose"], [str(unpacked)]):
        if shutil.which(command[0]) is None:
            continue
        version = subprocess.run(
            [*command, "version", "--short"], capture_output=True, text=True, check=False
        )
        found = re.match(r"v?(\d+)\.", version.stdout)
        if version.returncode == 0 and found and int(found[1]) >= 2:
            return command
    return None
