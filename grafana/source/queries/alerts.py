"""What fires now, and which dashboard shows it best."""

# The Watchdog always fires: with it gone nobody evaluates the rules, and this shows nothing instead of zero.
FIRING_ALERTS_COUNT = (
    'count(ALERTS{alertstate="firing"}) - count(ALERTS{alertstate="firing",alertname="Watchdog"})'
)

DASHBOARD_OF_ALERT = {
    ".*": "soak",
    "(Router|Node).*": "router-and-nodes",
    "Gpu.*": "gpu",
    "(Exporter|Collector|Watchdog).*": "stack-health",
    "(.*Leak|ProcessMemoryGrowing)": "leaks",
}
"""the uid of the dashboard for alerts whose whole name matches; the last match counts"""


def _with_dashboard(expr: str) -> str:
    for pattern, uid in DASHBOARD_OF_ALERT.items():
        expr = f'label_replace({expr}, "dashboard", "{uid}", "alertname", "{pattern}")'
    return expr


# ALERTS_FOR_STATE is the time since which an alert's condition holds, in seconds; Grafana's dates are in ms.
FIRING_ALERTS_SINCE_MS = _with_dashboard(
    'ALERTS_FOR_STATE * 1000 and ignoring (alertstate) ALERTS{alertstate="firing"}'
)
