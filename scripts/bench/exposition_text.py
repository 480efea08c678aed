"""What the bench asks of a /metrics: its text, and sums, gauges and sizes in it."""

import requests
from failure import BenchError
from prometheus_client.parser import text_string_to_metric_families

TIMEOUT_SECONDS = 10.0


def scrape(session: requests.Session, url: str) -> str:
    """The text of `url`/metrics, gzipped on the way as Prometheus asks for it."""
    try:
        answer = session.get(
            f"{url}/metrics",
            headers={"Accept": "text/plain;version=0.0.4", "Accept-Encoding": "gzip"},
            timeout=TIMEOUT_SECONDS,
        )
        answer.raise_for_status()
    except requests.RequestException as error:
        raise BenchError(f"{url}/metrics gave no answer ({error})") from error
    return answer.text


def local_session() -> requests.Session:
    """A session that keeps its connection and takes no proxy from the environment."""
    session = requests.Session()
    session.trust_env = False
    return session


def sum_of(text: str, name: str) -> float:
    """The sum of all samples of a name; 0 where a counter has no series yet."""
    return sum(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name
    )


def gauge_by(text: str, name: str, label: str) -> dict[str, float]:
    """The samples of a name by one of their labels."""
    return {
        sample.labels[label]: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name
    }


def series_count(text: str) -> int:
    """How many series an exposition has: its lines that are neither empty nor comments."""
    return sum(1 for line in text.splitlines() if line and not line.startswith("#"))
