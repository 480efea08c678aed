"""What the bench asks of a /metrics: its text, and sums, gauges and sizes in it."""

import gzip
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from exporter.errors import SoakError

TIMEOUT_SECONDS = 10.0
HEADERS = {"Accept": "text/plain;version=0.0.4", "Accept-Encoding": "gzip"}
"""as Prometheus asks"""


class Scraper:
    """Scrapes `url`/metrics over one connection, until it is closed.

    By the standard library: requests spends a millisecond of its own on each scrape, an eighth of what is
    measured.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection = HTTPConnection(urlsplit(url).netloc, timeout=TIMEOUT_SECONDS)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def scrape(self) -> bytes:
        """The answer as it comes, gzipped; raises SoakError where there is none."""
        try:
            self._connection.request("GET", "/metrics", headers=HEADERS)
            answer = self._connection.getresponse()
            body = answer.read()
        except (OSError, HTTPException) as error:
            self._connection.close()
            raise SoakError(f"{self._url}/metrics gave no answer ({error})") from error
        if answer.status != 200 or answer.headers["Content-Encoding"] != "gzip":
            raise SoakError(f"{self._url}/metrics: {answer.status} {answer.reason}, or not gzipped")
        return body

    def text(self) -> str:
        """The text of a scrape."""
        return gzip.decompress(self.scrape()).decode()


def sum_of(text: str, name: str) -> float:
    """The sum of all samples of a name; 0 where a counter has no series yet."""
    return sum(sample.value for sample in _samples(text, name))


def gauge_by(text: str, name: str, label: str) -> dict[str, float]:
    """The samples of a name by one of their labels."""
    return {sample.labels[label]: sample.value for sample in _samples(text, name)}


def _samples(text: str, name: str) -> list[Sample]:
    families = text_string_to_metric_families(text)
    return [sample for family in families for sample in family.samples if sample.name == name]


def series_count(text: str) -> int:
    """How many series an exposition has: its lines that are neither empty nor comments."""
    return sum(1 for line in text.splitlines() if line and not line.startswith("#"))
