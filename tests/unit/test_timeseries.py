"""exporter.timeseries: series by name and labels."""

import pytest

from exporter.timeseries import Series, SeriesStore


def store() -> SeriesStore:
    found = SeriesStore()
    found.add("up", {"b": "2", "a": "1"}, 10.0, 1.0)
    found.add("up", {"a": "1", "b": "2"}, 15.0, 0.0)
    found.add("up", {"a": "1"}, 10.0, 5.0)
    found.add("down", {"a": "1"}, 10.0, 7.0)
    return found


def test_samples_of_the_same_name_and_labels_are_one_series_in_any_order_of_the_labels() -> None:
    (series,) = store().select("up", b="2")
    assert series.labels == (("a", "1"), ("b", "2"))
    assert series.times.tolist() == [10.0, 15.0]
    assert series.values.tolist() == [1.0, 0.0]


def test_select_gives_every_series_that_has_the_labels_and_none_of_another_name() -> None:
    assert [series.values.tolist() for series in store().select("up", a="1")] == [[1.0, 0.0], [5.0]]
    assert store().select("up", a="2") == []
    assert store().select("nothing") == []


def test_iterating_gives_every_series_once_by_name_and_labels() -> None:
    assert [(series.name, len(series.times)) for series in store()] == [("down", 1), ("up", 1), ("up", 2)]


def test_the_last_sample_is_known_and_none_where_there_is_no_series() -> None:
    assert store().last("up", b="2") == (15.0, 0.0)
    assert store().last("up", b="3") is None


def test_a_label_is_given_by_name_and_is_none_where_there_is_none() -> None:
    (series,) = store().select("down")
    assert series.label("a") == "1"
    assert series.label("b") is None


@pytest.mark.parametrize(
    ("values", "increase"),
    [([], 0), ([7], 0), ([0, 5, 9], 9), ([100, 110, 3, 8], 18), ([5, 5], 0), ([9, 0, 0, 4], 4)],
)
def test_an_increase_bridges_counter_resets(values: list[float], increase: float) -> None:
    series = Series("x_total", ())
    for i, value in enumerate(values):
        series.times.append(float(i))
        series.values.append(float(value))
    assert series.increase() == increase
