"""Somebody announces runs without end, each of other models, and somebody else still wants to work."""

from pathlib import Path

import requests

from exporter.live.message import MAX_PAIRS
from exporter.live.runs import MAX_MODELS
from tests.support.live_messages import token_of
from tests.support.peak_memory import MAX_PEAK_BYTES, peak_bytes
from tests.support.secured_exporter import ExporterProcess
from tests.support.served_exporter import announcement


def put(exporter: ExporterProcess, run: str, phase: str, pairs: list[dict[str, str]]) -> requests.Response:
    body = announcement(phase, run=run, token=token_of(run).hex(), pairs=pairs)
    return requests.put(f"http://127.0.0.1:{exporter.port}/api/runs/{run}", json=body, timeout=20)


def flood(exporter: ExporterProcess, rounds: int) -> None:
    """Runs of 16 models each, one after the other."""
    for number in range(rounds):
        run = f"{number:016}"
        pairs = [{"route": "local", "model": f"junk-{number}-{i}"} for i in range(MAX_PAIRS)]
        for phase in ("load", "finished"):
            assert put(exporter, run, phase, pairs).status_code == 200


def models(exporter: ExporterProcess) -> set[str]:
    lines = [line for line in exporter.get().text.splitlines() if line.startswith("benchmark_in_flight")]
    return {line.partition('model="')[2].partition('"')[0] for line in lines}


def test_the_newest_gets_in_after_any_number_of_them_and_after_a_restart(tmp_path: Path) -> None:
    mine = [{"route": "local", "model": "mine"}]
    options = ("--ingest.state-file", str(tmp_path / "state.json"))
    with ExporterProcess(tmp_path, *options) as exporter:
        flood(exporter, 20)
        assert len(models(exporter)) == MAX_MODELS
        assert put(exporter, "e" * 16, "load", mine).status_code == 200
        assert "mine" in models(exporter)
        assert len(models(exporter)) == MAX_MODELS
    with ExporterProcess(tmp_path, *options) as exporter:
        assert "mine" in models(exporter)
        assert put(exporter, "f" * 16, "load", [{"route": "local", "model": "another"}]).status_code == 200
        assert {"mine", "another"} <= models(exporter)
        assert len(models(exporter)) == MAX_MODELS
        assert peak_bytes(exporter.process.pid) <= MAX_PEAK_BYTES


def test_what_is_read_in_the_open_ends_no_run_and_counts_for_none(tmp_path: Path) -> None:
    mine = [{"route": "local", "model": "mine"}]
    with ExporterProcess(tmp_path) as exporter:
        run = "0123456789abcdef"
        assert put(exporter, run, "load", mine).status_code == 200
        shown = exporter.get().text + exporter.get(f"/api/runs/{run}").text + exporter.get("/").text
        assert f'run="{run}"' in shown
        assert token_of(run).hex() not in shown
        for guess in (run.encode().hex()[:-1] + "0", "0" * 32, f"{run}{run}"):
            body = announcement("finished", run=run, token=guess, pairs=mine)
            url = f"http://127.0.0.1:{exporter.port}/api/runs/{run}"
            assert requests.put(url, json=body, timeout=20).status_code == 409
        assert exporter.get(f"/api/runs/{run}").json()["phase"] == "load"
