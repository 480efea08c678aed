"""The load, as benchmark_* metrics."""
