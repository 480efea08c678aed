"""The run under way or the last one, what its checks have found, and the marks on the time axis."""

from queries.selectors import OWN

# --- which run, how far. Its own series end with it: what they last said is looked for as far back as this.
_LAST = "[6h:15s]"
_INFO = f"benchmark_run_info{{{OWN}}}"
_OF_RUN = f'benchmark_run_info{{{OWN},run=~"$run"}}'
_START = f"benchmark_run_start_timestamp_seconds{{{OWN}}}"
# An exporter whose target has got another label meanwhile says it twice for a while.
_ITS_START = f"max by (job, instance) ({_START})"
_BY_START = f"({_OF_RUN} * on (job, instance) group_left () {_ITS_START})"
# One run: of those under way the one that began last, else the last one.
RUN_SHOWN = f"topk(1, {_BY_START}) or on () topk(1, max_over_time({_BY_START}{_LAST}))"
NO_RUN_SHOWN = f"absent({RUN_SHOWN})"
# What an exporter says now is of the run that it has now: of an earlier one that is chosen it says nothing.
_ANOTHER_NOW = f"{_INFO} unless on (job, instance, run) {_OF_RUN}"
_AT_ITS_EXPORTER = f"(({RUN_SHOWN}) unless on (job, instance) ({_ANOTHER_NOW}))"


def of_shown(expr: str) -> str:
    """Of these series those of the exporter that has the run shown: the first screen is about one run."""
    return f"({expr}) and on (job, instance) {_AT_ITS_EXPORTER}"


# Another load at the same exporter has connections at a model of its own; those of a run that asks several
# models are all at its first, which benchmark_run_info has.
_OF_ANOTHER_LOAD = (
    f'(benchmark_connections{{state="open",{OWN}}} > 0) unless on (job, instance, route, model) {_INFO}'
)


def of_its_models(expr: str) -> str:
    """Of these series of a load those of the run shown, by exporter, route and model."""
    return of_shown(f"{expr} unless on (job, instance, route, model) ({_OF_ANOTHER_LOAD})")


# The start is compared with the scrape's own time, so that a stopped Prometheus does not go on counting.
RUN_ELAPSED_SECONDS = f"max({of_shown(f'timestamp({_START}) - {_START}')})"
RUN_PLANNED_SECONDS = f"max({of_shown(f'benchmark_run_planned_duration_seconds{{{OWN}}}')})"
_PHASES = " or ".join(
    f'{number} * (benchmark_run_phase{{phase="{phase}",{OWN}}} == 1)'
    for number, phase in enumerate(("warmup", "load", "rest", "drain"))
)
RUN_PHASE_NUMBER = f"max({of_shown(_PHASES)})"
RUN_ENDED_MS = (
    f"max(max_over_time(timestamp({_OF_RUN}){_LAST}) and on (job, instance, run) ({RUN_SHOWN})) * 1000"
    f" unless on () {_OF_RUN}"
)
_REQUESTS = f"benchmark_run_requests{{{OWN}}}"
RUN_SUCCESSES = f"""max({of_shown(f'benchmark_run_requests{{outcome="success",{OWN}}}')})"""
RUN_FAILURES = f"""max({of_shown(f'benchmark_run_requests{{outcome="failure",{OWN}}}')})"""
RUN_FAILURE_RATIO = f"{RUN_FAILURES} / (max(sum by (job, instance) ({of_shown(_REQUESTS)})) > 0)"

# --- what the run has found so far, and after its end until the next begins: the same that its terminal shows
_CHECK = f"benchmark_run_check{{{OWN}"
_SEVERITY = (
    f'3 * ({_CHECK},outcome="fail"}} == 1) or 2 * ({_CHECK},outcome="inconclusive"}} == 1)'
    f' or 1 * ({_CHECK},outcome="warning"}} == 1) or 0 * ({_CHECK},outcome="pass"}} == 1)'
)
_NOT_JUDGED = f'-1 * ({_CHECK},outcome="not_judged"}} == 1)'
RUN_VERDICT = f"max({of_shown(f'{_SEVERITY} or {_NOT_JUDGED}')})"
RUN_CHECKS_SEVERITY = f"max by (check) ({of_shown(f'{_SEVERITY} or {_NOT_JUDGED}')})"
# What an earlier run said too has been so since this one began.
_SINCE = of_shown(f"last_over_time(check_outcome:benchmark_run_check:began{{{OWN}}}[6h]) and {_CHECK}}} == 1")
RUN_CHECKS_SINCE_MS = f"clamp_min(max by (check) ({_SINCE}), scalar(max({RUN_SHOWN}))) * 1000"


def _bound(checks: str, scaled: str, unit: str) -> str:
    """What these checks are held against, as the label `bound` with its unit."""
    bound = of_shown(f'benchmark_run_objective{{check=~"{checks}",{OWN}}}')
    value = f"round(({bound}) {scaled}, 0.01)"
    return f'label_replace(count_values by (check) ("bound", {value}), "bound", "$1 {unit}", "bound", "(.+)")'


RUN_CHECKS_BOUND = " or ".join((
    _bound("answers|buffering|generator", "* 100", "%"),
    _bound("latency|throughput", "* 1", "of the start"),
    _bound("stalls|nodes|idle|objective-(p[0-9.]+|max)", "* 1", "s"),
    _bound("memory|gpu_memory|written_files|objective-max-growth", "/ 2 ^ 20", "MiB/h"),
    _bound("objective-max-rss", "/ 2 ^ 20", "MiB"),
    _bound("file_descriptors|threads|connections", "* 1", "an hour"),
    _bound("objective-min-rps", "* 1", "a second"),
    _bound("disconnects|streams", "* 1", "requests"),
))  # fmt: skip


def objective(check: str) -> str:
    """What a check of the run is held against: a bound in a panel that shows the same figure."""
    return f'max(benchmark_run_objective{{check="{check}",{OWN}}})'


OBJECTIVE_ANSWERS = objective("answers")
OBJECTIVE_P95 = objective("objective-p95")
OBJECTIVE_P99 = objective("objective-p99")
_ASKED_P99 = f'benchmark_run_objective{{check="objective-p99",{OWN}}}'
OBJECTIVE_P99_OF_RUN = f"max({of_shown(_ASKED_P99)})"
OBJECTIVE_RSS = objective("objective-max-rss")
OBJECTIVE_GROWTH = objective("objective-max-growth")

# --- marks: true for one step alone, whatever the step, since Grafana draws a mark at every step and joins
# neighbours to a region that tints the whole panel. What was there within five minutes has not begun.
_BEFORE = "[5m] offset $__interval"
ANNOTATION_RUN_BEGAN = f"last_over_time({_INFO}[$__interval]) unless last_over_time({_INFO}{_BEFORE})"
ANNOTATION_RUN_ENDED = (
    f"(last_over_time(benchmark_run_active{{{OWN}}}{_BEFORE}) == 1) and benchmark_run_active{{{OWN}}} == 0"
)
# Of the last run of an exporter alone: of ten in a row the marks would be all that is seen.
_PHASE = f'benchmark_run_phase{{phase!="warmup",{OWN}}}'
_LAST_BEGAN = f"max by (job, instance) (last_over_time({_START}[$__range] @ end()))"
ANNOTATION_PHASE = (
    f"(({_PHASE} == 1) unless (last_over_time({_PHASE}{_BEFORE}) == 1))"
    f" and on (job, instance) (timestamp({_PHASE}) > on (job, instance) group_left () {_LAST_BEGAN})"
)
# By more than five seconds, as RouterRestarted: a new exporter computes the start again, off by less.
_STARTED = f'observed_process_start_time_seconds{{role=~"router|node",{OWN}}}'
ANNOTATION_RESTART = f"max by (process, node) ({_STARTED} - last_over_time({_STARTED}{_BEFORE}) > 5)"


def _alert_began(matchers: str) -> str:
    alerts = f'ALERTS{{alertstate="firing",{matchers}}}'
    return f"{alerts} unless last_over_time({alerts}{_BEFORE})"


ANNOTATION_ALERT_FAILS_RUN = _alert_began('fails_run="true"')
ANNOTATION_ALERT = _alert_began('fails_run!="true",alertname!="Watchdog"')

# --- runs within the time range, their first and last moment in whole ms, so that a link can show just them
_RUNS = f"timestamp({_OF_RUN})[$__range:15s]"
RUNS_BEGAN_MS = f"round(min_over_time({_RUNS}) * 1000)"
RUNS_ENDED_MS = f"round(max_over_time({_RUNS}) * 1000)"


def run_starts() -> str:
    """When each run within the time range began, to the digit in which its row of the results has it."""
    return f"max_over_time(({_INFO} * on (job, instance) group_left () {_ITS_START})[$__range:15s])"
