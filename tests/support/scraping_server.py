"""A Prometheus, or a VictoriaMetrics, that scrapes what a test names, every two seconds."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import yaml

from exporter.clock import SystemClock
from exporter.run.prometheus_client import PrometheusClient
from exporter.stack.ports import HOST, free_ports
from exporter.stack.service import Service
from exporter.timeseries import Series
from tests.support.checkout import CHECKOUT
from tests.support.waiting import wait_for

PROGRAMS = {"prometheus": "prometheus", "victoria-metrics": "victoria-metrics"}
INTERVAL = "2s"


@contextmanager
def scraping(
    kind: str, targets: Mapping[str, Sequence[str]], folder: Path, prefix: Sequence[str] = ()
) -> Iterator[str]:
    """The URL of one that has scraped the targets of each job; Prometheus has the project's rules.

    `prefix` is put before its command.
    """
    folder.mkdir()
    address = f"{HOST}:{free_ports().prometheus}"
    config = folder / "scrape.yml"
    whole = {"scrape_interval": INTERVAL, "scrape_timeout": INTERVAL}
    document = {
        "global": whole,
        "scrape_configs": [
            {"job_name": job, "static_configs": [{"targets": list(each)}]} for job, each in targets.items()
        ],
    }
    if kind == "prometheus":
        whole["evaluation_interval"] = INTERVAL
        document["rule_files"] = [str(CHECKOUT / "prometheus" / "rules" / "*.yml")]
    config.write_text(yaml.safe_dump(document), encoding="utf-8")
    options = {
        "prometheus": [
            f"--config.file={config}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address={address}",
            "--log.level=warn",
        ],
        "victoria-metrics": [
            f"-promscrape.config={config}",
            f"-storageDataPath={folder / 'data'}",
            f"-httpListenAddr={address}",
            "-loggerLevel=WARN",
        ],
    }
    service = Service(kind, f"http://{address}", [*prefix, PROGRAMS[kind], *options[kind]], folder)
    try:
        service.wait_until_ready("/-/ready" if kind == "prometheus" else "/health")
        prometheus, count = PrometheusClient(service.url), sum(map(len, targets.values()))
        # What is counted before an exporter is scraped first is known to nobody.
        wait_for("every target, scraped", lambda: len(_up(prometheus)) == count, 60)
        yield service.url
    finally:
        service.stop()


def wait_for_scrapes(url: str, count: int) -> None:
    """Wait until that many targets have been scraped from now on."""
    began, prometheus = SystemClock().wall(), PrometheusClient(url)
    wait_for(
        "a scrape of every target",
        lambda: sum(each.times[-1] > began for each in _up(prometheus)) == count,
        60,
    )


def _up(prometheus: PrometheusClient) -> list[Series]:
    now = SystemClock().wall()
    return [each for each in prometheus.samples("up", now - 60, now) if each.values[-1] == 1]
