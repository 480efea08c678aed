"""The router's own account of itself and of its nodes, as the exporter's probes get it.

Two exporters that probe one router say the same of it: it is shown once.
"""

from queries.crowds import Crowd, each_step
from queries.selectors import NODE, OWN

ROUTER_UP = f"min(router_up{{{OWN}}})"
NODES_ONLINE = f'max(router_nodes{{status="online",{OWN}}})'
NODES_LISTED = f"max(sum by (job, instance) (router_nodes{{{OWN}}}))"
_NODE_UP = f"router_node_up{{{NODE}}}"
NODE_UP = each_step(_NODE_UP, "node", of="min")
# One that the router listed within the time range and lists no more is 2.
NODE_DOWN = f"1 - min by (node) ({_NODE_UP}) or 2 + 0 * max by (node) (last_over_time({_NODE_UP}[$__range]))"
_NODE_REQUESTS = "router_node_requests_total"
NODE_SUCCESS_RATE = Crowd(f'rate({_NODE_REQUESTS}{{outcome="success",{NODE}}}[$__rate_interval])', "node")
NODE_FAILURE_RATE = Crowd(f'rate({_NODE_REQUESTS}{{outcome="failure",{NODE}}}[$__rate_interval])', "node")
NODE_ACTIVE = Crowd(f"router_node_active_requests{{{NODE}}}", "node")
ROUTER_RATE_BY_OUTCOME = f"max by (outcome) (rate(router_requests_total{{{OWN}}}[$__rate_interval]))"
ROUTER_ACTIVE = f"max(router_active_requests{{{OWN}}})"
ROUTER_QUEUED = f"max(router_queued_requests{{{OWN}}})"
ROUTER_TOKEN_RATE = f"max by (direction) (rate(router_tokens_total{{{OWN}}}[$__rate_interval]))"
ROUTER_PROBE_DURATION = f"max by (probe) (router_probe_duration_seconds{{{OWN}}})"
