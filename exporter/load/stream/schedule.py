"""When an open load sends each request: a pure function of rate, arrivals, seed and number."""

import random
from enum import StrEnum


class Arrivals(StrEnum):
    """How the requests of an open load are spread over time."""

    CONSTANT = "constant"
    """one each 1/rate seconds"""
    POISSON = "poisson"
    """gaps drawn from the exponential distribution of mean 1/rate: users who do not know of each other"""


class Schedule:
    """The due times of one worker: its n-th request is the (n · workers + worker)-th of the whole load.

    Every worker draws the gaps of all, so the due times of all workers together are those of one worker,
    to the last bit.
    """

    def __init__(self, rate: float, arrivals: Arrivals, seed: int, worker: int = 0, workers: int = 1) -> None:
        if not 0 <= worker < workers:
            raise ValueError(f"worker {worker} of {workers}")
        self._rate = rate
        self._arrivals = arrivals
        self._seed = seed
        self._worker = worker
        self._workers = workers
        self._begin()

    def _begin(self) -> None:
        self._gaps = random.Random(f"arrivals {self._seed}")
        self._drawn = 0
        self._seconds = 0.0

    def due(self, n: int) -> float:
        """When this worker's n-th request, from 0, is to be sent: seconds after the begin of the load.

        Cheap where `n` rises; one that falls is drawn from the beginning again.
        """
        number = n * self._workers + self._worker
        if self._arrivals == Arrivals.CONSTANT:
            return number / self._rate
        if number + 1 < self._drawn:
            self._begin()
        while self._drawn <= number:
            self._seconds += self._gaps.expovariate(self._rate)
            self._drawn += 1
        return self._seconds
