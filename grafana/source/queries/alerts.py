"""What fires now, what it is about, and which dashboard shows it best."""

# The Watchdog always fires: with it gone nobody evaluates the rules, and this shows nothing instead of zero.
# By its severity it is ours: others ship one too.
_WATCHDOG = '{alertname="Watchdog",severity="info"}'
FIRING_ALERTS_COUNT = (
    '(count(ALERTS{alertstate="firing",alertname!="Watchdog"}) or on () 0 * count(ALERTS' + _WATCHDOG + "))"
    f" and on () ALERTS{_WATCHDOG}"
)

DASHBOARD_OF_ALERT = {
    ".*": "soak",
    "(Router|Node).*": "router-and-nodes",
    "Gpu.*": "gpu",
    "(Exporter|Collector|Watchdog|none).*": "stack-health",
    "(.*Leak|ProcessMemoryGrowing)": "leaks",
}
"""the uid of the dashboard for alerts whose whole name matches; the last match counts"""
_ABOUT = (
    "process",
    "node",
    "gpu_name",
    "xid",
    "reason",
    "route",
    "model",
    "state",
    "collector",
    "mountpoint",
    "check",
    "where",
)
"""labels that say what an alert is about, in the order in which they are read"""


def _with_dashboard(expr: str) -> str:
    for pattern, uid in DASHBOARD_OF_ALERT.items():
        expr = f'label_replace({expr}, "dashboard", "{uid}", "alertname", "{pattern}")'
    return expr


def _with_about(expr: str) -> str:
    names = ", ".join(f'"{name}"' for name in _ABOUT)
    gpu = f'label_replace({expr}, "gpu_name", "GPU $1", "gpu", "(.+)")'
    # Exporters and hosts whose target has no node are told apart by their address.
    joined = f'label_join({gpu}, "where", ";", "alertname", "node", "instance")'
    where = f'label_replace({joined}, "where", "$1", "where", "(?:Exporter|Collector|Node)[^;]*;;(.+)|.*")'
    about = f'label_join({where}, "about", " ", {names})'
    # Two exporters that see the same fire two alerts, which are one to read.
    return f"min by (alertname, about, dashboard, fails_run) ({about})"


# That none fires is said by the Watchdog: where nothing answers, or no rule is evaluated, nobody says so.
_NONE = (
    f"label_replace(label_replace(ALERTS_FOR_STATE{_WATCHDOG} * 1000,"
    ' "alertname", "none", "", ""), "check", "the rules are evaluated", "", "")'
)
# ALERTS_FOR_STATE is the time since which an alert's condition holds, in seconds; Grafana's dates are in ms.
_FIRING = (
    '(ALERTS_FOR_STATE{alertname!="Watchdog"} * 1000'
    ' and ignoring (alertstate) ALERTS{alertstate="firing",alertname!="Watchdog"})'
)
FIRING_ALERTS_SINCE_MS = _with_about(_with_dashboard(f"({_FIRING} or on () {_NONE})"))
