"""alertmanager.yml: which alert hides which, who is told and how soon, and where its secrets are."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.support.prometheus_files import ALERTING, PROMETHEUS, ROOT, UNIT_SECONDS, load, severities_of

ALL = {(alert, severity) for alert in ALERTING for severity in severities_of(alert)}


def inhibited_by(alert: str, severity: str) -> set[tuple[str, str]]:
    """The alerts that some inhibition rule may silence while this one fires, with their severities."""

    def matches(matcher: str, labels: dict[str, str]) -> bool:
        read = re.fullmatch(r'(\w+) (=|!=|=~|!~) "(.*)"', matcher)
        assert read is not None
        label, operator, value = read.groups()
        hit = re.fullmatch(value, labels[label]) is not None if "~" in operator else value == labels[label]
        return hit is not operator.startswith("!")

    return {
        target
        for rule in load(PROMETHEUS / "alertmanager.yml")["inhibit_rules"]
        for target in ALL
        if all(matches(m, {"alertname": alert, "severity": severity}) for m in rule["source_matchers"])
        and all(matches(m, {"alertname": target[0], "severity": target[1]}) for m in rule["target_matchers"])
        and not ("alertname" in rule.get("equal", []) and target[0] != alert)
    }


def test_a_router_that_is_down_hides_what_follows_and_not_the_requests_that_were_lost() -> None:
    assert inhibited_by("RouterDown", "critical") == {
        ("NodeOffline", "critical"),
        ("NodeFlapping", "warning"),
        ("BenchmarkDisconnects", "warning"),
        ("BenchmarkStalled", "critical"),
        ("BenchmarkErrorRateHigh", "warning"),
        ("BenchmarkLatencyRegression", "warning"),
        ("BenchmarkThroughputDrop", "warning"),
    }


def test_an_exporter_that_is_down_hides_what_is_out_of_date_and_not_what_has_happened() -> None:
    stays = {
        "ExporterDown", "BenchmarkDisconnects", "StreamsTruncated", "StreamStalled", "RouterRestarted",
        "GpuXidError", "GpuEccError", "NodeMemoryPressure", "Watchdog",
    }  # fmt: skip
    assert inhibited_by("ExporterDown", "critical") == {each for each in ALL if each[0] not in stays}


@pytest.mark.parametrize(("alert", "severity"), sorted(ALL))
def test_an_alert_hides_none_of_its_own_but_the_less_severe(alert: str, severity: str) -> None:
    hidden = {each for each in inhibited_by(alert, severity) if each[0] == alert}
    assert hidden == ({(alert, "warning")} & ALL if severity == "critical" else set())


@pytest.mark.parametrize(("alert", "severity"), sorted(ALL))
def test_nothing_hides_a_lost_request(alert: str, severity: str) -> None:
    lost = {
        ("BenchmarkDisconnects", "critical"),
        ("StreamsTruncated", "critical"),
        ("StreamStalled", "critical"),
    }
    assert inhibited_by(alert, severity) & lost == set()


def test_alertmanager_groups_by_alert_and_route_and_tells_nobody_as_shipped() -> None:
    document = load(PROMETHEUS / "alertmanager.yml")
    assert document["route"]["receiver"] == "null"
    assert document["route"]["group_by"] == ["alertname", "route"]
    # What fails a run is for dashboards and verdicts, and routes nothing.
    assert "fails_run" not in (PROMETHEUS / "alertmanager.yml").read_text(encoding="utf-8")
    receivers = {receiver["name"]: set(receiver) - {"name"} for receiver in document["receivers"]}
    assert {name for name, ways in receivers.items() if not ways} == {"null", "critical", "warning"}
    assert {route["receiver"] for route in document["route"]["routes"]} == {"null", "critical", "warning"}


@pytest.mark.parametrize(
    ("alert", "known_after_seconds", "max_seconds"),
    [
        # wrk's threads report once a second.
        ("BenchmarkDisconnects", 1, 20),
        # So do the workers of the streaming engine; of a stall, once its stream is given up.
        ("StreamsTruncated", 1, 20),
        ("StreamStalled", 1, 20),
        # A scrape may still bring the last second's 2xx of wrk's threads: the router is not down then.
        # One that hangs is read within 2 s and costs the probe its time-out, 1.5 s.
        ("RouterDown", 1.25 + 5, 30),
        # The router is read every 2 s.
        ("NodeOffline", 2, 20),
    ],
)
def test_a_fault_is_notified_in_time_when_every_wait_is_as_long_as_it_can_be(
    alert: str, known_after_seconds: float, max_seconds: float
) -> None:
    def seconds(text: str) -> int:
        read = re.fullmatch(r"(\d+)([smhd])", text)
        assert read is not None
        number, unit = read.groups()
        return int(number) * UNIT_SECONDS[unit]

    prometheus = load(PROMETHEUS / "prometheus.yml")["global"]
    route = load(PROMETHEUS / "alertmanager.yml")["route"]
    (critical,) = [each for each in route["routes"] if each["receiver"] == "critical"]
    rule = ALERTING[alert][0]
    assert rule["labels"]["severity"] == "critical"
    waits = known_after_seconds + sum(
        seconds(wait)
        for wait in (
            prometheus["scrape_interval"],
            prometheus["evaluation_interval"],
            rule["for"],
            max(route["group_wait"], critical["group_interval"], key=seconds),
        )
    )
    # Three seconds are for the scrape, the evaluation and the sending themselves.
    assert waits <= max_seconds - 3


def test_no_secret_of_a_receiver_is_committed() -> None:
    tracked = subprocess.run(
        ["git", "ls-files", "prometheus/receivers"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if tracked.returncode != 0:
        pytest.skip("not a git checkout, or no git")
    assert {Path(line).name for line in tracked.stdout.splitlines()} <= {".gitignore", "README.md"}


def test_the_readme_of_the_receivers_names_every_secret_that_alertmanager_reads() -> None:
    text = (PROMETHEUS / "alertmanager.yml").read_text(encoding="utf-8")
    read = set(re.findall(r"^ +-? ?\w+_file: receivers/(\S+)$", text, re.MULTILINE))
    readme = (PROMETHEUS / "receivers" / "README.md").read_text(encoding="utf-8")
    assert read == set(re.findall(r"^\| `(\S+)` \|", readme, re.MULTILINE))
