"""What fails a run is in one table: options, alerts and the names of the contract agree with it."""

import click
import pytest

from exporter.cli.demo import demo
from exporter.cli.objective_options import objective_options
from exporter.cli.run import run, scale
from exporter.run.objectives_file import COMMON
from exporter.verdict.objectives import BOUNDED, CHECKS, OBJECTIVES
from tests.support.prometheus_files import ALERTING

CONTRACT = (
    "answers", "disconnects", "stalls", "streams", "latency", "throughput", "router", "nodes",
    "memory", "file_descriptors", "threads", "connections", "gpu_memory", "written_files",
    "buffering", "idle", "generator", "alerts", "completeness", "totals",
)  # fmt: skip
"""every check of a run, those that are to come included"""

FAILS_A_RUN = {
    "ProcessMemoryLeak", "ProcessFdLeak", "ProcessThreadLeak", "ConnectionLeak", "GpuMemoryLeak",
    "RouterDown", "RouterRestarted", "NodeOffline", "BenchmarkDisconnects", "BenchmarkStalled",
    "BenchmarkErrorRateHigh", "BenchmarkLatencyRegression", "BenchmarkThroughputDrop",
    "StreamsTruncated", "StreamStalled",
}  # fmt: skip
"""the alerts that carry fails_run="true" """

FAILS_NONE = {"StreamsBuffered", "LoadGeneratorLate"}
"""the alerts of checks that do not fail a run of themselves: one warns, the other is inconclusive"""

COMMANDS = (run, scale, demo)


def options_of(command: click.Command) -> dict[str, click.Option]:
    """The options of a command by their long names."""
    return {option.opts[0]: option for option in command.params if isinstance(option, click.Option)}


@click.command()
@objective_options
def _bare() -> None:
    """A command with no other options."""


def test_the_checks_have_the_names_of_the_contract_in_its_order() -> None:
    assert [check for check in CONTRACT if check in CHECKS] == list(CHECKS)


def test_the_options_are_those_of_the_table() -> None:
    of_files = ["--allow-status", "--objectives"]
    bounds = [bound.option for bound in BOUNDED.values()]
    assert list(options_of(_bare)) == [*bounds, *COMMON, *of_files, "--warn", "--require"]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_every_command_with_a_load_has_them_with_their_limits_and_defaults(command: click.Command) -> None:
    options = options_of(command)
    assert "--warn" in options
    for bound in BOUNDED.values():
        option = options[bound.option]
        assert isinstance(option.type, click.FloatRange)
        assert (option.type.min, option.type.max, option.default) == (bound.min, bound.max, bound.default)


def test_every_alert_of_a_check_exists() -> None:
    named = {alert for objective in OBJECTIVES for alert in objective.alerts}
    assert named - set(ALERTING) == set()


def test_an_alert_belongs_to_one_check() -> None:
    named = [alert for objective in OBJECTIVES for alert in objective.alerts]
    assert len(named) == len(set(named))


def test_an_alert_fails_a_run_where_a_check_does() -> None:
    covered = {alert for objective in OBJECTIVES for alert in objective.alerts}
    assert covered == FAILS_A_RUN | FAILS_NONE


def test_what_only_warns_has_no_alert_that_fails_a_run() -> None:
    warned = {alert for objective in OBJECTIVES if objective.warns for alert in objective.alerts}
    assert warned == {"StreamsBuffered"}


def test_the_rules_label_exactly_the_alerts_that_fail_a_run() -> None:
    labelled = {
        alert
        for alert, rules in ALERTING.items()
        if any("true" in rule["labels"].get("fails_run", "") for rule in rules)
    }
    assert labelled == FAILS_A_RUN
