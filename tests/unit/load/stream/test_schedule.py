"""Due times: exact, seeded, and the same however many workers there are."""

import pytest

from exporter.load.stream.schedule import Arrivals, Schedule


def test_constant_arrivals_are_number_over_rate_to_the_last_bit() -> None:
    schedule = Schedule(3.0, Arrivals.CONSTANT, seed=1)

    assert [schedule.due(n) for n in range(4)] == [0.0, 1 / 3, 2 / 3, 1.0]
    assert schedule.due(3 * 86_400) == 86_400.0


@pytest.mark.parametrize("arrivals", Arrivals)
@pytest.mark.parametrize("workers", [1, 2, 3, 7, 16])
def test_the_due_times_of_all_workers_are_those_of_one(arrivals: Arrivals, workers: int) -> None:
    whole = Schedule(41.5, arrivals, seed=20)
    expected = [whole.due(n) for n in range(50 * workers)]
    parts = [Schedule(41.5, arrivals, 20, worker, workers) for worker in range(workers)]

    assert sorted(part.due(n) for part in parts for n in range(50)) == expected


def test_poisson_arrivals_have_the_rate_and_the_spread_of_a_poisson_process() -> None:
    schedule = Schedule(50.0, Arrivals.POISSON, seed=7)
    times = [schedule.due(n) for n in range(20_000)]
    gaps = [later - earlier for earlier, later in zip([0.0, *times], times, strict=False)]
    mean = sum(gaps) / len(gaps)

    assert all(gap > 0 for gap in gaps)
    assert mean == pytest.approx(1 / 50, rel=0.03)
    assert (sum((gap - mean) ** 2 for gap in gaps) / len(gaps)) ** 0.5 == pytest.approx(mean, rel=0.03)


def test_a_seed_gives_the_same_times_and_another_seed_others() -> None:
    def times(seed: int) -> list[float]:
        schedule = Schedule(10.0, Arrivals.POISSON, seed)
        return [schedule.due(n) for n in range(20)]

    assert times(1) == times(1)
    assert times(1) != times(2)


def test_an_earlier_request_can_be_asked_again() -> None:
    schedule = Schedule(10.0, Arrivals.POISSON, seed=3, worker=1, workers=2)
    times = [schedule.due(n) for n in range(10)]

    assert schedule.due(4) == times[4]
    assert schedule.due(4) == times[4]
    assert schedule.due(9) == times[9]


@pytest.mark.parametrize(("worker", "workers"), [(-1, 1), (1, 1), (0, 0)])
def test_a_worker_is_one_of_the_workers(worker: int, workers: int) -> None:
    with pytest.raises(ValueError, match="worker"):
        Schedule(1.0, Arrivals.CONSTANT, 0, worker, workers)
