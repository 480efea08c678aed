"""The built wheel, installed in an environment of its own: what its user does, with no checkout within reach.

tests/stack/test_containers.py makes the same tour in the image. Here the wheel has the libraries of the
environment that runs the tests, so that nothing is downloaded.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.checkout import CHECKOUT
from tests.support.distribution import build_wheel, copy_of_the_checkout
from tests.support.wheel_report import check_tour

# A minute of it, and it is among others.
pytestmark = pytest.mark.timeout(500)

TOUR = CHECKOUT / "tests" / "support" / "wheel_tour.py"
HIDE = """
for each in "$2"/*; do mount --bind "$(readlink "$each")" "$3/${each##*/}"; done
mount -t tmpfs none "$1"
shift 3
exec "$@"
"""
"""the libraries are at another place too, and then there is nothing where the checkout was"""
GONE = ("test", "!", "-e", str(CHECKOUT / "exporter"))


def hidden(libraries: list[str], folder: Path) -> tuple[list[str], list[str]]:
    """What a command begins with so that there is no checkout for it, and where the libraries are then.

    Only root can hide a folder: for others it begins with nothing, and the libraries are where they were.
    """
    for place in ("from", "to"):
        (folder / place).mkdir()
    for number, library in enumerate(libraries):
        (folder / "from" / str(number)).symlink_to(library)
        (folder / "to" / str(number)).mkdir()
    hide = ["unshare", "--mount", "sh", "-ec", HIDE, "sh"]
    hide += map(str, (CHECKOUT, folder / "from", folder / "to"))
    if os.geteuid() != 0 or subprocess.run([*hide, *GONE], check=False).returncode != 0:
        return [], libraries
    return hide, [str(place) for place in sorted((folder / "to").iterdir())]


def test_a_wheel_needs_no_checkout_and_takes_nothing_from_the_folder_that_it_is_used_in(
    tmp_path: Path,
) -> None:
    wheel = build_wheel(copy_of_the_checkout(tmp_path / "copy"), tmp_path / "built")
    home, user = tmp_path / "environment", tmp_path / "user"
    user.mkdir()
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(home)], check=True)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(home / "bin/python")]
    subprocess.run([*pip, "install", "--quiet", "--no-deps", "--no-index", str(wheel)], check=True)
    own = [each for each in sys.path if each.endswith(("site-packages", "dist-packages"))]
    hide, libraries = hidden(own, tmp_path)
    (site,) = (home / "lib").glob("python3*/site-packages")
    # The files .pth of those folders, by which the checkout would be found, are not read.
    (site / "libraries.pth").write_text("\n".join([*libraries, ""]), encoding="utf-8")
    done = subprocess.run(
        [*hide, str(home / "bin/python"), "-c", TOUR.read_text(encoding="utf-8")],
        cwd=user,
        # First of all what the wheel has brought, and of the system what hides the checkout.
        env={"PATH": f"{home / 'bin'}:/usr/bin:/bin", "HOME": str(user)},
        capture_output=True,
        text=True,
        check=False,
        timeout=400,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    document = json.loads(done.stdout.splitlines()[-1])
    assert document["places"][0].startswith(f"{site}/")
    check_tour(document, has_the_dashboards_library=True)
