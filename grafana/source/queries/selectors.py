"""Which series a query is about: the dashboard variables as label matchers.

A variable matches everything where nothing is chosen, so it always stands behind `=~`. What has no exporter's
`job` and `instance` (ALERTS, and series of Prometheus, Alertmanager and the router) is asked without them.
"""

OWN = 'job=~"$job",instance=~"$instance"'
"""of the chosen exporters"""
LOAD = f'{OWN},route=~"$route",model=~"$model"'
SUCCESS = f'status_class="2xx",{LOAD}'
PROCESS = f'{OWN},role=~"router|node",process=~"$process"'
NODE = f'{OWN},node=~"$node"'
"""of the router's nodes, by the router's own name for them"""
GPU = f'{OWN},gpu=~"$gpu"'
RESULT = f'{OWN},label=~"$label"'

ROUTER = 'job="router"'
"""the router's own metrics"""
PROMETHEUS = 'job="prometheus"'
ALERTMANAGER = 'job="alertmanager"'
