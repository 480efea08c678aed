"""settings.prometheus_rules: the shipped rules with links of one's own, and nothing else changed."""

from pathlib import Path

import pytest
import yaml

from exporter.errors import ConfigurationError
from exporter.settings import prometheus_rules
from exporter.settings.prometheus_rules import runbook_base, runbook_link, with_runbook_base
from exporter.settings.shipped import shipped

SHIPPED = shipped("prometheus/rules")
BASE = "https://watch.example:9877/runbook"


def links_of(folder: Path) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for path in folder.glob("*.yml"):
        for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]:
            for rule in group["rules"]:
                if "alert" in rule:
                    found.setdefault(rule["alert"], set()).add(rule["annotations"]["runbook_url"])
    return found


@pytest.mark.parametrize("base", [BASE, f"{BASE}/"])
def test_every_alert_links_to_its_page_below_the_base(base: str, tmp_path: Path) -> None:
    written = with_runbook_base(tmp_path / "new" / "rules", base)
    assert [path.name for path in written] == sorted(path.name for path in SHIPPED.glob("*.yml"))
    links = links_of(tmp_path / "new" / "rules")
    assert links.keys() == links_of(SHIPPED).keys()
    assert links == {alert: {f"{BASE}/{alert}"} for alert in links}


def test_a_base_that_is_one_page_gets_the_heading_of_the_alert(tmp_path: Path) -> None:
    page = "https://code.example/team/soak/blob/main/prometheus/runbook.md"
    with_runbook_base(tmp_path, page)
    assert links_of(tmp_path)["RouterDown"] == {f"{page}#routerdown"}
    assert runbook_link("http://[::1]:9877/runbook", "GpuXidError") == "http://[::1]:9877/runbook/GpuXidError"


def test_nothing_but_the_links_changes_and_no_other_file_is_left(tmp_path: Path) -> None:
    for _ in range(2):  # what is written is replaced by the next
        written = with_runbook_base(tmp_path, BASE)
    for path in written:
        shipped_lines = (SHIPPED / path.name).read_text(encoding="utf-8").splitlines()
        lines = path.read_text(encoding="utf-8").splitlines()
        assert len(lines) == len(shipped_lines)
        differing = [new for new, old in zip(lines, shipped_lines, strict=True) if new != old]
        assert all(line.lstrip().startswith(f"runbook_url: {BASE}/") for line in differing)
    assert sorted(tmp_path.iterdir()) == written


@pytest.mark.parametrize(
    "url",
    [
        "watch.example/runbook",
        "ftp://watch.example/runbook",
        "https://user:secret@watch.example/runbook",
        "https://watch.example/runbook?of=x",
        "https://watch.example/runbook#x",
        "https://watch.example/{{ .Labels.x }}",
        "https://watch.example/{{.Labels.x}}",
        'https://watch.example/"',
        "https://watch.example/ x",
        "https://wätch.example/runbook",
        "https://watch.example/<x>",
    ],
)
def test_a_base_that_rules_and_messages_cannot_hold_is_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"^--runbook-base: ") as error:
        with_runbook_base(tmp_path / "rules", url)
    assert "secret" not in str(error.value)
    assert not (tmp_path / "rules").exists()
    assert runbook_base(BASE) == BASE


def test_a_file_of_somebody_elses_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "hardware.alerts.yml").write_text("groups: []\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"hardware\.alerts\.yml: is there, and is no rule file of"):
        with_runbook_base(tmp_path, BASE)
    assert [path.name for path in tmp_path.iterdir()] == ["hardware.alerts.yml"]
    assert (tmp_path / "hardware.alerts.yml").read_text(encoding="utf-8") == "groups: []\n"


def test_a_folder_that_cannot_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match=r"file: cannot be written .*; name another folder"):
        with_runbook_base(tmp_path / "file", BASE)


def test_a_link_that_stands_in_another_form_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = tmp_path / "shipped"
    rules.mkdir()
    rule = "groups: [{name: x, rules: [{alert: A, expr: up, annotations: {runbook_url: old}}]}]\n"
    (rules / "own.yml").write_text(rule, encoding="utf-8")
    monkeypatch.setattr(prometheus_rules, "shipped", lambda _name: rules)
    with pytest.raises(
        ConfigurationError, match=r"own\.yml: an alert's runbook_url does not stand on a line"
    ):
        with_runbook_base(tmp_path / "out", BASE)
