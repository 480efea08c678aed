"""The router's own account of itself and of its nodes, as the exporter's probes get it.

Two exporters that probe one router say the same of it: it is shown once.
"""

from queries.selectors import NODE, OWN

ROUTER_UP = f"min(router_up{{{OWN}}})"
NODES_ONLINE = f'max(router_nodes{{status="online",{OWN}}})'
NODES_LISTED = f"max(sum by (job, instance) (router_nodes{{{OWN}}}))"
NODE_UP = f"min by (node) (router_node_up{{{NODE}}})"
NODE_DOWN = f"1 - min by (node) (router_node_up{{{NODE}}})"
_NODE_REQUESTS = "router_node_requests_total"
NODE_SUCCESS_RATE = f'max by (node) (rate({_NODE_REQUESTS}{{outcome="success",{NODE}}}[$__rate_interval]))'
NODE_FAILURE_RATE = f'max by (node) (rate({_NODE_REQUESTS}{{outcome="failure",{NODE}}}[$__rate_interval]))'
NODE_ACTIVE = f"max by (node) (router_node_active_requests{{{NODE}}})"
ROUTER_RATE_BY_OUTCOME = f"max by (outcome) (rate(router_requests_total{{{OWN}}}[$__rate_interval]))"
ROUTER_ACTIVE = f"max(router_active_requests{{{OWN}}})"
ROUTER_QUEUED = f"max(router_queued_requests{{{OWN}}})"
ROUTER_TOKEN_RATE = f"max by (direction) (rate(router_tokens_total{{{OWN}}}[$__rate_interval]))"
ROUTER_PROBE_DURATION = f"max by (probe) (router_probe_duration_seconds{{{OWN}}})"
