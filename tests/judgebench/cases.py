"""All labelled runs."""

from tests.judgebench import load_cases, memory_cases, real_cases, stream_cases, watch_cases
from tests.judgebench.case import Case

SIMULATED: tuple[Case, ...] = (
    *load_cases.CASES,
    *stream_cases.CASES,
    *watch_cases.CASES,
    *memory_cases.CASES,
)
CASES: tuple[Case, ...] = (*SIMULATED, *real_cases.CASES)
