"""Asks Prometheus; raises where it gives no answer, never returns a default."""

import json
from typing import Any

import requests

from exporter.errors import QueryError
from exporter.run.http_answer import BoundedHttp, UnansweredError, printable
from exporter.settings.url import server_url
from exporter.timeseries import Series

TIMEOUT_SECONDS = 10.0
MAX_ANSWER_BYTES = 64 << 20
EXAMPLE = "http://127.0.0.1:9090"


class PrometheusClient:
    """The HTTP API of one Prometheus."""

    def __init__(self, url: str) -> None:
        self.url = server_url(url, "--prometheus", EXAMPLE)
        session = requests.Session()
        session.trust_env = False
        self._http = BoundedHttp(session, TIMEOUT_SECONDS, MAX_ANSWER_BYTES)

    def beside(self) -> "PrometheusClient":
        """The same Prometheus, for another thread."""
        return PrometheusClient(self.url)

    def query(self, expression: str) -> list[Series]:
        """The instant vector of `expression` now, each series with one sample; may be empty."""
        return self._ask("query", {"query": expression})

    def query_range(self, expression: str, start: float, end: float, step: float) -> list[Series]:
        """The series of `expression` from `start` to `end` (Unix s), a point each `step` seconds."""
        parameters = {"query": expression, "start": str(start), "end": str(end), "step": str(step)}
        return self._ask("query_range", parameters)

    def value(self, expression: str) -> float:
        """The one value of `expression` now; raises QueryError where there is none or more than one."""
        series = self.query(expression)
        if len(series) != 1:
            raise QueryError(f"Prometheus: {expression} gives {len(series)} series, not one")
        return series[0].values[0]

    def _ask(self, endpoint: str, parameters: dict[str, str]) -> list[Series]:
        try:
            answer = self._http.ask("GET", f"{self.url}/api/v1/{endpoint}", params=parameters)
        except UnansweredError as error:
            raise QueryError(f"no Prometheus answers at {self.url} ({error})") from error
        try:
            document = json.loads(answer.body)
            if document["status"] != "success":
                reason = printable(str(document.get("error", "no reason")))
                raise QueryError(f"Prometheus: {parameters['query']}: {reason}")
            return [_series(entry) for entry in document["data"]["result"]]
        except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
            raise QueryError(
                f"what answers at {self.url} is no Prometheus (HTTP {answer.status} at /api/v1/{endpoint})"
            ) from error


def _series(entry: dict[str, Any]) -> Series:
    metric = entry["metric"]
    labels = {name: value for name, value in metric.items() if name != "__name__"}
    series = Series(metric.get("__name__", ""), tuple(sorted(labels.items())))
    for time, value in entry["values"] if "values" in entry else [entry["value"]]:
        series.times.append(float(time))
        series.values.append(float(value))
    return series
