"""The host, under the names of node_exporter."""
