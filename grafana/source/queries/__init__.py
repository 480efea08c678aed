"""Every PromQL string of the dashboards, each exactly once, a module a topic.

Three kinds, by their names: `VARIABLE_*` fill a dashboard variable, `ANNOTATION_*` mark the time
axis, all others are the targets of panels.

Missing is not zero: no query fills a gap with `or vector(0)`. Where nothing ran, a panel says so.
"""
