"""How long the simulated nodes and clouds take."""

import math
import random

Z99 = 2.3263478740408408
"""the 99th percentile of the standard normal distribution"""


class LatencyModel:
    """A lognormal distribution given by its median and 99th percentile, both in seconds.

    exp(mu) is the median and exp(mu + Z99 sigma) the 99th percentile, so mu = ln(median) and
    sigma = ln(p99 / median) / Z99. Where the two are equal every sample is the median.
    """

    def __init__(self, median_seconds: float, p99_seconds: float, rng: random.Random) -> None:
        self._constant = median_seconds if p99_seconds == median_seconds else None
        if self._constant is None:
            self._mu = math.log(median_seconds)
            self._sigma = math.log(p99_seconds / median_seconds) / Z99
        self._rng = rng

    def sample(self) -> float:
        """The next latency in seconds."""
        if self._constant is not None:
            return self._constant
        return self._rng.lognormvariate(self._mu, self._sigma)
