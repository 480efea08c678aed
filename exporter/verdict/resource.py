"""What a process can leak."""

from dataclasses import dataclass

from exporter.verdict.unit import shown


@dataclass(frozen=True)
class Resource:
    """A resource that can leak: the metrics whose floors are summed, and the smallest growth that counts.

    Each set of labels (a GPU, a connection's state) is judged by itself. The host's memory has an alert and
    no check: what else runs on the host is not the run's fault.
    """

    metrics: tuple[str, ...]
    min_growth: float
    """over a look or a load, in the metric's unit: less fails nothing"""
    divisor: float
    unit: str
    of_every_process: bool = True
    """whether a process that is seen has it"""
    states: tuple[str, ...] = ()
    """the values of the label `state` that are judged, where the metric has it"""

    @property
    def is_size(self) -> bool:
        """Whether it is bytes; otherwise it is counted."""
        return self.divisor > 1

    @property
    def min_told(self) -> float:
        """Growth over a load that is told; of bytes less than what fails."""
        return self.min_growth / 4 if self.is_size else self.min_growth

    @property
    def rate_unit(self) -> str:
        """The unit of a finding's figure and bound."""
        return "bytes_per_hour" if self.is_size else "count_per_hour"

    def amount(self, value: float) -> str:
        """A quantity of it: `63.5 MiB`, `40 fds`."""
        return shown(value, "bytes") if self.is_size else f"{value:,.0f} {self.unit}"

    def an_hour(self, per_hour: float) -> str:
        """A rate of it: `60.0 MiB/h`."""
        return f"{per_hour / self.divisor:,.1f} {self.unit}/h"


RESOURCES = {
    "memory": Resource(
        ("observed_process_anonymous_memory_bytes", "observed_process_swap_bytes"), 4 * 2**20, 2**20, "MiB"
    ),
    "file_descriptors": Resource(("observed_process_open_fds",), 16, 1, "fds"),
    "threads": Resource(("observed_process_threads",), 8, 1, "threads"),
    "connections": Resource(
        ("observed_process_connections",), 16, 1, "connections", states=("close_wait", "established")
    ),
    "gpu_memory": Resource(("gpu_process_memory_bytes",), 64 * 2**20, 2**20, "MiB", of_every_process=False),
}
"""by check"""
