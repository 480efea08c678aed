"""The proof end to end: faults that are really there, and the alerts that a webhook is told of.

`make faults` is the long form, tests/stack/test_faults.py the short one. Both have a router, its exporter,
the real Prometheus and Alertmanager on the shipped configuration, a load, and a second router beside with a
load of its own to which nothing happens: an alert about that one is a false alarm.
"""
