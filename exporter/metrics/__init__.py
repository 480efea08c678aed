"""Events to samples: what the exporter publishes of a run."""
