"""Runs that have ended, from the results files: their newest rows, as the exporter gives them now."""

from queries.run import run_starts
from queries.selectors import OWN, RESULT

_BY = "label, source"
_BEGAN = f"benchmark_result_timestamp_seconds{{{RESULT}}}"


def _figure(name: str, extra: str = "") -> str:
    """One value a row, though several exporters may read the same files."""
    return f"max by ({_BY}) (benchmark_result_{name}{{{extra}{RESULT}}})"


# In whole ms, as links want them.
BEGAN_MS = f"round(max by ({_BY}) ({_BEGAN}) * 1000)"
ENDED_MS = f"round(max by ({_BY}) ({_BEGAN} + benchmark_result_duration_seconds{{{RESULT}}}) * 1000)"
# The run of a row by its label and beginning, as the label `run`; "All" where its live series are not here.
_ROW_RUN = (
    f'max by ({_BY}, run) (count_values by ({_BY}) ("began", {_BEGAN}) * on (label, began) group_left (run)'
    f' max by (label, began, run) (count_values by (label, run) ("began", {run_starts()})))'
)
_NO_RUN = f'label_replace(max by ({_BY}) ({_BEGAN} * 0), "run", "All", "", "")'
RUN_OF_ROW = f"{_ROW_RUN} or on ({_BY}) {_NO_RUN}"
REQUESTS_PER_SECOND = _figure("requests_per_second")
P95_SECONDS = _figure("latency_seconds", 'quantile="0.95",')
P99_SECONDS = _figure("latency_seconds", 'quantile="0.99",')
REQUESTS = _figure("requests")
NON_2XX = _figure("non2xx_responses")
SOCKET_ERRORS = _figure("socket_errors")


def _newest(figure: str, labels: str, choice: str = "$label") -> str:
    """Of the rows with these labels, as far as they are chosen, the newest of each label."""
    chosen = f'label=~"{labels}",label=~"{choice}",{OWN}'
    return (
        f"max by (label) (benchmark_result_{figure.format(chosen=chosen)}"
        " and on (job, instance, label, source)"
        f" (benchmark_result_timestamp_seconds{{{chosen}}} == on (job, instance, label) group_left ()"
        f" max by (job, instance, label) (benchmark_result_timestamp_seconds{{{chosen}}})))"
    )


_RPS = "requests_per_second{{{chosen}}}"
_P99 = 'latency_seconds{{quantile="0.99",{chosen}}}'


# --- `soak scale` labels its steps NAME-cN, N being the connections
def _by_connections(figure: str) -> str:
    found = f'label_replace({_newest(figure, ".+-c[0-9]+")}, "connections", "$1", "label", ".+-c([0-9]+)")'
    return f'max by (scale, connections) (label_replace({found}, "scale", "$1", "label", "(.+)-c[0-9]+"))'


SCALE_RPS = _by_connections(_RPS)
SCALE_P99_SECONDS = _by_connections(_P99)


# --- the newest result labelled NAME beside the newest labelled NAME-baseline, as the alerts take them
def _baseline(figure: str) -> str:
    # The baseline of a chosen NAME is shown too.
    found = _newest(figure, ".+-baseline", "($label)(-baseline)?")
    return f'max by (label) (label_replace({found}, "label", "$1", "label", "(.+)-baseline"))'


BASELINE_RPS = _baseline(_RPS)
BASELINE_P99_SECONDS = _baseline(_P99)
LATEST_RPS = f"{_newest(_RPS, '.+')} and on (label) {BASELINE_RPS}"
LATEST_P99_SECONDS = f"{_newest(_P99, '.+')} and on (label) {BASELINE_P99_SECONDS}"
RPS_CHANGE_RATIO = f"{_newest(_RPS, '.+')} / on (label) {BASELINE_RPS} - 1"
P99_CHANGE_RATIO = f"{_newest(_P99, '.+')} / on (label) {BASELINE_P99_SECONDS} - 1"
