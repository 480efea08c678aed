"""The router's own account of itself and of its nodes, as the exporter's probes get it."""

from queries.selectors import NODE, OWN

ROUTER_UP = f"min(router_up{{{OWN}}})"
NODES_ONLINE_RATIO = f'sum(router_nodes{{status="online",{OWN}}}) / sum(router_nodes{{{OWN}}})'
NODE_UP = f"router_node_up{{{NODE}}}"
_NODE_REQUESTS = "router_node_requests_total"
NODE_SUCCESS_RATE = (
    f'sum by (instance, node) (rate({_NODE_REQUESTS}{{outcome="success",{NODE}}}[$__rate_interval]))'
)
NODE_FAILURE_RATE = (
    f'sum by (instance, node) (rate({_NODE_REQUESTS}{{outcome="failure",{NODE}}}[$__rate_interval]))'
)
NODE_ACTIVE = f"router_node_active_requests{{{NODE}}}"
ROUTER_RATE_BY_OUTCOME = (
    f"sum by (instance, outcome) (rate(router_requests_total{{{OWN}}}[$__rate_interval]))"
)
ROUTER_ACTIVE = f"router_active_requests{{{OWN}}}"
ROUTER_QUEUED = f"router_queued_requests{{{OWN}}}"
ROUTER_TOKEN_RATE = f"sum by (instance, direction) (rate(router_tokens_total{{{OWN}}}[$__rate_interval]))"
ROUTER_PROBE_DURATION = f"router_probe_duration_seconds{{{OWN}}}"
