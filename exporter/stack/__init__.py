"""The native stack: Prometheus, Alertmanager, Grafana and the exporter as child processes."""
