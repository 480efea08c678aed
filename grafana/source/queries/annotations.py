"""Marks on the time axis beside RUN_INFO and RUN_PHASE: Grafana joins neighbouring points into one region."""

from queries.selectors import OWN

# By more than five seconds, as RouterRestarted: a new exporter computes the start again, off by less.
ANNOTATION_RESTART = (
    f"observed_process_start_time_seconds{{{OWN}}}"
    f" - min_over_time(observed_process_start_time_seconds{{{OWN}}}[30s]) > 5"
)
ANNOTATION_ALERT = 'ALERTS{alertstate="firing",alertname!="Watchdog"}'
