"""The file of the user's own objectives, and the options for the common ones."""

from pathlib import Path

import pytest

from exporter.errors import ConfigurationError
from exporter.run.objectives_file import (
    all_objectives,
    check_expressions,
    option_objectives,
    read_objectives,
    with_length,
)
from exporter.verdict.finding import Outcome


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "objectives.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_list_of_texts_and_mappings_is_read(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        """# what has to hold
- each 5m: p99 < 500ms
- 'every 1m sliding: errors < 1 %'
- promql: max(x) < 5
- {check: rps > 100, severity: warning, name: enough}
- check: "whole: growth(router, memory) < 20 MiB/h"
""",
    )
    found = read_objectives(path)
    assert [(each.name, each.statement.text, each.severity) for each in found] == [
        ("each-5m-p99-500ms", "each 5m: p99 < 500ms", Outcome.FAIL),
        ("every-1m-sliding-errors-1", "every 1m sliding: errors < 1 %", Outcome.FAIL),
        ("promql-max-x-5", "promql: max(x) < 5", Outcome.FAIL),
        ("enough", "rps > 100", Outcome.WARNING),
        ("whole-growth-router-memory-20-mib-h", "whole: growth(router, memory) < 20 MiB/h", Outcome.FAIL),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", ": not a list of objectives"),
        ("p99: 5", ": not a list of objectives"),
        ("[]", ": not a list of objectives"),
        ("- rps > 1\n- p99 < 500", ":2: '500': give a time"),
        ("- rps > 1\n- [p99 < 1s]", ":2: no objective"),
        ("- rps > 1\n\n- {check: rps > 1, sevrity: fail}", ":3: 'sevrity': unknown key"),
        ("- {check: rps > 1, severity: bad}", ":1: severity: 'bad'"),
        ("- {severity: fail}", ":1: check: missing"),
        ("- {check: rps > 1, name: 'A b'}", ":1: name: 'A b'"),
        ("- {check: [rps]}", ":1: check: not a text"),
        ("- {check: rps > 1, check: rps > 2}", ":1: check: given twice"),
        ("- rps > 1\n- rps > 1", ":2: name: 'rps-1' is used twice"),
        ("- check: each 5m: p99 < 1s", ":1: not valid YAML; put quotes"),
        ("- rps > 1\n- 'unclosed", "not valid YAML"),
        ("\n".join(f"- rps > {i}" for i in range(51)), ": 51 objectives; 50 at most"),
        ("- !!python/object/apply:os.system ['true']", ":1: no objective"),
    ],
)
def test_what_is_wrong_is_named_with_file_and_line(tmp_path: Path, text: str, said: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ConfigurationError) as error:
        read_objectives(path)
    assert str(error.value).startswith(str(path))
    assert said in str(error.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"none\.yaml: cannot be read .*check --objectives"):
        read_objectives(tmp_path / "none.yaml")


def test_options_are_objectives_of_the_whole_load() -> None:
    given = {"--p99": "500ms", "--p95": None, "--min-rps": "100", "--max-growth": "20MiB/h"}
    assert [(each.name, each.statement.text) for each in option_objectives(given)] == [
        ("p99", "p99 < 500ms"),
        ("min-rps", "rps >= 100"),
        ("max-growth", "growth(router, memory) < 20MiB/h"),
    ]


def test_an_option_that_cannot_be_read_is_named() -> None:
    with pytest.raises(ConfigurationError, match="--max-rss: '2': give a size, like 2GiB"):
        option_objectives({"--max-rss": "2"})


def test_an_option_and_the_file_may_not_share_a_name(tmp_path: Path) -> None:
    path = written(tmp_path, "- {check: p99 < 1s, name: p99}")
    with pytest.raises(ConfigurationError, match="--p99: an objective of --objectives has this name too"):
        all_objectives(option_objectives({"--p99": "2s"}), read_objectives(path))


def test_an_objective_that_asks_a_prometheus_needs_one(tmp_path: Path) -> None:
    path = written(tmp_path, "- promql: max_over_time(x[$run]) < 5")
    with pytest.raises(ConfigurationError, match="asks a Prometheus; name it by --prometheus"):
        check_expressions(read_objectives(path), None)


def test_the_length_of_the_load_stands_in_for_its_place() -> None:
    assert with_length("max_over_time(x[$run])", 89.7) == "max_over_time(x[90s])"
