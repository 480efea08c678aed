"""What the load engine saw: rates, failures, latencies. Quantiles are of summed buckets, never means."""

from queries.selectors import LOAD, SUCCESS

_REQUESTS = "benchmark_requests_total"
_FAILURES = f"benchmark_request_failures_total{{{LOAD}}}"
_NON_2XX = f'{_REQUESTS}{{status_class!="2xx",{LOAD}}}'
_BUCKETS = f"benchmark_request_duration_seconds_bucket{{{SUCCESS}}}"

SUCCESS_RATE = f"sum(rate({_REQUESTS}{{{SUCCESS}}}[$__rate_interval]))"
SUCCESS_RATE_BY_MODEL = f"sum by (route, model) (rate({_REQUESTS}{{{SUCCESS}}}[$__rate_interval]))"
NON_2XX_RATE = f"sum(rate({_NON_2XX}[$__rate_interval]))"
NON_2XX_RATE_BY_CLASS = f"sum by (status_class) (rate({_NON_2XX}[$__rate_interval]))"
UNANSWERED_RATE = f"sum(rate({_FAILURES}[$__rate_interval]))"
UNANSWERED_RATE_BY_REASON = f"sum by (reason) (rate({_FAILURES}[$__rate_interval]))"
# failures / all = (answered without 2xx + unanswered) / (answered + unanswered); no request, no ratio (NaN)
FAILURE_RATIO = (
    f"({NON_2XX_RATE} + {UNANSWERED_RATE})"
    f" / (sum(rate({_REQUESTS}{{{LOAD}}}[$__rate_interval])) + {UNANSWERED_RATE})"
)
IN_FLIGHT = f"sum(benchmark_in_flight_requests{{{LOAD}}})"
CONNECTIONS_BY_STATE = f"sum by (state) (benchmark_connections{{{LOAD}}})"

# These gauges are exact (trailing 10 s, full resolution) but cannot be added up: one line a model.
_EXACT = "benchmark_request_duration_quantile_seconds"
LATENCY_EXACT_WORST_P99 = f'max({_EXACT}{{quantile="0.99",{LOAD}}})'
LATENCY_EXACT_P50 = f'{_EXACT}{{quantile="0.5",{LOAD}}}'
LATENCY_EXACT_P95 = f'{_EXACT}{{quantile="0.95",{LOAD}}}'
LATENCY_EXACT_P99 = f'{_EXACT}{{quantile="0.99",{LOAD}}}'
LATENCY_EXACT_P999 = f'{_EXACT}{{quantile="0.999",{LOAD}}}'
LATENCY_BUCKETS = f"sum by (le) (increase({_BUCKETS}[$__rate_interval]))"

# --- by route
ROUTE_SUCCESS_RATE = f"sum by (route) (rate({_REQUESTS}{{{SUCCESS}}}[$__rate_interval]))"
_ROUTE_NON_2XX = f"sum by (route) (rate({_NON_2XX}[$__rate_interval]))"
_ROUTE_UNANSWERED = f"sum by (route) (rate({_FAILURES}[$__rate_interval]))"
_ROUTE_ANSWERED = f"sum by (route) (rate({_REQUESTS}{{{LOAD}}}[$__rate_interval]))"
ROUTE_FAILURE_RATIO = f"({_ROUTE_NON_2XX} + {_ROUTE_UNANSWERED}) / ({_ROUTE_ANSWERED} + {_ROUTE_UNANSWERED})"
_ROUTE_BUCKETS = f"sum by (route, le) (rate({_BUCKETS}[$__rate_interval]))"
ROUTE_LATENCY_P50 = f"histogram_quantile(0.5, {_ROUTE_BUCKETS})"
ROUTE_LATENCY_P99 = f"histogram_quantile(0.99, {_ROUTE_BUCKETS})"
