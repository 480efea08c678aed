"""What a scrape costs: of our exporter, idle, and of node_exporter, in turns."""

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml
from cpu_account import cpu_seconds
from exposition_text import Scraper, series_count
from service import find_program, running, running_exporter
from table import Row

from exporter.stack.ports import HOST, free_ports
from exporter.stack.service import Service

SCRAPES = 1000
"""of each: the slowest hundredth of 200 was two or three, which shows the machine more than the exporter"""


@dataclass(frozen=True)
class ScrapeCost:
    """What the scrapes of one exporter cost."""

    name: str
    cpu_seconds: float
    """a scrape"""
    wall_seconds: tuple[float, ...]
    """of every scrape"""
    series: int

    @property
    def wall_p99(self) -> float:
        """The 99th percentile (nearest rank) of the times."""
        ordered = sorted(self.wall_seconds)
        return ordered[-(-99 * len(ordered) // 100) - 1]


@contextmanager
def both_exporters(
    router: Service, others: Sequence[Service], folder: Path
) -> Iterator[tuple[Service, Service]]:
    """Our exporter and node_exporter.

    Ours watches this host, a router's API and process, the processes of others, and node_exporter's.
    """
    port = free_ports().prometheus
    watched = [{"name": "router", "role": "router", "match": {"port": port_of(router)}}]
    ports = {**{service.name: port_of(service) for service in others}, "node-exporter": port}
    watched += [{"name": name, "role": "node", "match": {"port": each}} for name, each in ports.items()]
    configuration = folder / "watch.yml"
    document = {"router": {"url": router.url}, "processes": watched}
    configuration.write_text(yaml.safe_dump(document), encoding="utf-8")
    with (
        running_node_exporter(port, folder) as node_exporter,
        running_exporter("idle-exporter", folder, "--config", str(configuration)) as exporter,
    ):
        yield exporter, node_exporter


def running_node_exporter(port: int, folder: Path) -> AbstractContextManager[Service]:
    """Debian's prometheus-node-exporter with its defaults."""
    command = [find_program("prometheus-node-exporter"), f"--web.listen-address={HOST}:{port}"]
    return running("node-exporter", command, f"http://{HOST}:{port}", "/", folder)


def port_of(service: Service) -> int:
    """The port that a service listens on."""
    return int(service.url.rpartition(":")[2])


def measure_scrapes(services: Sequence[Service], scrapes: int = SCRAPES) -> list[ScrapeCost]:
    """Scrape the services in turns, `scrapes` times each, after a few that only warm them up."""
    with ExitStack() as cleanup:
        scrapers = [cleanup.enter_context(closing(Scraper(service.url))) for service in services]
        for _ in range(5):
            texts = [scraper.text() for scraper in scrapers]
        before = [cpu_seconds(service.pid) for service in services]
        walls: list[list[float]] = [[] for _ in services]
        in_turns = list(zip(scrapers, walls, strict=True))
        for _ in range(scrapes):
            in_turns.reverse()  # neither always comes right after the other
            for scraper, wall in in_turns:
                started = time.monotonic()
                scraper.scrape()
                wall.append(time.monotonic() - started)
        after = [cpu_seconds(service.pid) for service in services]
    costs = [
        ScrapeCost(service.name, (b - a) / scrapes, tuple(wall), series_count(text))
        for service, a, b, wall, text in zip(services, before, after, walls, texts, strict=True)
    ]
    for cost in costs:
        print(
            f"  {cost.name}: {cost.cpu_seconds * 1e3:.2f} ms of CPU a scrape, p99 "
            f"{cost.wall_p99 * 1e3:.1f} ms, {cost.series} series",
            file=sys.stderr,
            flush=True,
        )
    return costs


def scrape_rows(ours: ScrapeCost, theirs: ScrapeCost, watched: str) -> list[Row]:
    """The table's rows: ours over node_exporter's, neither to cost more."""
    cpu, wall = ours.cpu_seconds / theirs.cpu_seconds, ours.wall_p99 / theirs.wall_p99
    return [
        Row(f"CPU of a scrape ({watched}) / node_exporter's", f"{cpu:.2f}", "<= 1.0", cpu <= 1),
        Row("p99 time of a scrape / node_exporter's", f"{wall:.2f}", "<= 1.0", wall <= 1),
        Row("series, ours and node_exporter's", f"{ours.series} and {theirs.series}"),
    ]
