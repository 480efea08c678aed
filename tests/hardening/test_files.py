"""Files that are named and are none, and results files that nobody wrote for reading."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter.cli.main import soak
from exporter.collectors.benchmark.results import MAX_FILE_BYTES, MAX_ROWS
from exporter.errors import ConfigurationError
from exporter.live.results_csv import COLUMNS, MAX_PROBLEMS
from exporter.live.results_csv import MAX_ROWS as MAX_ROWS_READ
from tests.support.checkout import CHECKOUT
from tests.support.peak_memory import MAX_PEAK_BYTES, peak_bytes
from tests.support.secured_exporter import Certificates, ExporterProcess
from tests.support.waiting import wait_for

WHAT = "a FIFO, not a regular file"
HEADER = ",".join(COLUMNS) + "\n"
ROW = "local" + ",1" * (len(COLUMNS) - 1) + "\n"
MIB = 1 << 20

WEB_FILES = ("cert_file", "key_file", "client_ca_file")
COMMANDS = (
    "exporter --config FIFO",
    "exporter --web.config.file FIFO",
    *(f"exporter --web.config.file {each}.yml" for each in WEB_FILES),
    "run --cacert FIFO",
    "run --body FIFO",
    "run --api-key-file FIFO",
    "run --exporter http://127.0.0.1:1 --exporter.config FIFO",
    "run --exporter http://127.0.0.1:1 --exporter.config password.yml",
    "compare FIFO FIFO",
    "compare row.csv run",
    "backfill run --output data",
)
NO_FILE = {
    "run --script FIFO": "--script: FIFO is not a file",
    "report FIFO": "there is nothing to report",
}
"""refused by other words"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A FIFO, and what names it; the working directory."""
    monkeypatch.chdir(tmp_path)
    os.mkfifo("FIFO")
    Certificates.made_in(tmp_path)
    pair = {"cert_file": "server.crt", "key_file": "server.key", "client_ca_file": "ca.pem"}
    for key in WEB_FILES:
        lines = [f"  {each}: {'FIFO' if each == key else file}\n" for each, file in pair.items()]
        text = "tls_server_config:\n  client_auth_type: RequireAndVerifyClientCert\n" + "".join(lines)
        Path(f"{key}.yml").write_text(text, encoding="utf-8")
    Path("key.yml").write_text("router: {url: 'http://127.0.0.1:1', api_key_file: FIFO}\n", encoding="utf-8")
    Path("password.yml").write_text("basic_auth: {username: a, password_file: FIFO}\n", encoding="utf-8")
    Path("row.csv").write_text(HEADER + ROW, encoding="utf-8")
    Path("run").mkdir()
    for name in ("run.csv", "run/run.json", "run/series.om.gz"):
        os.mkfifo(name)
    return tmp_path


@pytest.fixture
def not_for_ever() -> Iterator[None]:
    """A command that waits fails its test, and does not stop all of them."""

    def waited(_number: int, _frame: object) -> None:
        raise TimeoutError("it waits")

    before = signal.signal(signal.SIGALRM, waited)
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.usefixtures("folder", "not_for_ever")
@pytest.mark.parametrize("command", [*COMMANDS, *NO_FILE])
def test_a_fifo_in_the_place_of_a_file_is_named_in_a_line(command: str) -> None:
    words = [*command.split(), *(["--no-preflight"] if command.startswith("run") else [])]
    with pytest.raises(ConfigurationError) as raised:
        soak.main(words, standalone_mode=False)
    assert NO_FILE.get(command, WHAT) in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.usefixtures("not_for_ever")
def test_reports_say_which_file_is_none(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        soak.main(["report", "row.csv", "FIFO"], standalone_mode=False)
    assert capsys.readouterr().err == f"soak: FIFO: cannot be read ({WHAT})\n"
    (folder / "run.csv").unlink()
    (folder / "run.csv").write_text(HEADER + ROW, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=WHAT):
        soak.main(["report", "run"], standalone_mode=False)
    for tool in ("summarize_csv.py", "plot_csv.py -o plot.png"):
        assert WHAT in refusal(f"{CHECKOUT}/scripts/benchmarks/{tool} FIFO")


def refusal(command: str) -> str:
    """What a Python program says that does not do what it was asked."""
    words = [sys.executable, *command.split()]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0
    return done.stderr


@pytest.mark.usefixtures("folder")
def test_an_exporter_whose_routers_key_is_none_does_not_start() -> None:
    anywhere = "--web.listen-address 127.0.0.1:0 --ingest.listen-address 127.0.0.1:0"
    said = refusal(f"-m exporter.cli exporter --config key.yml {anywhere}")
    assert said == f"soak: FIFO: cannot be read ({WHAT}); check the API key file\n"


def test_a_pid_file_that_is_none_costs_a_line_and_no_scrape(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pid")
    config = tmp_path / "exporter.yml"
    process = f"{{name: router, role: router, match: {{pid_file: {tmp_path / 'pid'}}}}}"
    config.write_text(f"processes: [{process}]\n", encoding="utf-8")
    with ExporterProcess(tmp_path, "--config", str(config)) as exporter:
        text = exporter.get().text
        assert 'observed_process_up{process="router",role="router"} 0' in text
        assert 'exporter_collector_success{collector="process"} 1' in text
        assert WHAT in exporter.log.read_text("utf-8")


def whole(text: bytes) -> bytes:
    """As much of it as an exporter reads of a file."""
    return (text * (MAX_FILE_BYTES // len(text) + 1))[: MAX_FILE_BYTES - len(HEADER)]


HOSTILE = {
    "bad-rows": HEADER.encode() + whole(b"\n1"),
    "open-quotes": HEADER.encode() + whole(b'"\n'),
    "a-huge-cell": HEADER.encode() + whole(b"a"),
    "many-cells": HEADER.encode() + whole(b"a,"),
    "a-huge-quoted-cell": HEADER.encode() + b'"' + whole(b"a\n"),
    "zeros": bytes(MAX_FILE_BYTES),
    "zeros-in-cells": HEADER.encode() + whole(b"\0,\0\n"),
    "wide-labels": b"label\n" + whole(("\U0001f300" + "a" * 15_000 + "\n").encode()),
    "rows": b"label\n" + whole(b"a\n"),
    "no-utf-8": HEADER.encode() + whole(b"\xff\n"),
}


def shown_rows(exporter: ExporterProcess) -> int:
    return exporter.get().text.count("\nbenchmark_result_timestamp_seconds{")


def test_whatever_lies_in_the_results_every_scrape_is_answered_within_bounds(tmp_path: Path) -> None:
    results = tmp_path / "results"
    results.mkdir()
    for number in range(500):
        (results / f"20251101-{number}.csv").write_text(HEADER + ROW * 90, encoding="utf-8")
    (results / "20251103-good.csv").write_text(HEADER + ROW, encoding="utf-8")
    with ExporterProcess(tmp_path, "--results.folder", str(results)) as exporter:
        for day, (name, content) in enumerate(HOSTILE.items(), 10):
            (results / f"202511{day}-{name}.csv").write_bytes(content)
            answer = exporter.get()
            assert answer.status_code == 200
            assert "\nbenchmark_run_active 0.0\n" in answer.text
        # A scrape may have come while they were being read.
        wait_for("as many rows as are shown", lambda: shown_rows(exporter) == MAX_ROWS, 90)
        assert peak_bytes(exporter.process.pid) <= MAX_PEAK_BYTES


READ = """
import sys
from pathlib import Path
from exporter.live.results_csv import read_rows
def peak():
    text = open("/proc/self/status").read()
    return int(text.partition("VmHWM:")[2].split()[0]) >> 10
before = peak()
rows, problems = read_rows(Path(sys.argv[1]))
print(len(rows), len(problems), peak() - before)
print(problems[-1])
"""


@pytest.mark.parametrize(
    ("content", "size", "rows", "problems", "last"),
    [
        (HEADER + "a\n", 64 * MIB, 0, 2, "results.csv:3: not CSV (a line of more than 16,384 characters)"),
        (HEADER + "a\n" * 300_000, 0, 0, MAX_PROBLEMS + 1, "results.csv: 299,900 more that cannot be read"),
        ("label\n" + "a\n" * 200_000, 0, MAX_ROWS_READ, 1,
         "results.csv: more than 100,000 rows: the rest is not read"),
    ],
    ids=["no line end", "bad rows", "rows"],
)  # fmt: skip
def test_a_report_reads_no_more_than_it_can_show(
    tmp_path: Path, content: str, size: int, rows: int, problems: int, last: str
) -> None:
    file = tmp_path / "results.csv"
    file.write_text(content, encoding="utf-8")
    if size:
        os.truncate(file, size)
    done = subprocess.run(
        [sys.executable, "-c", READ, str(file)], capture_output=True, text=True, check=True, timeout=60
    )
    figures, problem = done.stdout.splitlines()
    found_rows, found_problems, grown = map(int, figures.split())
    assert (found_rows, found_problems) == (rows, problems)
    assert problem == f"{tmp_path}/{last}"
    assert grown <= 64
