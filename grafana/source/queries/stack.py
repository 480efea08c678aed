"""The watchers: scrapes, collectors, the live ingest, Prometheus's rules and storage, Alertmanager."""

from queries.selectors import ALERTMANAGER, OWN, PROMETHEUS

# Many routers have no metrics of their own, so that target may be down for ever; router_up says how it is.
TARGET_DOWN = '1 - min by (job, instance) (up{job!="router"})'
# The rows of a table are told apart by all of their labels, the name of the metric too.
SCRAPE_DURATION = "max by (job, instance) (scrape_duration_seconds)"
SCRAPE_SAMPLES = "max by (job, instance) (scrape_samples_post_metric_relabeling)"

# One that fails now and then does not succeed, whichever scrape was the last.
_SUCCESS = f"min_over_time(exporter_collector_success{{{OWN}}}[$__rate_interval])"
COLLECTOR_SUCCESS = f"min by (collector) ({_SUCCESS})"
# Of an exporter that does not answer nobody knows.
_NO_COLLECTOR = f'min({_SUCCESS}) unless on () up{{job="exporter",{OWN}}} == 0'
COLLECTOR_FAILING = f'{_SUCCESS} == 0 or on () label_replace({_NO_COLLECTOR}, "collector", "none", "", "")'
COLLECTOR_DURATION = f"max by (collector) (exporter_collector_duration_seconds{{{OWN}}})"
# A scrape's time is that of its beginning, and a collector succeeds within it: not less than nothing.
COLLECTOR_AGE = (
    f"clamp_min(time() - min by (collector) (exporter_collector_last_success_timestamp_seconds{{{OWN}}}), 0)"
)
# Prometheus and Alertmanager have series of the same name.
_EXPORTERS = f"on (job, instance) exporter_build_info{{{OWN}}}"
EXPORTER_CPU_CORES = f"rate(process_cpu_seconds_total{{{OWN}}}[$__rate_interval]) and {_EXPORTERS}"
EXPORTER_MEMORY_BYTES = f"process_resident_memory_bytes{{{OWN}}} and {_EXPORTERS}"
INGEST_RATE = f"rate(exporter_ingest_messages_total{{{OWN}}}[$__rate_interval])"
_REJECTED = f"exporter_ingest_rejected_total{{{OWN}}}"
INGEST_REJECTED_RATE = (
    f"sum by (reason) (rate({_REJECTED}[$__rate_interval])) and on (reason) sum by (reason) ({_REJECTED}) > 0"
)
LEFT_OUT = (
    f'label_replace(sum(exporter_results_bad_rows{{{OWN}}}), "kind", "rows of results", "", "")'
    f" or sum by (kind) (exporter_host_devices_not_shown{{{OWN}}})"
    f' or label_replace(max(router_nodes_not_shown{{{OWN}}}), "kind", "nodes", "", "")'
)

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
# Before the first block is written, after two hours, there is none, which is not 0 bytes of storage.
STORAGE_BLOCKS_BYTES = f"prometheus_tsdb_storage_blocks_bytes{{{PROMETHEUS}}} > 0"
STORAGE_CHUNKS = f"prometheus_tsdb_head_chunks{{{PROMETHEUS}}}"
ALERTS_SENT_RATE = f"sum(rate(prometheus_notifications_sent_total{{{PROMETHEUS}}}[$__rate_interval]))"
ALERTS_DROPPED_RATE = f"sum(rate(prometheus_notifications_dropped_total{{{PROMETHEUS}}}[$__rate_interval]))"
NOTIFIED_RATE = f"sum(rate(alertmanager_notifications_total{{{ALERTMANAGER}}}[$__rate_interval]))"
NOTIFIED_FAILED_RATE = (
    f"sum(rate(alertmanager_notifications_failed_total{{{ALERTMANAGER}}}[$__rate_interval]))"
)
