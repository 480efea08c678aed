"""`make bench`: timed figures, as ratios of things measured side by side in one run."""

import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import click

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))
from accuracy import EXPLANATION, FULL_SPEED_SECONDS, RUNS, STEADY_SECONDS, accuracy_rows, measure_percentiles
from dashboard_cost import dashboard_rows
from gpu_cost import gpu_rows, measure_gpu_scrapes
from live_run import LiveLoad
from memory_run import memory_rows, run_memory, run_scraped
from nginx_target import nginx_target
from observer import observer_rows, run_observed
from pairs import pair_rows, run_pairs, unsaturated_row
from parser_cost import parser_rows
from peer_loads import LoadAsked
from peers import installed, lay_out_tokenizer
from retention import MINUTES as RETENTION_MINUTES
from retention import measure_retention, retention_rows
from scrape_cost import SCRAPES, both_exporters, measure_scrapes, scrape_rows
from service import PACKAGES, find_program, running, running_exporter, soak_command
from stream_pace import PACED_SECONDS, STREAMS, held_rows, own_part_rows
from stream_speed import CONNECTIONS as STREAM_CONNECTIONS
from stream_speed import ROUNDS as STREAM_ROUNDS
from stream_speed import SECONDS as STREAM_SECONDS
from stream_speed import run_turns, speed_rows
from table import Row, render
from viewer_cost import ROUNDS as VIEWER_ROUNDS
from viewer_cost import SECONDS as VIEWER_SECONDS
from viewer_cost import measure_viewer, viewer_rows

from exporter.cli.main import run_command
from exporter.load.workload import DEFAULT_ENDPOINT, DEFAULT_MODEL, make_workload
from exporter.stack.ports import HOST, free_ports
from exporter.stack.service import Service

LONG = ("retention", "memory")
"""parts that take minutes, and are left out unless they are asked for"""
PARTS = (
    *("throughput", "accuracy", "scrape", "gpu", "observer", "viewer", "parsers", "dashboards"),
    *("streams", "pace", *LONG),
)
CHECKOUT = Path(__file__).resolve().parents[2]
DEFAULT_MINUTES = 10
WARM_UP_SECONDS = 2
STEADY_PAIRS = 3
SIMULATOR = ("--latency-median", "0.020", "--latency-p99", "0.060")
OBSERVED_CONNECTIONS = 20
OBSERVED_ROUNDS = 5
OBSERVED_SECONDS = 10


@click.command(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100, "show_default": True}
)
@click.option("--pairs", type=click.IntRange(1, 99), default=25, help="Rounds of the throughput part.")
@click.option("--seconds", type=click.IntRange(2, 600), default=5, help="Length of each of its runs.")
@click.option(
    "--connections",
    type=click.IntRange(1, 1000),
    default=50,
    help="Connections of every load, and threads of wrk.",
)
@click.option(
    "--minutes",
    type=click.IntRange(2, 1440),
    help="Length of the parts memory and retention [default: 10 and 21 where they are asked for by --part, "
    "else they are left out].",
)
@click.option(
    "--part",
    "parts",
    type=click.Choice(PARTS),
    multiple=True,
    help="Only this part; may be repeated [default: all but memory and retention].",
)
def bench(pairs: int, seconds: int, connections: int, minutes: int | None, parts: tuple[str, ...]) -> None:
    """Measure what live reporting costs and how exact it is, against an nginx with one fixed answer.

    \b
    throughput  the live wrk engine and bare wrk (same threads, connections, body) in turns, A B, B A, …;
                hey in every third round; the exporter's CPU; whether /metrics has every request
    accuracy    the live p50, p95, p99 and wrk's own, of the same runs: at the simulated router (median 20 ms,
                p99 60 ms) and at nginx at full speed
    scrape      CPU and time of a scrape (host, four processes, router) and those of node_exporter's, in turns
    gpu         time of a scrape with eight GPUs (the NVML stub) and sixteen processes on them
    observer    throughput and p99 of the simulated router, scraped every second and not, in turns
    viewer      the exporter's CPU with the live page open and without, in turns
    parsers     CPU of the hand tools on 10,000 rows
    dashboards  time of every query of the Grafana dashboards over an hour of series
    streams     the streaming engine, aiperf and guidellm at nginx's stream, and it, aiperf and Locust at its
                plain answer, in turns; the three are installed from PyPI into .venv/peers (several GB), and
                what cannot be had is named
    pace        what the streaming engine adds to a first token, at 200 streams of 50 tokens a second
    retention   what a Prometheus keeps of 1, 10 and 100 agents: series, bytes a sample, its memory and CPU; a
                real agent's exposition under many names, each fleet with a Prometheus of its own
    memory      the exporter's memory over minutes: under full-speed load, and scraped every second; then the
                streaming engine's, with 1,000 streams

    Single figures depend on the machine and on what else runs there; the ratios much less so, since both
    sides of each were measured in turns. It starts its own servers on free loopback ports and stops them at
    the end and on Ctrl-C. Progress goes to standard error, the table to standard output.

    \b
    make bench                     everything but memory and retention, twenty minutes
    make bench MINUTES=10          with twice ten minutes of memory, and ten of retention
    .venv/bin/python scripts/bench/bench.py --part throughput --pairs 3

    Exit code: 0 when it could measure, whatever it measured; 2 when it could not; 3 after a Ctrl-C.
    """
    for program in PACKAGES:
        find_program(program)
    chosen = set(parts or (part for part in PARTS if part not in LONG))
    if minutes is not None and not chosen & set(LONG):
        chosen.update(("memory",) if parts else LONG)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        with _loaded(nginx_target(free_ports().router, folder), connections, folder) as (target, load):
            load.run(WARM_UP_SECONDS)
            if "throughput" in chosen:
                _say(f"throughput: {pairs} pairs of {seconds} s at {connections} connections")
                rows += pair_rows(run_pairs(load, target, pairs, seconds, folder))
                with _loaded(_steady_router(folder), load.connections, folder) as (router, steady):
                    rows.append(unsaturated_row(run_pairs(steady, router, STEADY_PAIRS, seconds, folder)))
            if "accuracy" in chosen:
                _say(f"accuracy: {RUNS} runs at each target")
                rows += _accuracy(load, folder)
            if "scrape" in chosen:
                _say(f"scrape: {SCRAPES} of each exporter, in turns")
                with _idle_exporters(load, target, folder) as (exporters, _):
                    ours, theirs = measure_scrapes(exporters)
                    rows += scrape_rows(ours, theirs, "host, 4 processes, router")
            if "gpu" in chosen:
                _say(f"gpu: {SCRAPES} scrapes of each exporter, in turns")
                rows += gpu_rows(*measure_gpu_scrapes(folder))
            if "observer" in chosen:
                _say(f"observer: {OBSERVED_ROUNDS} rounds of three runs of {OBSERVED_SECONDS} s")
                rows += _observer(load, target, folder)
            if "viewer" in chosen:
                _say(f"viewer: {VIEWER_ROUNDS} rounds of two runs of {VIEWER_SECONDS} s")
                with _loaded(_steady_router(folder), OBSERVED_CONNECTIONS, folder) as (_, watched):
                    rows += viewer_rows(measure_viewer(watched))
            rows += _without_load(chosen, folder)
            rows += _stream_parts(chosen, target, folder)
            if "retention" in chosen:
                _say(f"retention: {minutes or RETENTION_MINUTES} minutes")
                rows += retention_rows(measure_retention(folder, 60 * (minutes or RETENTION_MINUTES)))
            if "memory" in chosen:
                minutes = minutes or DEFAULT_MINUTES
                _say(f"memory: {minutes} minutes")
                rows += _memory(load, target, minutes, folder)
            elif not parts:
                rows.append(Row("exporter's memory over time", "not run: make bench MINUTES=10", "flat"))
    click.echo(render(rows))
    if "accuracy" in chosen:
        click.echo(f"\n{EXPLANATION}")


@contextmanager
def _loaded(
    target: AbstractContextManager[Service], connections: int, folder: Path
) -> Iterator[tuple[Service, LiveLoad]]:
    """A target, the exporter that watches it as a router on this host, and the load that reports to it."""
    with target as service:
        environment = {"ROUTER_URL": service.url}
        with running_exporter("exporter", folder, keeps_state=True, environment=environment) as exporter:
            workload = make_workload(service.url, DEFAULT_ENDPOINT, DEFAULT_MODEL)
            yield service, LiveLoad(exporter, workload, connections)


def _steady_router(folder: Path) -> AbstractContextManager[Service]:
    """A simulated router that takes its time."""
    port = free_ports().router
    command = soak_command("simulate", "--port", str(port), *SIMULATOR)
    return running("simulator", command, f"http://{HOST}:{port}", "/v1/models", folder)


@contextmanager
def _idle_exporters(
    load: LiveLoad, target: Service, folder: Path
) -> Iterator[tuple[tuple[Service, Service], Service]]:
    """Exporters that nothing reports to, ours and node_exporter, and the simulated router that is watched."""
    with (
        _steady_router(folder) as router,
        both_exporters(router, (target, load.exporter), folder) as exporters,
    ):
        yield exporters, router


def _observer(load: LiveLoad, target: Service, folder: Path) -> list[Row]:
    """At the simulated router when it takes its time, bound by latency and not by CPU."""
    with _idle_exporters(load, target, folder) as ((exporter, _), router):
        workload = make_workload(router.url, DEFAULT_ENDPOINT, DEFAULT_MODEL)
        length = (OBSERVED_CONNECTIONS, OBSERVED_SECONDS)
        rounds = run_observed(exporter, workload, length, OBSERVED_ROUNDS, folder)
    return observer_rows(rounds, "the simulated router")


def _stream_parts(chosen: set[str], target: Service, folder: Path) -> list[Row]:
    rows: list[Row] = []
    if "streams" in chosen:
        _say(f"streams: {STREAM_ROUNDS} rounds of {STREAM_SECONDS} s of each, then of plain answers")
        rows += _streams(target, folder)
    if "pace" in chosen:
        _say(f"pace: {STREAMS} streams for {PACED_SECONDS} s")
        rows += own_part_rows(folder)
    return rows


def _streams(target: Service, folder: Path) -> list[Row]:
    """Streams first, then plain answers."""
    peers, missing = installed(CHECKOUT)
    hub = lay_out_tokenizer(folder / "hub")
    rows: list[Row] = []
    for streams in (True, False):
        asked = LoadAsked(target.url, STREAM_CONNECTIONS, STREAM_SECONDS, streams)
        rows += speed_rows(run_turns(asked, peers, STREAM_ROUNDS, hub, folder), streams, missing)
    versions = [f"{peer.name} {peer.version}" for peer in peers]
    rows.append(Row("  peers", ", ".join(versions + [f"{name}: {why}" for name, why in missing.items()])))
    return rows


def _without_load(chosen: set[str], folder: Path) -> list[Row]:
    rows: list[Row] = []
    if "parsers" in chosen:
        rows += parser_rows(folder)
    if "dashboards" in chosen:
        _say("dashboards: every query over an hour")
        rows += dashboard_rows(folder)
    return rows


def _memory(load: LiveLoad, target: Service, minutes: int, folder: Path) -> list[Row]:
    """Both exporters at the same time: for memory it does not matter that they share the machine.

    Then the streaming engine's, for as long.
    """
    with _idle_exporters(load, target, folder) as ((exporter, _), _router), ThreadPoolExecutor(1) as pool:
        scraped = pool.submit(run_scraped, exporter, minutes)
        loaded = run_memory(load, minutes)
        rows = memory_rows(loaded, "at full speed") + memory_rows(scraped.result(), "scraped every second")
    _say(f"memory of the streaming engine: {minutes} minutes")
    return rows + held_rows(minutes, folder)


def _accuracy(load: LiveLoad, folder: Path) -> list[Row]:
    """At a router that takes its time, under an exporter of its own, and at nginx."""
    with _loaded(_steady_router(folder), load.connections, folder) as (_, steady):
        rows = accuracy_rows(measure_percentiles(steady, STEADY_SECONDS, "steady"), "steady router")
    at_nginx = measure_percentiles(load, FULL_SPEED_SECONDS, "nginx")
    return rows + accuracy_rows(at_nginx, "nginx at full speed")


def _say(text: str) -> None:
    click.echo(text, err=True)


if __name__ == "__main__":
    run_command(bench, "bench")
