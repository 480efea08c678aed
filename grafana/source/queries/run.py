"""The run under way or the last one, what its checks have found, and the marks on the time axis."""

from queries.selectors import OWN

# --- which run, how far. Its own series end with it: what they last said is looked for as far back as this.
_LAST = "[6h:15s]"
_OF_RUN = f'benchmark_run_info{{{OWN},run=~"$run"}}'
RUN_SHOWN = f"topk(1, max_over_time(timestamp({_OF_RUN}){_LAST}))"
# The start is compared with the scrape's own time, so that a stopped Prometheus does not go on counting.
RUN_ELAPSED_SECONDS = (
    f"max(timestamp(benchmark_run_start_timestamp_seconds{{{OWN}}})"
    f" - benchmark_run_start_timestamp_seconds{{{OWN}}})"
)
RUN_PLANNED_SECONDS = f"max(benchmark_run_planned_duration_seconds{{{OWN}}})"
RUN_PHASE_NUMBER = (
    f'max(0 * (benchmark_run_phase{{phase="warmup",{OWN}}} == 1)'
    f' or 1 * (benchmark_run_phase{{phase="load",{OWN}}} == 1)'
    f' or 2 * (benchmark_run_phase{{phase="rest",{OWN}}} == 1)'
    f' or 3 * (benchmark_run_phase{{phase="drain",{OWN}}} == 1))'
)
RUN_ENDED_MS = (
    f"max(max_over_time(timestamp({_OF_RUN}){_LAST})) * 1000"
    f" unless on () (max(benchmark_run_active{{{OWN}}}) == 1)"
)
RUN_SUCCESSES = f'max(benchmark_run_requests{{outcome="success",{OWN}}})'
RUN_FAILURES = f'max(benchmark_run_requests{{outcome="failure",{OWN}}})'
RUN_FAILURE_RATIO = f"{RUN_FAILURES} / (max(sum by (job, instance) (benchmark_run_requests{{{OWN}}})) > 0)"

# --- what the run has found so far, and after its end until the next begins: the same that its terminal shows
_CHECK = f"benchmark_run_check{{{OWN}"
_SEVERITY = (
    f'3 * ({_CHECK},outcome="fail"}} == 1) or 2 * ({_CHECK},outcome="inconclusive"}} == 1)'
    f' or 1 * ({_CHECK},outcome="warning"}} == 1) or 0 * ({_CHECK},outcome="pass"}} == 1)'
)
RUN_VERDICT = f"max({_SEVERITY})"
RUN_CHECKS_SEVERITY = f'max by (check) ({_SEVERITY} or -1 * ({_CHECK},outcome="not_judged"}} == 1))'
# What an earlier run said too has been so since this one began.
_BEGAN = f"scalar(max(last_over_time(benchmark_run_start_timestamp_seconds{{{OWN}}}[6h])))"
RUN_CHECKS_SINCE_MS = (
    f"clamp_min(max by (check) (last_over_time(check_outcome:benchmark_run_check:began{{{OWN}}}[6h])"
    f" and {_CHECK}}} == 1), {_BEGAN}) * 1000"
)


def _bound(checks: str, scaled: str, unit: str) -> str:
    """What these checks are held against, as the label `bound` with its unit."""
    value = f'round(benchmark_run_objective{{check=~"{checks}",{OWN}}} {scaled}, 0.01)'
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
OBJECTIVE_RSS = objective("objective-max-rss")
OBJECTIVE_GROWTH = objective("objective-max-growth")

# --- marks: true for one step alone, whatever the step, since Grafana draws a mark at every step and joins
# neighbours to a region that tints the whole panel. What was there within five minutes has not begun.
_BEFORE = "[5m] offset $__interval"
_INFO = f"benchmark_run_info{{{OWN}}}"
ANNOTATION_RUN_BEGAN = f"last_over_time({_INFO}[$__interval]) unless last_over_time({_INFO}{_BEFORE})"
ANNOTATION_RUN_ENDED = (
    f"(last_over_time(benchmark_run_active{{{OWN}}}{_BEFORE}) == 1) and benchmark_run_active{{{OWN}}} == 0"
)
_PHASE = f'benchmark_run_phase{{phase!="warmup",{OWN}}}'
ANNOTATION_PHASE = f"({_PHASE} == 1) unless (last_over_time({_PHASE}{_BEFORE}) == 1)"
# By more than five seconds, as RouterRestarted: a new exporter computes the start again, off by less.
_START = f'observed_process_start_time_seconds{{role=~"router|node",{OWN}}}'
ANNOTATION_RESTART = f"max by (process, node) ({_START} - last_over_time({_START}{_BEFORE}) > 5)"


def _alert_began(matchers: str) -> str:
    alerts = f'ALERTS{{alertstate="firing",{matchers}}}'
    return f"{alerts} unless last_over_time({alerts}{_BEFORE})"


ANNOTATION_ALERT_FAILS_RUN = _alert_began('fails_run="true"')
ANNOTATION_ALERT = _alert_began('fails_run!="true",alertname!="Watchdog"')

# --- runs within the time range, their first and last moment in whole ms, so that a link can show just them
_RUNS = f"timestamp({_OF_RUN})[$__range:15s]"
RUNS_BEGAN_MS = f"round(min_over_time({_RUNS}) * 1000)"
RUNS_ENDED_MS = f"round(max_over_time({_RUNS}) * 1000)"
