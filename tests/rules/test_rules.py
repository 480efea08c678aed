"""promtool and amtool over what is shipped: the configuration, the rules and the rules' own unit tests."""

import re
import shutil
from pathlib import Path

import pytest

from tests.support.promtool import run_promtool

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
PROMETHEUS = ROOT / "prometheus"
RULES = sorted((PROMETHEUS / "rules").glob("*.yml"))
RULE_TESTS = sorted(HERE.glob("*.test.yml"))

needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is not installed (Debian: apt install prometheus)"
)
needs_amtool = pytest.mark.skipif(
    shutil.which("amtool") is None,
    reason="amtool is not installed (Debian: apt install prometheus-alertmanager)",
)


def run(*command: str | Path) -> str:
    """The standard output of a command that must succeed; what it said is the message when it does not."""
    done = run_promtool(command)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def each(argument: str, paths: list[Path]) -> pytest.MarkDecorator:
    """Parametrizes with the paths, under their names."""
    return pytest.mark.parametrize(argument, paths, ids=[path.name for path in paths])


@needs_promtool
@pytest.mark.parametrize("name", ["prometheus.yml", "prometheus.remote-write.yml"])
@pytest.mark.parametrize("targets", ["prometheus/targets", "compose/targets"])
def test_promtool_accepts_the_configuration_with_the_targets_of(
    targets: str, name: str, tmp_path: Path
) -> None:
    # A copy somewhere else, as the native stack makes one: shows that all its paths are relative to itself.
    copy = tmp_path / "elsewhere"
    shutil.copytree(PROMETHEUS, copy)
    shutil.rmtree(copy / "targets")
    shutil.copytree(ROOT / targets, copy / "targets")
    # promtool wants the secrets to be there; Prometheus only where a target needs them.
    for example in (copy / "secrets").glob("*.example"):
        example.rename(example.with_suffix(""))

    said = run("promtool", "check", "config", copy / name)

    assert f"{len(RULES)} rule files found" in said


@needs_promtool
@each("rules", RULES)
def test_promtool_accepts_the_rules_in(rules: Path) -> None:
    run("promtool", "check", "rules", rules)


@needs_promtool
@each("rule_tests", RULE_TESTS)
def test_the_rules_do_what_is_written_in(rule_tests: Path) -> None:
    run("promtool", "test", "rules", rule_tests)


@needs_amtool
def test_amtool_accepts_the_alertmanager_configuration() -> None:
    run("amtool", "check-config", PROMETHEUS / "alertmanager.yml")


@needs_amtool
def test_amtool_accepts_it_with_every_way_of_telling_switched_on(tmp_path: Path) -> None:
    text = (PROMETHEUS / "alertmanager.yml").read_text(encoding="utf-8")
    text, switched = re.subn(r"^    # (\w+_configs: \*\w+)$", r"    \1", text, flags=re.MULTILINE)
    assert switched == 6
    configuration = tmp_path / "alertmanager.yml"
    configuration.write_text(text, encoding="utf-8")

    run("amtool", "check-config", configuration)


@needs_amtool
@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        (["alertname=RouterDown", "severity=critical"], "critical"),
        (["alertname=BenchmarkErrorRateHigh", "severity=warning"], "warning"),
        (["alertname=NodeOffline", "severity=critical", "node=gpu-1"], "critical"),
        (["alertname=BenchmarkDisconnects", "severity=critical", "route=local"], "critical"),
        (["alertname=BenchmarkDisconnects", "severity=warning", "route=local"], "warning"),
        (["alertname=GpuXidError", "severity=warning", "xid=13"], "warning"),
        (["alertname=ProcessMemoryLeak", "severity=warning", "process=router"], "warning"),
        (["alertname=Anything", "severity=info"], "null"),
        (["alertname=Watchdog", "severity=critical"], "null"),
        (["alertname=SomethingElse"], "null"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else value,
)
def test_an_alert_is_routed_by_its_severity(labels: list[str], receiver: str) -> None:
    said = run(
        "amtool", "config", "routes", "test", f"--config.file={PROMETHEUS / 'alertmanager.yml'}", *labels
    )

    assert said.split() == [receiver]
