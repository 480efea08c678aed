"""What the load engine saw: rates, failures, latencies. Quantiles are of summed buckets, never means."""

from queries.buckets import in_use
from queries.run import of_its_models
from queries.selectors import LOAD, SUCCESS

_REQUESTS = "benchmark_requests_total"
_FAILURES = f"benchmark_request_failures_total{{{LOAD}}}"
_NON_2XX = f'{_REQUESTS}{{status_class!="2xx",{LOAD}}}'
_BUCKETS = f"benchmark_request_duration_seconds_bucket{{{SUCCESS}}}"

SUCCESS_RATE_BY_MODEL = f"sum by (route, model) (rate({_REQUESTS}{{{SUCCESS}}}[$__rate_interval]))"
NON_2XX_RATE = f"sum(rate({_NON_2XX}[$__rate_interval]))"
UNANSWERED_RATE = f"sum(rate({_FAILURES}[$__rate_interval]))"
# What it was that failed, as one label; kinds that never happened are not listed. That there are none is said
# where requests are answered.
_KINDS = (
    f"label_replace(sum by (reason) (rate({_FAILURES}[$__rate_interval]))"
    f' and on (reason) sum by (reason) ({_FAILURES}) > 0, "failure", "$1 (unanswered)", "reason", "(.+)")'
    f" or label_replace(sum by (status_class) (rate({_NON_2XX}[$__rate_interval]))"
    f' and on (status_class) sum by (status_class) ({_NON_2XX}) > 0, "failure", "$1", "status_class", "(.+)")'
)
_ANSWERED = f"sum(rate({_REQUESTS}{{{LOAD}}}[$__rate_interval])) > 0"
_NO_KIND = f'label_replace(0 * ({_ANSWERED}), "failure", "none", "", "")'
FAILURE_RATE_BY_KIND = f"{_KINDS} or on () {_NO_KIND}"
# failures / all = (answered without 2xx + unanswered) / (answered + unanswered); no request, no ratio
FAILURE_RATIO = (
    f"({NON_2XX_RATE} + {UNANSWERED_RATE})"
    f" / (sum(rate({_REQUESTS}{{{LOAD}}}[$__rate_interval])) + {UNANSWERED_RATE} > 0)"
)
IN_FLIGHT = f"sum(benchmark_in_flight_requests{{{LOAD}}})"
CONNECTIONS_BY_STATE = f"sum by (state) (benchmark_connections{{{LOAD}}})"

# These gauges are exact (trailing 10 s, full resolution) but cannot be added up: one line a model.
_EXACT = "benchmark_request_duration_quantile_seconds"
LATENCY_EXACT_P50 = f'{_EXACT}{{quantile="0.5",{LOAD}}}'
LATENCY_EXACT_P95 = f'{_EXACT}{{quantile="0.95",{LOAD}}}'
LATENCY_EXACT_P99 = f'{_EXACT}{{quantile="0.99",{LOAD}}}'
LATENCY_EXACT_P999 = f'{_EXACT}{{quantile="0.999",{LOAD}}}'
LATENCY_BUCKETS = in_use(_BUCKETS)

# --- of the run on the first screen alone
RUN_SUCCESS_RATE = f"sum({of_its_models(f'rate({_REQUESTS}{{{SUCCESS}}}[$__rate_interval])')})"
_RUN_ANSWERED = f"sum({of_its_models(f'rate({_REQUESTS}{{{LOAD}}}[$__rate_interval])')})"
_RUN_NON_2XX = f"sum({of_its_models(f'rate({_NON_2XX}[$__rate_interval])')})"
_RUN_UNANSWERED = f"sum({of_its_models(f'rate({_FAILURES}[$__rate_interval])')})"
RUN_FAILING_RATIO = f"({_RUN_NON_2XX} + {_RUN_UNANSWERED}) / ({_RUN_ANSWERED} + {_RUN_UNANSWERED} > 0)"
RUN_WORST_P50 = f"max({of_its_models(LATENCY_EXACT_P50)})"
RUN_WORST_P99 = f"max({of_its_models(LATENCY_EXACT_P99)})"

# --- by route
ROUTE_SUCCESS_RATE = f"sum by (route) (rate({_REQUESTS}{{{SUCCESS}}}[$__rate_interval]))"
_ROUTE_NON_2XX = f"sum by (route) (rate({_NON_2XX}[$__rate_interval]))"
_ROUTE_UNANSWERED = f"sum by (route) (rate({_FAILURES}[$__rate_interval]))"
_ROUTE_ANSWERED = f"sum by (route) (rate({_REQUESTS}{{{LOAD}}}[$__rate_interval]))"
ROUTE_FAILURE_RATIO = (
    f"({_ROUTE_NON_2XX} + {_ROUTE_UNANSWERED}) / ({_ROUTE_ANSWERED} + {_ROUTE_UNANSWERED} > 0)"
)
_ROUTE_BUCKETS = f"sum by (route, le) (rate({_BUCKETS}[$__rate_interval]))"
ROUTE_LATENCY_P50 = f"histogram_quantile(0.5, {_ROUTE_BUCKETS}) >= 0"
ROUTE_LATENCY_P99 = f"histogram_quantile(0.99, {_ROUTE_BUCKETS}) >= 0"
