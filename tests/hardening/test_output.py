"""Text of others in what a user sees and keeps: it acts on no terminal, in no Markdown and in no sheet."""

import csv
import io
import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from exporter.live.results_csv import COLUMNS, ResultRow, read_rows, rows_text
from exporter.live.wire import VERSION
from exporter.load.model_label import ModelSource
from exporter.plain_text import one_line, plain_json, plain_lines
from exporter.results.record import record_text
from exporter.results.run_json import run_json
from tests.support.checkout import HAND_TOOLS
from tests.support.local_http import LocalHttp
from tests.support.pseudo_terminal import SOAK, on_a_terminal
from tests.support.run_results import alert_spans, evidence, run_inputs, run_result
from tests.support.waiting import need
from tests.support.watching import watch_of

ACTING = {
    "title": "\x1b]0;mine\x07",
    "link": "\x1b]8;;http://evil\x1b\\",
    "clear": "\x1b[2J",
    "one byte": "\x9b2J",
    "string": "\x90+q\x9c",
    "direction": "\u202e",
    "isolate": "\u2066",
    "mark": "\u200f",
    "no width": "\u200b",
    "backspace": "\x08\x08",
    "return": "\rverdict: pass",
    "line": "\nverdict: pass",
    "separator": "\u2028verdict: pass",
    "delete": "\x7f",
    "tags": "\U000e0041",
}
MARKUP = "<img src=x onerror=e()> [a](javascript:e) ![b](http://evil/c) | `d` **e** _f_ ~~g~~ &lt; <!--"


def acts(shown: str) -> list[str]:
    """By name, what of ACTING stands in it."""
    return [name for name, text in ACTING.items() if text in shown]


def hostile(name: str) -> str:
    return f"a{ACTING[name]}b"


@pytest.mark.parametrize("name", ACTING)
def test_on_one_line_or_in_json_nothing_acts(name: str) -> None:
    assert acts(one_line(hostile(name))) == []
    document = plain_json(json.dumps([hostile(name)], ensure_ascii=False))
    assert acts(document) == []
    assert json.loads(document) == [hostile(name)]
    assert acts(plain_lines(hostile(name))) == (["line"] if name == "line" else [])


def test_text_in_any_language_stays_as_it_is() -> None:
    text = "日本語\u3000モデル 🙂 naïve עברית\ta"
    assert (plain_lines(text), plain_json(text)) == (text, text)
    assert one_line("日本語 🙂 naïve עברית") == "日本語 🙂 naïve עברית"


def test_the_report_of_somebody_elses_folder_acts_on_no_terminal(tmp_path: Path) -> None:
    folder = tmp_path / "20261124-b"
    folder.mkdir()
    everything = "".join(ACTING.values())
    row = ResultRow("x", 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0, 0, 60, 60.0)
    (tmp_path / "20261124-b.csv").write_text(rows_text([row]).replace("\nx,", f"\n{'x' + ACTING['clear']},"))
    document = json.loads(run_json(run_result(soak_command=everything, versions={everything: everything})))
    document["run"] |= {"model": everything, "target": everything, "engine": everything}
    document["inputs"] |= {everything: everything}
    finding = {"check": everything, "outcome": "fail", "text": everything + "x" * 100_000}
    document["verdict"]["findings"] = [finding]
    (folder / "run.json").write_text(json.dumps(document), encoding="utf-8")
    code, shown = on_a_terminal(*SOAK, "report", str(folder))
    assert code == 0, shown
    assert acts(shown.replace("\r\n", "\n")) == []
    assert len(shown) < 10_000
    assert acts((folder / "report.html").read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("outcome", ["\x1b[2J", {"a": 1}, None, "great"])
def test_an_outcome_that_is_none_is_one_line(tmp_path: Path, outcome: object) -> None:
    folder = tmp_path / "b"
    folder.mkdir()
    row = ResultRow("x", 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0, 0, 60, 60.0)
    (tmp_path / "b.csv").write_text(rows_text([row]))
    document = json.loads(run_json(run_result()))
    document["verdict"]["outcome"] = outcome
    (folder / "run.json").write_text(json.dumps(document), encoding="utf-8")
    code, shown = on_a_terminal(*SOAK, "report", str(folder))
    assert code == 2, shown
    assert acts(shown.replace("\r\n", "\n")) == []
    assert "run.json: not a run's record (verdict.outcome: " in shown


def test_a_file_of_somebody_elses_that_is_no_record_is_one_line(tmp_path: Path) -> None:
    folder = tmp_path / "b"
    folder.mkdir()
    row = ResultRow("x", 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0, 0, 60, 60.0)
    (tmp_path / "b.csv").write_text(rows_text([row]))
    for text in ("[" * 100_000, "[]", '{"verdict": 1}', "\x1b[2J"):
        (folder / "run.json").write_text(text)
        code, shown = on_a_terminal(*SOAK, "report", str(folder))
        assert code == 2, shown
        assert acts(shown.replace("\r\n", "\n")) == []
        assert shown.splitlines()[-1].startswith("soak: ")


def test_what_an_exporter_says_acts_on_no_terminal(tmp_path: Path) -> None:
    need("wrk")
    watch = watch_of(url=None).to_json()
    error = {"version": VERSION, "error": "".join(ACTING.values())}
    with LocalHttp(lambda asked: (400, error) if asked.method == "PUT" else (200, watch)) as exporter:
        code, shown = on_a_terminal(
            *SOAK,
            *("run", "--no-preflight", "--target", exporter.url, "--exporter", exporter.url),
            *("--results", str(tmp_path), "--duration", "1s", "--drain", "1s", "--connections", "1"),
        )
    assert code in (2, 3), shown
    assert "refused the run" in shown
    assert acts(shown.replace("\r\n", "\n")) == []


def test_what_a_verdict_shows_acts_on_no_terminal() -> None:
    program = (
        "from exporter.cli.terminal import PlainConsole, make_outputs_last;"
        "from exporter.cli.verdict_text import print_verdict;"
        "from tests.support.run_results import alert_spans, evidence, run_result; import sys, json;"
        "make_outputs_last(); known = evidence(alerts=alert_spans(sys.argv[1]));"
        "print_verdict(PlainConsole(), run_result(known), {});"
        "print(sys.argv[1]); print(sys.argv[1], file=sys.stderr)"
    )
    text = "".join(value for value in ACTING.values() if "\n" not in value)
    code, shown = on_a_terminal(sys.executable, "-c", program, text)
    assert code == 0, shown
    assert acts(shown.replace("\r\n", "\n")) == []
    assert "\x1b[1;32m" in shown, "the colours of the verdict are rich's own"
    assert shown.count("mine") == 4


@pytest.mark.parametrize("text", [MARKUP, *map(hostile, ACTING)])
def test_in_the_record_nothing_is_markup(text: str) -> None:
    result = run_result(evidence(alerts=alert_spans(text)), soak_command=f"soak run --model '{text}'")
    result = replace(result, inputs=run_inputs(result, model=text, model_source=ModelSource.SCRIPT))
    record = record_text(result, "name")
    plain = record_text(run_result(evidence(alerts=alert_spans("x"))), "name")
    assert acts(record.replace("\n", " ")) == []
    assert record.count("\n") == plain.count("\n")
    shown = [line for line in record.splitlines() if "コマンド" not in line]
    assert [line for line in shown if re.search(r"(?<!\\)[<\[|`*~]", line)] == []
    assert acts(run_json(result).replace("\n", "")) == []
    assert json.loads(run_json(result))["inputs"]["model"] == text


def test_a_command_with_markup_in_it_is_code_that_can_be_copied() -> None:
    command = "soak run --model '`a` <b> ``c``'"
    record = record_text(run_result(soak_command=command), "name")
    assert f"- コマンド: ``` {command} ```\n" in record


@pytest.mark.parametrize(
    "label",
    ["=1+1", "+1", "-1", "@SUM(1)", "\t=1", "\r=1", " =1", "=cmd|' /C calc'!A0", "\uff1d1", "\uff0b1", "'=1"],
)
def test_no_label_is_a_formula_of_a_spreadsheet_and_each_is_read_again(tmp_path: Path, label: str) -> None:
    file = tmp_path / "x.csv"
    file.write_text(rows_text([ResultRow(label)]), encoding="utf-8")
    [row] = csv.DictReader(io.StringIO(file.read_text(encoding="utf-8")))
    assert row["label"][0] == "'"
    assert read_rows(file)[0] == [ResultRow(one_line(label).strip())]


def test_other_labels_are_written_as_they_are(tmp_path: Path) -> None:
    for label in ("nightly", "a=b", "'quoted'", "日本語", "1-2"):
        (tmp_path / "x.csv").write_text(rows_text([ResultRow(label)]), encoding="utf-8")
        assert (tmp_path / "x.csv").read_text("utf-8").splitlines()[1] == label + "," * (len(COLUMNS) - 1)
        assert read_rows(tmp_path / "x.csv")[0] == [ResultRow(label)]


def test_the_hand_tools_write_no_formula_either() -> None:
    output = (HAND_TOOLS.parents[1] / "tests/fixtures/wrk").glob("*.txt")
    text = sorted(output)[0].read_bytes()
    command = [sys.executable, str(HAND_TOOLS / "wrk_parse.py"), "--label", "=HYPERLINK(1)"]
    done = subprocess.run(command, input=text, capture_output=True, check=False)
    assert [line[:3] for line in done.stdout.decode().splitlines()[1:]] == ["'=H"]
