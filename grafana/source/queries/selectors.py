"""Which series a query is about: the dashboard variables as label matchers.

A variable matches everything where nothing is chosen, so it always stands behind `=~`. What has no exporter's
`job` and `instance` (ALERTS, and series of Prometheus, Alertmanager and the router) is asked without them.
"""

from queries.crowds import Crowd

OWN = 'job=~"$job",instance=~"$instance"'
"""of the chosen exporters"""
LOAD = f'{OWN},route=~"$route",model=~"$model"'
SUCCESS = f'status_class="2xx",{LOAD}'
PROCESS = f'{OWN},role=~"router|node",process=~"$process"'
ROUTER_PROCESS = f'{OWN},role="router"'
NODE = f'{OWN},node=~"$node"'
"""of the router's nodes, by the router's own name for them"""
HOST = 'node=~"$host"'
"""of a host, by the label that its exporter's target has; one without has the empty one"""
GPU = f'{OWN},gpu=~"$gpu",{HOST}'
RESULT = f'{OWN},label=~"$label"'

ROUTER = 'job="router"'
"""the router's own metrics"""
PROMETHEUS = 'job="prometheus"'
ALERTMANAGER = 'job="alertmanager"'

# A host is called as its target's label `node`, else as the host itself; where there is one, not at all.
# Of one that was made anew under another name there are two for a while: one of them.
_INFO = f"node_uname_info{{{OWN},{HOST}}}"


def _named(info: str) -> str:
    name = f'label_replace({info}, "host", "$1", "nodename", "(.+)")'
    return f'label_replace({name}, "host", "$1", "node", "(.+)")'


_SEVERAL = f"count(count by (host) ({_named(f'{_INFO} @ end()')})) > 1"
_HOST = f"topk by (job, instance) (1, ({_named(_INFO)}) and on () ({_SEVERAL}) or on (job, instance) {_INFO})"


def by_host(expr: str, *more: str) -> Crowd:
    """Its series by the name of their host (label `host`) and these labels: two exporters on one are one."""
    return Crowd(f"({expr}) * on (job, instance) group_left (host) {_HOST}", ", ".join(("host", *more)))


PROCESS_LABELS = "process, node"
"""what a process is called by: two exporters that watch it are one"""


def by_process(expr: str, *more: str) -> Crowd:
    """Its series by process, the node that its target names, and these labels; the router is always drawn."""
    of_router = expr.replace('role=~"router|node"', 'role="router"')
    always = f"({of_router})" if of_router != expr else ""
    return Crowd(expr, ", ".join((PROCESS_LABELS, *more)), always=always)
