"""scripts/scale_rules.py: every length of time is multiplied, and nothing else changes."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.support.checkout import CHECKOUT as ROOT

SCRIPT = ROOT / "scripts" / "scale_rules.py"
RULES = ROOT / "prometheus" / "rules"

BEFORE = """
groups:
  - name: g
    interval: 1m
    rules:
      - record: leak:minute:seconds
        expr: vector(60)
      - record: a:limit:threshold
        expr: vector(60)
      - alert: A
        expr: |
          rate(a{path="[5m]s"}[9m30s]) > 5 and max_over_time(b[1h:5m] offset 1d) and c offset -1h
        for: 1m
        keep_firing_for: 15m
        annotations: {summary: lasts for 5m}
"""
AFTER = """
groups:
  - name: g
    interval: 6000ms
    rules:
      - record: leak:minute:seconds
        expr: vector(6)
      - record: a:limit:threshold
        expr: vector(60)
      - alert: A
        expr: |
          rate(a{path="[5m]s"}[57000ms]) > 5 and max_over_time(b[360000ms:30000ms] offset 8640000ms) and c offset -360000ms
        for: 6000ms
        keep_firing_for: 90000ms
        annotations: {summary: lasts for 5m}
"""  # noqa: E501
LENGTH = r"\d+(?:ms|[smhdw])(?:\d+(?:ms|[smhdw]))*"


def scale(by: str, source: Path, target: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(SCRIPT), "--by", by, str(source), str(target)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_ranges_offsets_waits_intervals_and_stated_seconds_are_scaled(tmp_path: Path) -> None:
    source = tmp_path / "rules"
    source.mkdir()
    (source / "a.yml").write_text(BEFORE, encoding="utf-8")
    assert scale("0.1", source, tmp_path / "out").stderr == ""
    assert (tmp_path / "out" / "a.yml").read_text(encoding="utf-8") == AFTER


def test_the_shipped_leak_rules_keep_their_text_but_for_lengths_of_time(tmp_path: Path) -> None:
    assert scale("0.05", RULES, tmp_path).returncode == 0
    for name in ("leaks.recording.yml", "leaks.alerts.yml"):
        before, after = (
            yaml.safe_load((folder / name).read_text(encoding="utf-8"))["groups"]
            for folder in (RULES, tmp_path)
        )
        assert [group["interval"] for group in after] == ["3000ms"]
        for old, new in zip(before[0]["rules"], after[0]["rules"], strict=True):
            if old.get("record") == "leak:minute:seconds":
                assert (old["expr"], new["expr"]) == ("vector(60)", "vector(3)")
            else:
                assert re.sub(LENGTH, "T", new["expr"]) == re.sub(LENGTH, "T", old["expr"])


@pytest.mark.parametrize(
    ("by", "said"),
    [
        ("0", "--by 0.0: a factor above 0 is needed"),
        ("nan", "--by nan: a factor above 0 is needed"),
        ("0.0000001", "is less than a millisecond; scale by more"),
    ],
)
def test_a_factor_that_makes_no_sense_is_refused_in_one_line(by: str, said: str, tmp_path: Path) -> None:
    done = scale(by, RULES, tmp_path / "out")
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_folder_without_rules_and_the_rules_own_folder_are_refused(tmp_path: Path) -> None:
    assert "no *.yml there" in scale("0.1", tmp_path, tmp_path / "out").stderr
    (tmp_path / "a.yml").write_text(BEFORE, encoding="utf-8")
    assert "would overwrite the rules" in scale("0.1", tmp_path, tmp_path).stderr
    assert (tmp_path / "a.yml").read_text(encoding="utf-8") == BEFORE
