"""exporter.results.record: the seed's columns; what is not known is empty."""

import csv
import io
from typing import Any

import pytest

from exporter.live.results_csv import rows_text
from exporter.results.record import result_row
from exporter.results.run_result import RunResult
from tests.support.run_results import evidence, failures_by_reason, requests_by_class, run_result

HEADER = "label,rps,p50_ms,p75_ms,p90_ms,p95_ms,p99_ms,non2xx,socket_errors,requests,duration_s\n"
QUANTILES = ("0.5", "0.75", "0.9", "0.95", "0.99", "0.999")


def csv_text(result: RunResult) -> str:
    return rows_text([result_row(result)])


def row(**changes: Any) -> dict[str, str]:
    (found,) = csv.DictReader(io.StringIO(csv_text(run_result(evidence(**changes)))))
    return found


def test_a_run_is_a_header_and_one_row() -> None:
    assert (
        csv_text(run_result()) == HEADER + "nightly,16.67,20.100,25.400,33.300,40.568,61.235,0,0,1000,60.00\n"
    )


def test_rates_and_counts_are_those_of_the_columns_meaning() -> None:
    found = row(
        measured_seconds=30.004,
        requests=requests_by_class(_2xx=900, _3xx=1, _4xx=40, _5xx=59),
        failures=failures_by_reason(connect=1, read=20, disconnect=300),
    )
    assert found["rps"] == "30.00"
    assert found["non2xx"] == "100"
    assert found["socket_errors"] == "321"
    assert found["requests"] == "1000"
    assert found["duration_s"] == "30.00"


def test_latencies_are_empty_and_not_zero_where_nothing_was_2xx() -> None:
    known = evidence(requests=requests_by_class(_4xx=5), statuses={"404": 5})
    nothing: dict[str, float | None] = dict.fromkeys(QUANTILES)
    assert csv_text(run_result(known, quantiles=nothing)) == HEADER + "nightly,0.00,,,,,,5,0,5,60.00\n"


def test_the_rate_is_empty_where_no_time_was_measured() -> None:
    assert row(measured_seconds=0.0)["rps"] == ""


@pytest.mark.parametrize("quantile", QUANTILES[:5])
def test_one_unknown_latency_empties_its_own_column_alone(quantile: str) -> None:
    known = {**run_result().quantiles, quantile: None}
    (found,) = csv.DictReader(io.StringIO(csv_text(run_result(quantiles=known))))
    assert [name for name, value in found.items() if not value] == [f"p{float(quantile) * 100:.0f}_ms"]
