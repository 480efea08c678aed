"""tests/support/scaled_rules.py: every length of time is multiplied, and nothing else changes."""

import re
from pathlib import Path

import pytest
import yaml

from tests.support.prometheus_files import PROMETHEUS
from tests.support.scaled_rules import scaled, write_scaled_leak_rules

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


def test_ranges_offsets_waits_intervals_and_stated_seconds_are_scaled() -> None:
    assert scaled(BEFORE, 0.1) == AFTER


def test_the_shipped_leak_rules_keep_their_text_but_for_lengths_of_time(tmp_path: Path) -> None:
    write_scaled_leak_rules(tmp_path, 0.05)
    for name in ("leaks.recording.yml", "leaks.alerts.yml"):
        before, after = (
            yaml.safe_load((folder / name).read_text(encoding="utf-8"))["groups"]
            for folder in (PROMETHEUS / "rules", tmp_path)
        )
        assert [group["interval"] for group in after] == ["3000ms"]
        for old, new in zip(before[0]["rules"], after[0]["rules"], strict=True):
            if old.get("record") == "leak:minute:seconds":
                assert (old["expr"], new["expr"]) == ("vector(60)", "vector(3)")
            else:
                assert re.sub(LENGTH, "T", new["expr"]) == re.sub(LENGTH, "T", old["expr"])


def test_a_length_that_would_be_no_time_at_all_is_refused() -> None:
    with pytest.raises(ValueError, match="1m times 1e-07 is less than a millisecond"):
        scaled(BEFORE, 1e-7)
