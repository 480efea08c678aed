"""Cloud routes twice: as the router counts them (`cloud_*`, by provider) and as the client sees them."""

from queries.selectors import LOAD, ROUTER, SUCCESS

_PROVIDER = f'{ROUTER},provider=~"$route"'
_CLIENT = f'route!="local",{LOAD}'
_CLIENT_SUCCESS = f'route!="local",{SUCCESS}'


def _as_route(expr: str) -> str:
    """The router's `provider` is what the client calls `route`."""
    return f'label_replace({expr}, "route", "$1", "provider", "(.+)")'


CLOUD_ROUTER_RATE = _as_route(
    f"sum by (provider) (rate(cloud_requests_total{{{_PROVIDER}}}[$__rate_interval]))"
)
CLOUD_CLIENT_RATE = f"sum by (route) (rate(benchmark_requests_total{{{_CLIENT}}}[$__rate_interval]))"
CLOUD_ROUTER_ERROR_RATE = _as_route(
    f'sum by (provider) (rate(cloud_requests_total{{status!~"2..",{_PROVIDER}}}[$__rate_interval]))'
)
CLOUD_CLIENT_ERROR_RATE = (
    f'sum by (route) (rate(benchmark_requests_total{{status_class!="2xx",{_CLIENT}}}[$__rate_interval]))'
    f" + sum by (route) (rate(benchmark_request_failures_total{{{_CLIENT}}}[$__rate_interval]))"
)
CLOUD_ROUTER_P95 = _as_route(
    "histogram_quantile(0.95, sum by (provider, le)"
    f" (rate(cloud_request_latency_seconds_bucket{{{_PROVIDER}}}[$__rate_interval]))) >= 0"
)
CLOUD_CLIENT_P95 = (
    "histogram_quantile(0.95, sum by (route, le)"
    f" (rate(benchmark_request_duration_seconds_bucket{{{_CLIENT_SUCCESS}}}[$__rate_interval]))) >= 0"
)
# overhead = the client's mean - the upstream's mean as the router sees it; of sums, so no bucket blurs it
_DURATION = "benchmark_request_duration_seconds"
_CLIENT_MEAN = (
    f"sum by (route) (rate({_DURATION}_sum{{{_CLIENT_SUCCESS}}}[$__rate_interval]))"
    f" / sum by (route) (rate({_DURATION}_count{{{_CLIENT_SUCCESS}}}[$__rate_interval]))"
)
_ROUTER_MEAN = _as_route(
    f"sum by (provider) (rate(cloud_request_latency_seconds_sum{{{_PROVIDER}}}[$__rate_interval]))"
    f" / sum by (provider) (rate(cloud_request_latency_seconds_count{{{_PROVIDER}}}[$__rate_interval]))"
)
CLOUD_OVERHEAD = f"{_CLIENT_MEAN} - on (route) {_ROUTER_MEAN}"
