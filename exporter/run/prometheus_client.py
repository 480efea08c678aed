"""Asks Prometheus; raises where it gives no answer, never returns a default."""

import json
import math
from typing import Any

from exporter.errors import QueryError
from exporter.run.http_answer import BoundedHttp, TooLongError, UnansweredError, printable
from exporter.settings.login import NO_LOGIN, HttpClient
from exporter.settings.url import server_url
from exporter.timeseries import Series

TIMEOUT_SECONDS = 10.0
MAX_ANSWER_BYTES = 64 << 20
MAX_SHOWN = 300
"""letters of an expression in a message"""
EXAMPLE = "http://127.0.0.1:9090"


class RefusedQueryError(QueryError):
    """The server does not take the expression."""


class TooMuchError(QueryError):
    """The answer is more than the server gives, or than is taken; a part of it may be had."""


class PrometheusClient:
    """The HTTP API of one Prometheus, or of what speaks the same; `login` is how to log in there."""

    def __init__(self, url: str, login: HttpClient = NO_LOGIN) -> None:
        self.url = server_url(url, "--prometheus", EXAMPLE)
        self._login = login
        self._http = BoundedHttp(login.session(), TIMEOUT_SECONDS, MAX_ANSWER_BYTES)

    def beside(self) -> "PrometheusClient":
        """The same Prometheus, for another thread."""
        return PrometheusClient(self.url, self._login)

    def query(self, expression: str, at: float | None = None) -> list[Series]:
        """The instant vector of `expression` now or at a time (Unix s), one sample a series; may be empty."""
        return self._ask("query", {"query": expression} | ({} if at is None else {"time": f"{at:.3f}"}))

    def samples(self, selector: str, since: float, until: float) -> list[Series]:
        """The samples of a selector as they were scraped, later than `since` and up to `until` (Unix s).

        Neither interpolated nor repeated: what was not scraped is not there. NaN (a marker of staleness, with
        some servers) and infinity measure nothing and are left out, as are series without a sample.
        """
        # Prometheus 2 takes the sample at the beginning of the range too, 3 and others do not.
        milliseconds = max(1, round((until - since) * 1000))
        found = self._ask("query", {"query": f"{selector}[{milliseconds}ms]", "time": f"{until:.3f}"})
        return [kept for series in found if (kept := _within(series, since, until)).times]

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
            # A selector may be longer than a URL.
            answer = self._http.ask("POST", f"{self.url}/api/v1/{endpoint}", data=parameters)
        except TooLongError as error:
            raise TooMuchError(f"the Prometheus at {self.url} gives no whole answer ({error})") from error
        except UnansweredError as error:
            raise QueryError(f"no Prometheus answers at {self.url} ({error})") from error
        try:
            if answer.status in (401, 403):
                raise QueryError(
                    f"the Prometheus at {self.url} wants a login (HTTP {answer.status}): --prometheus.config "
                    "names a file with it"
                )
            document = json.loads(answer.body)
            if document["status"] != "success":
                reason = printable(str(document.get("error", "no reason")))
                kind = {"bad_data": RefusedQueryError, "400": RefusedQueryError}.get(
                    str(document.get("errorType")), TooMuchError
                )
                raise kind(f"Prometheus: {parameters['query'][:MAX_SHOWN]}: {reason}")
            return [_series(entry) for entry in document["data"]["result"]]
        except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
            raise QueryError(
                f"what answers at {self.url} is no Prometheus (HTTP {answer.status} at /api/v1/{endpoint})"
            ) from error


def _within(series: Series, since: float, until: float) -> Series:
    kept = Series(series.name, series.labels)
    for time, value in zip(series.times, series.values, strict=True):
        if since < time <= until + 0.001 and math.isfinite(value):
            kept.times.append(time)
            kept.values.append(value)
    return kept


def _series(entry: dict[str, Any]) -> Series:
    metric = entry["metric"]
    labels = {name: value for name, value in metric.items() if name != "__name__"}
    series = Series(metric.get("__name__", ""), tuple(sorted(labels.items())))
    for time, value in entry["values"] if "values" in entry else [entry["value"]]:
        series.times.append(float(time))
        series.values.append(float(value))
    return series
