"""All labelled runs."""

from tests.judgebench import load_cases, memory_cases, watch_cases
from tests.judgebench.case import Case

SIMULATED: tuple[Case, ...] = (*load_cases.CASES, *watch_cases.CASES, *memory_cases.CASES)
CASES: tuple[Case, ...] = SIMULATED
