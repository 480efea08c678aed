"""Which series a query is about: the dashboard variables as label matchers.

A variable matches everything where nothing is chosen, so it always stands behind `=~`. What has no exporter's
`job` and `instance` (ALERTS, and series of Prometheus, Alertmanager and the router) is asked without them.
"""

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
_NAMED = (
    f'label_replace(label_replace(node_uname_info{{{OWN},{HOST}}}, "host", "$1", "nodename", "(.+)"),'
    ' "host", "$1", "node", "(.+)")'
)
_HOST = (
    f"(({_NAMED}) and on () (count(count by (host) ({_NAMED})) > 1)"
    f" or on (job, instance) node_uname_info{{{OWN},{HOST}}})"
)


def by_host(expr: str, *more: str) -> str:
    """Its series by the name of their host (label `host`) and these labels: two exporters on one are one."""
    labels = ", ".join(("host", *more))
    return f"max by ({labels}) (({expr}) * on (job, instance) group_left (host) {_HOST})"


PROCESS_LABELS = "process, node"
"""what a process is called by: two exporters that watch it are one"""


def by_process(expr: str, *more: str) -> str:
    """Its series by process, the node that its target names, and these labels."""
    return f"max by ({', '.join((PROCESS_LABELS, *more))}) ({expr})"
