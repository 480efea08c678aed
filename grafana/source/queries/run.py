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

# How many of the alerts that fail a run fire, or began since its start and have fired. The Watchdog, which
# always fires, is counted and taken off: with it gone nobody evaluates the rules, and this shows nothing.
_WATCHDOG = 'ALERTS{alertstate="firing",alertname="Watchdog"}'
RUN_FAILING_ALERTS = (
    "(count(count by (alertname) ("
    f'{_WATCHDOG} or ALERTS{{alertstate="firing",fails_run="true"}}'
    ' or (max_over_time(ALERTS_FOR_STATE{fails_run="true"}[12h])'
    f" >= on () group_left () max(benchmark_run_start_timestamp_seconds{{{OWN}}})"
    f' and ignoring (alertstate) max_over_time(ALERTS{{alertstate="firing"}}[12h]))'
    f")) - count({_WATCHDOG}))"
    f" and on () max(benchmark_run_start_timestamp_seconds{{{OWN}}})"
)

# Runs within the time range, their first and last moment in whole ms, so that a link can show just them.
_RUNS = f'timestamp(benchmark_run_info{{{OWN},run=~"$run"}})[$__range:15s]'
RUNS_BEGAN_MS = f"round(min_over_time({_RUNS}) * 1000)"
RUNS_ENDED_MS = f"round(max_over_time({_RUNS}) * 1000)"
