"""What is rendered from prometheus/source: up to date, marked as rendered, and from one source of numbers."""

from pathlib import Path

import leak_rules
import pytest
import remote_write
import render_rules
import xid_rules

from exporter.collectors.gpu.xid_events import XID_CODES
from exporter.verdict.growth import LOOKS
from tests.support.prometheus_files import ALERTING, PROMETHEUS, rules_in


def test_what_is_committed_is_what_the_source_renders() -> None:
    assert render_rules.main(["check"]) == 0


def test_a_file_says_in_its_first_line_whether_it_is_rendered_and_from_what() -> None:
    marked = {}
    for path in PROMETHEUS.rglob("*.yml"):
        first = path.read_text(encoding="utf-8").partition("\n")[0]
        if "rendered from" in first:
            marked[str(path.relative_to(PROMETHEUS))] = first
    assert marked == {
        name: f"# rendered from prometheus/source/{Path(name).name}.j2, by `soak rules render`"
        for name in render_rules.RENDERED
    }


def test_the_check_names_what_has_drifted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert render_rules.main(["render", "--folder", str(tmp_path)]) == 0
    assert render_rules.main(["check", "--folder", str(tmp_path)]) == 0
    (tmp_path / "rules" / "leaks.recording.yml").write_text("groups: []\n", encoding="utf-8")
    capsys.readouterr()
    assert render_rules.main(["check", "--folder", str(tmp_path)]) == 1
    assert "leaks.recording.yml: not what its source renders" in capsys.readouterr().err


def test_the_looks_of_the_rules_have_the_numbers_of_the_verdict() -> None:
    thresholds = {
        (rule["record"], rule["labels"]["look"]): rule["expr"]
        for rule in rules_in("leaks.recording.yml")
        if "look" in rule.get("labels", {})
    }
    numbers = [
        (
            float(thresholds["look:min_rate:ratio_per_minute", name].strip("vector()")),
            float(thresholds["look:min_evenness:ratio", name].strip("vector()")),
        )
        for name in leak_rules.NAMES
    ]
    assert numbers == [(look.min_rate, look.min_evenness) for look in LOOKS]
    assert len(thresholds) == 2 * len(LOOKS)


def test_the_xid_codes_of_the_critical_alert_are_all_counted_by_the_exporter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert set(xid_rules.HARDWARE_CODES) < XID_CODES
    monkeypatch.setattr(xid_rules, "HARDWARE_CODES", (79, 1000))
    with pytest.raises(ValueError, match="1000"):
        xid_rules.values()


def test_every_xid_code_is_critical_or_a_warning_and_not_both() -> None:
    critical, warning = (rule["expr"] for rule in ALERTING["GpuXidError"])
    assert critical.replace("xid=~", "xid!~") == warning != critical


def test_a_prometheus_yml_that_cannot_be_built_on_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = tmp_path / "prometheus.yml"
    changed.write_text("global: {}\n", encoding="utf-8")
    monkeypatch.setattr(remote_write, "SHIPPED", changed)
    with pytest.raises(ValueError, match="evaluation_interval"):
        remote_write.values()
