"""The watchers: scrapes, collectors, the live ingest, Prometheus's rules and storage, Alertmanager."""

from queries.selectors import ALERTMANAGER, OWN, PROMETHEUS

# Many routers have no metrics of their own, so that target may be down for ever; router_up says how it is.
TARGET_UP = 'up{job!="router"}'
SCRAPE_DURATION = "scrape_duration_seconds"
SCRAPE_SAMPLES = "scrape_samples_post_metric_relabeling"

COLLECTOR_SUCCESS = f"min by (collector) (exporter_collector_success{{{OWN}}})"
COLLECTOR_DURATION = f"max by (collector) (exporter_collector_duration_seconds{{{OWN}}})"
COLLECTOR_AGE = (
    f"max by (collector) (timestamp(exporter_collector_last_success_timestamp_seconds{{{OWN}}})"
    f" - exporter_collector_last_success_timestamp_seconds{{{OWN}}})"
)
EXPORTER_CPU_CORES = f"rate(process_cpu_seconds_total{{{OWN}}}[$__rate_interval])"
EXPORTER_MEMORY_BYTES = f"process_resident_memory_bytes{{{OWN}}}"
INGEST_RATE = f"rate(exporter_ingest_messages_total{{{OWN}}}[$__rate_interval])"
INGEST_REJECTED_RATE = f"sum by (reason) (rate(exporter_ingest_rejected_total{{{OWN}}}[$__rate_interval]))"
LEFT_OUT_ROWS = f"sum(exporter_results_bad_rows{{{OWN}}})"
LEFT_OUT_DEVICES = f"sum by (kind) (exporter_host_devices_not_shown{{{OWN}}})"
LEFT_OUT_NODES = f"sum(router_nodes_not_shown{{{OWN}}})"

# "/etc/prometheus/rules/leaks.recording.yml;leaks": the group's name is the part that is the same everywhere.
RULES_DURATION_RATIO = (
    'label_replace(max by (rule_group) (prometheus_rule_group_last_duration_seconds{job="prometheus"}'
    ' / prometheus_rule_group_interval_seconds{job="prometheus"}), "group", "$1", "rule_group", ".*;(.+)")'
)
RULES_FAILURES = f"sum(increase(prometheus_rule_evaluation_failures_total{{{PROMETHEUS}}}[$__rate_interval]))"
RULES_MISSED = (
    f"sum(increase(prometheus_rule_group_iterations_missed_total{{{PROMETHEUS}}}[$__rate_interval]))"
)
STORAGE_SERIES = f"prometheus_tsdb_head_series{{{PROMETHEUS}}}"
STORAGE_SAMPLE_RATE = (
    f"sum by (instance) (rate(prometheus_tsdb_head_samples_appended_total{{{PROMETHEUS}}}[$__rate_interval]))"
)
STORAGE_BLOCKS_BYTES = f"prometheus_tsdb_storage_blocks_bytes{{{PROMETHEUS}}}"
STORAGE_CHUNKS = f"prometheus_tsdb_head_chunks{{{PROMETHEUS}}}"
ALERTS_SENT_RATE = f"sum(rate(prometheus_notifications_sent_total{{{PROMETHEUS}}}[$__rate_interval]))"
ALERTS_DROPPED_RATE = f"sum(rate(prometheus_notifications_dropped_total{{{PROMETHEUS}}}[$__rate_interval]))"
NOTIFIED_RATE = f"sum(rate(alertmanager_notifications_total{{{ALERTMANAGER}}}[$__rate_interval]))"
NOTIFIED_FAILED_RATE = (
    f"sum(rate(alertmanager_notifications_failed_total{{{ALERTMANAGER}}}[$__rate_interval]))"
)
