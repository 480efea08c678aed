"""exporter.run.prometheus_client: an answer or an error, never a default."""

from typing import Any
from urllib.parse import parse_qs

import pytest

from exporter.errors import QueryError
from exporter.run.prometheus_client import PrometheusClient
from tests.support.local_http import Answer, LocalHttp


def vector(*values: str) -> dict[str, Any]:
    result = [
        {"metric": {"__name__": "up", "job": f"j{i}"}, "value": [1764000000.5, value]}
        for i, value in enumerate(values)
    ]
    return {"status": "success", "data": {"resultType": "vector", "result": result}}


def test_an_instant_vector_is_one_series_with_one_sample_each() -> None:
    with LocalHttp(lambda asked: (200, vector("1", "0.25"))) as server:
        found = PrometheusClient(server.url + "/").query("up{job=~'j.'}")
    assert [(series.name, series.labels) for series in found] == [
        ("up", (("job", "j0"),)),
        ("up", (("job", "j1"),)),
    ]
    assert [series.times.tolist() for series in found] == [[1764000000.5]] * 2
    assert [series.values.tolist() for series in found] == [[1.0], [0.25]]
    assert (server.asked[0].method, server.asked[0].path) == ("POST", "/api/v1/query")
    assert parse_qs(server.asked[0].body.decode()) == {"query": ["up{job=~'j.'}"]}


def test_samples_that_measure_nothing_are_not_there() -> None:
    values = [[10, "1"], [15, "NaN"], [20, "+Inf"], [25, "-Inf"], [30, "2"]]
    result = [{"metric": {"__name__": "a_total"}, "values": values}]
    document = {"status": "success", "data": {"resultType": "matrix", "result": result}}
    with LocalHttp(lambda asked: (200, document)) as server:
        (found,) = PrometheusClient(server.url).samples("a_total", 0.0, 30.0)
    assert (found.times.tolist(), found.values.tolist()) == ([10, 30], [1, 2])


def test_a_range_is_asked_for_with_its_bounds_and_step() -> None:
    series = {"metric": {"alertname": "RouterDown"}, "values": [[10, "1"], [15.5, "NaN"], [20, "+Inf"]]}
    document = {"status": "success", "data": {"resultType": "matrix", "result": [series]}}
    with LocalHttp(lambda asked: (200, document)) as server:
        (found,) = PrometheusClient(server.url).query_range("ALERTS", 10.0, 20.0, 5.0)
    assert (found.name, found.label("alertname")) == ("", "RouterDown")
    assert found.times.tolist() == [10, 15.5, 20]
    assert [repr(value) for value in found.values] == ["1.0", "nan", "inf"]
    assert server.asked[0].path == "/api/v1/query_range"
    assert parse_qs(server.asked[0].body.decode()) == {
        "query": ["ALERTS"],
        "start": ["10.0"],
        "end": ["20.0"],
        "step": ["5.0"],
    }


def test_an_empty_vector_is_an_answer() -> None:
    with LocalHttp(lambda asked: (200, vector())) as server:
        assert PrometheusClient(server.url).query("nothing") == []


def test_the_value_of_one_series_is_given() -> None:
    with LocalHttp(lambda asked: (200, vector("42"))) as server:
        assert PrometheusClient(server.url).value("sum(x)") == 42.0


@pytest.mark.parametrize("values", [[], ["1", "2"]])
def test_a_value_of_no_series_or_of_several_is_an_error_and_not_zero(values: list[str]) -> None:
    with (
        LocalHttp(lambda asked: (200, vector(*values))) as server,
        pytest.raises(QueryError) as error,
    ):
        PrometheusClient(server.url).value("sum(x)")
    assert f"sum(x) gives {len(values)} series" in str(error.value)


def test_a_query_that_prometheus_refuses_is_an_error_with_its_reason() -> None:
    refusal = {"status": "error", "errorType": "bad_data", "error": "parse error: unexpected end"}
    with (
        LocalHttp(lambda asked: (400, refusal)) as server,
        pytest.raises(QueryError) as error,
    ):
        PrometheusClient(server.url).query("sum(")
    assert str(error.value).endswith("sum(: parse error: unexpected end")


@pytest.mark.parametrize(
    "answer",
    [
        (200, "<html>a login page</html>"),
        (503, "Service Unavailable"),
        (200, []),
        (200, {}),
        (200, {"status": "success"}),
        (200, {"status": "success", "data": None}),
        (200, {"status": "success", "data": {}}),
    ],
)
def test_an_answer_that_is_none_is_an_error_naming_the_place(answer: Answer) -> None:
    with LocalHttp(lambda asked: answer) as server, pytest.raises(QueryError, match=server.url):
        PrometheusClient(server.url).query("up")


def test_a_prometheus_that_is_away_is_an_error() -> None:
    with LocalHttp(lambda asked: (200, vector())) as server:
        url = server.url
    with pytest.raises(QueryError, match=url):
        PrometheusClient(url).query("up")


@pytest.mark.parametrize("result", [[1.0, "2"], None, [{"metric": {}}], [{"metric": {}, "value": [0, "x"]}]])
def test_a_result_of_another_shape_is_missing_evidence(result: object) -> None:
    answer = {"status": "success", "data": {"result": result}}
    with LocalHttp(lambda asked: (200, answer)) as server, pytest.raises(QueryError):
        PrometheusClient(server.url).value("1")
