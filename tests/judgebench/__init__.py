"""Labelled runs and what is said of them: `make judgebench`.

Each run has a fault or none, its right outcome (exit code) and its right cause: which check says it, with
which words, in which seconds. Long ones are played in simulated time, through the same `judge()`; short ones
are real processes: simulated router, exporter, wrk, on this machine.
"""
