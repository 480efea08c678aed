"""The alert GpuXidError, prometheus/rules/gpu_xid.alerts.yml: two severities that share all but the codes."""

from exporter.collectors.gpu.xid_events import XID_CODES

HARDWARE_CODES = (38, 48, 61, 62, 63, 64, 74, 79, 92, 94, 95, 119, 120, 136, 140, 143, 149, 154)
"""by NVIDIA's catalogue those of the hardware, its memory, links and firmware"""

HEAD = """\
# rendered from prometheus/source/xid_rules.py, by `soak rules render`
# The alert on Xid errors. It has a heading in runbook.md, and tests silent and firing in tests/rules/.

groups:
  - name: gpu_xid
    rules:
      # An Xid error is new where the counter is
      # 1. above its minimum of the last 15 minutes (a fall, when the exporter restarts, is none); or
      # 2. above all values of the hour before them, which sees over a gap; or
      # 3. not zero in an exporter that has started within the 15 minutes, since it counts from its start on.
      #    In an older one a count without a past is an old count, which a new Prometheus sees first.
      # The 15 minutes are how long an event stays an alert; last_over_time keeps it up where the series end,
      # since an Xid 79 may take the whole driver with it.
      #
      # Critical are the codes of NVIDIA's catalogue for the hardware, its memory, links and firmware: the GPU
      # then needs a reset or a replacement. All others are a warning, those without a label of their own
      # (`other`) too: most come from what runs on the GPU (13, 31, 43), or follow from another error (45).
"""


def rules() -> str:
    """The text of gpu_xid.alerts.yml; ValueError for a code that the exporter counts as `other`."""
    uncounted = set(HARDWARE_CODES) - XID_CODES
    if uncounted:
        raise ValueError(f"HARDWARE_CODES: {sorted(uncounted)} are not in the exporter's XID_CODES")
    critical = _alert(
        "=~",
        "critical",
        "GPU {{ $labels.gpu }} of {{ $labels.instance }} has a hardware error (Xid {{ $labels.xid }})",
        "\n            Codes of this kind mean its hardware, memory, links or firmware.",
    )
    warning = _alert(
        "!~",
        "warning",
        "GPU {{ $labels.gpu }} of {{ $labels.instance }} has reported Xid {{ $labels.xid }}",
        "",
    )
    return f"{HEAD}{critical}\n{warning}"


def _alert(operator: str, severity: str, summary: str, meaning: str) -> str:
    codes = "|".join(map(str, HARDWARE_CODES))
    counter = f'gpu_xid_errors_total{{xid{operator}"{codes}"}}'
    return f"""\
      - alert: GpuXidError
        expr: |
          (
            last_over_time({counter}[15m])
              -
            min_over_time({counter}[15m])
          ) > 0
            or
          (
            last_over_time({counter}[15m])
              -
            max_over_time({counter}[1h] offset 15m)
          ) > 0
            or
          (
            {counter} > 0
              and on (job, instance)
            process_start_time_seconds > time() - 900
          )
        for: 0s
        labels:
          severity: {severity}
        annotations:
          summary: {summary}
          description: >-
            The driver has reported Xid {{{{ $labels.xid }}}} of GPU {{{{ $labels.gpu }}}}
            ({{{{ $labels.uuid }}}}) on {{{{ $labels.instance }}}} {{{{ $value | humanize }}}} time(s)
            within the last 15 minutes.{meaning}
          runbook_url: prometheus/runbook.md#gpuxiderror
"""
