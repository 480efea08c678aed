"""HTTP as the exporter-toolkit serves it: TLS, users, limits. Knows no exporter."""
