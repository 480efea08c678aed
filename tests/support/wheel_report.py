"""What the tour of a wheel's user (wheel_tour.py) has to come to."""

import re
from typing import Any

from exporter import __version__
from exporter.settings.shipped_files import shipped_files
from tests.support.checkout import CHECKOUT


def check_tour(document: dict[str, Any], *, has_the_dashboards_library: bool) -> None:
    """Fails where a command did not do without a checkout, or found the `exporter` of the current folder."""
    said = document["said"]
    assert {
        name for name, each in said.items() if "somebody else" in each["output"] + each["errors"]
    } == set()

    def is_done(name: str, *, code: int = 0) -> str:
        assert (said[name]["code"], said[name]["errors"]) == (code, ""), (name, said[name])
        return str(said[name]["output"])

    def is_refused(name: str) -> str:
        assert (said[name]["code"], said[name]["output"]) == (2, ""), (name, said[name])
        (line,) = said[name]["errors"].splitlines()
        return str(line)

    assert is_done("version") == f"soak, version {__version__}\n"
    written = re.match(r"laid-out: (\d+) files written\n", is_done("files"))
    assert written is not None
    assert int(written[1]) > len(shipped_files(CHECKOUT))
    assert is_done("files again") == f"laid-out: 0 files written, {written[1]} were there as shipped\n"
    for name in ("rules check", "rules check of what is laid out"):
        assert is_done(name) == ""
    assert "what is installed is not written to" in is_refused("rules render")
    rules = [name for name in shipped_files(CHECKOUT) if name.startswith("prometheus/rules/")]
    assert is_done("rules with links").splitlines() == [name.removeprefix("prometheus/") for name in rules]
    if has_the_dashboards_library:
        assert is_done("dashboards check") == ""
    else:
        assert "pip install 'grafana-foundation-sdk==" in is_refused("dashboards check")
    assert "_SOAK_COMPLETE=zsh_complete" in is_done("completion")
    assert "well; watches http://127.0.0.1:" in is_done("status")
    assert re.search(r"^live page     http://127\.0\.0\.1:\d+/live", is_done("up"), re.MULTILINE)
    is_done("down")
    for name in ("run", "demo"):
        # A machine that is busy with other things is a late load generator: 3.
        assert said[name]["code"] in (0, 3), said[name]
        agree = r"the sources agree: engine (\d+), live \1, exporter \1, scraped \1\b"
        assert re.search(agree, said[name]["output"]), said[name]
        assert said[name]["errors"] == ""
    assert "toured" in is_done("report", code=said["run"]["code"])
    assert "toured" in is_done("summary by hand")
    assert set(document["pages"]) == {"/metrics", "/live", "/runbook/RouterDown"}
    assert min(document["pages"].values()) > 500
    package, starter, root, found = document["places"]
    site = package.removesuffix("/exporter/__init__.py")
    assert site.endswith("/site-packages")
    assert (starter, root) == (f"{site}/llm_router_soak.py", f"{site}/exporter/shipped")
    assert found == f"{root}/prometheus/rules"
