"""The run under way, what the alerts say of it, and the marks on the time axis. Its series end with it."""

from queries.selectors import OWN

RUN_INFO = f'benchmark_run_info{{{OWN},run=~"$run"}}'
RUN_PHASE = f"benchmark_run_phase{{{OWN}}} == 1"
# Grafana joins neighbouring points of a mark, as of the two above, into one region.
# By more than five seconds, as RouterRestarted: a new exporter computes the start again, off by less.
ANNOTATION_RESTART = (
    f"observed_process_start_time_seconds{{{OWN}}}"
    f" - min_over_time(observed_process_start_time_seconds{{{OWN}}}[30s]) > 5"
)
ANNOTATION_ALERT = 'ALERTS{alertstate="firing",alertname!="Watchdog"}'
# The start is compared with the scrape's own time, so that a stopped Prometheus does not go on counting.
RUN_PROGRESS_RATIO = (
    f"clamp_max(max((timestamp(benchmark_run_start_timestamp_seconds{{{OWN}}})"
    f" - benchmark_run_start_timestamp_seconds{{{OWN}}})"
    f" / (benchmark_run_planned_duration_seconds{{{OWN}}} > 0)), 1)"
)

# What the run has found so far, and after its end until the next begins: the same that its terminal shows.
_CHECKS = f"benchmark_run_check{{{OWN}"
RUN_CHECKS = f"{_CHECKS}}} == 1"
RUN_VERDICT = (
    "max("
    f'3 * ({_CHECKS},outcome="fail"}} == 1) or 2 * ({_CHECKS},outcome="inconclusive"}} == 1)'
    f' or ({_CHECKS},outcome="warning"}} == 1) or 0 * ({_CHECKS},outcome="pass"}} == 1)'
    ")"
)

# Runs within the time range, their first and last moment in whole ms, so that a link can show just them.
_RUNS = f'timestamp(benchmark_run_info{{{OWN},run=~"$run"}})[$__range:15s]'
RUNS_BEGAN_MS = f"round(min_over_time({_RUNS}) * 1000)"
RUNS_ENDED_MS = f"round(max_over_time({_RUNS}) * 1000)"
