"""What the streaming engine measures of streams; first token, gaps and tokens are of complete ones alone."""

from queries.buckets import in_use
from queries.selectors import LOAD

_ENDS = "benchmark_streams_total"
_FIRST_TOKEN = f"benchmark_time_to_first_token_seconds_bucket{{{LOAD}}}"
_PER_TOKEN = f"benchmark_inter_token_latency_seconds_bucket{{{LOAD}}}"
_GAP = f"benchmark_chunk_gap_seconds_bucket{{{LOAD}}}"
_LAG = f"benchmark_client_lag_seconds_bucket{{{LOAD}}}"
_LATENESS = f"benchmark_send_lateness_seconds_bucket{{{LOAD}}}"

FIRST_TOKEN_BUCKETS = in_use(_FIRST_TOKEN)
CHUNK_GAP_BUCKETS = in_use(_GAP)


def _quantile(quantile: float, buckets: str) -> str:
    return f"histogram_quantile({quantile}, sum by (le) (rate({buckets}[$__rate_interval]))) >= 0"


FIRST_TOKEN_P50 = _quantile(0.5, _FIRST_TOKEN)
FIRST_TOKEN_P99 = _quantile(0.99, _FIRST_TOKEN)
PER_TOKEN_P50 = _quantile(0.5, _PER_TOKEN)
PER_TOKEN_P99 = _quantile(0.99, _PER_TOKEN)

COMPLETE_RATE = f'sum(rate({_ENDS}{{end="complete",{LOAD}}}[$__rate_interval]))'
_BROKEN = f'{_ENDS}{{end!~"complete|aborted",{LOAD}}}'
BROKEN_RATE_BY_END = (
    f"sum by (end) (rate({_BROKEN}[$__rate_interval])) and on (end) sum by (end) ({_BROKEN}) > 0"
)
ABORTED_RATE = f'sum(rate({_ENDS}{{end="aborted",{LOAD}}}[$__rate_interval]))'
SKIPPED_RATE = f"sum(rate(benchmark_requests_skipped_total{{{LOAD}}}[$__rate_interval]))"

OUTPUT_TOKENS_RATE_BY_MODEL = (
    f"sum by (route, model) (rate(benchmark_output_tokens_total{{{LOAD}}}[$__rate_interval]))"
)
INPUT_TOKENS_RATE = f"sum(rate(benchmark_input_tokens_total{{{LOAD}}}[$__rate_interval]))"
IN_FLIGHT_BY_MODEL = f"sum by (route, model) (benchmark_in_flight_requests{{{LOAD}}})"

# A share of the trailing minute cannot be added up: one line a model.
GOODPUT_RATIO = f"benchmark_goodput_ratio{{{LOAD}}}"
BUFFERED_RATIO = (
    f"sum(rate(benchmark_streams_buffered_total{{{LOAD}}}[$__rate_interval]))"
    f" / (sum(rate(benchmark_streams_shaped_total{{{LOAD}}}[$__rate_interval])) > 0)"
)
OVERHEAD_MEDIAN = f'benchmark_router_overhead_seconds{{quantile="0.5",{LOAD}}}'
OVERHEAD_INTERVAL = f"benchmark_router_overhead_bound_seconds{{{LOAD}}}"

CLIENT_LAG_P99 = _quantile(0.99, _LAG)
SEND_LATENESS_P99 = _quantile(0.99, _LATENESS)
# As the alert LoadGeneratorLate has it: 1 ms, or a twentieth of the median first token.
LATENESS_BOUND = f"clamp_min(0.05 * {FIRST_TOKEN_P50}, 0.001)"
