"""What the exporter answers: /metrics, the runs API and the landing page."""
