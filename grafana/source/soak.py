"""The dashboard *Soak*: one run seen live, its load beside the router, the hosts and the alerts.

From top to bottom: is it running and is it well (header) · what the clients see (requests) · what the
router does meanwhile (router and nodes) · what the machines have left (hosts) · whether to trust all this
(alerts and measurement). All panels share one time axis and one crosshair.
"""

from collections.abc import Mapping

import queries
from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.builders import gauge, stat, table, timeseries
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    BigValueTextMode,
    StackingMode,
)
from panels import (
    BLUE,
    DATASOURCE,
    FAILURE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    SKY,
    YELLOW,
    Section,
    as_table,
    at_least,
    colour,
    dashed,
    gauge_panel,
    lay_out,
    mapped,
    shades,
    stacked,
    stat_panel,
    table_panel,
    target,
    timeseries_panel,
)

UID = "soak"
SCRAPE_INTERVAL = "5s"
UNIT_SECONDS = "s"
UNIT_RATE = "reqps"
UNIT_BYTES = "bytes"
UNIT_RATIO = "percentunit"
UNIT_COUNT = "short"
NO_RUN = "no run"
NOT_WATCHED = "not watched"


def header() -> Section:
    """Is a run on, which one, how far, and does anything burn."""
    return Section(
        None,
        [
            (4, [(4, run_state()), (12, run_info()), (4, run_progress()), (4, firing_count())]),
            (4, [(6, success_now()), (6, failure_ratio_now()), (6, p99_now()), (6, router_now())]),
        ],
    )


def requests() -> Section:
    """What the clients see; successes and failures are never one figure."""
    return Section(
        "Requests",
        [
            (8, [(12, success_rate()), (12, failure_rate())]),
            (8, [(12, latency_exact()), (12, latency_histogram())]),
            (8, [(8, failures_by_reason()), (8, non_2xx_by_class()), (8, in_flight())]),
        ],
    )


def router() -> Section:
    """What the router and its nodes do meanwhile."""
    return Section(
        "Router and nodes",
        [
            (8, [(12, router_memory()), (12, router_cpu())]),
            (8, [(12, router_fds_and_threads()), (12, router_connections())]),
        ],
    )


def hosts() -> Section:
    """What the machines have left."""
    return Section("Hosts", [(8, [(8, host_cpu()), (8, host_memory()), (8, host_tcp())])])


def measurement() -> Section:
    """What fires, and whether the measurement itself is well."""
    return Section(
        "Alerts and measurement",
        [
            (8, [(12, firing_alerts()), (12, scrape_duration())]),
            (5, [(24, health())]),
        ],
    )


# --- header


def run_state() -> stat.Panel:
    panel = stat_panel("Run", "Whether a run is under way, as the exporter says.", UNIT_COUNT, "no exporter")
    panel.mappings([mapped({"0": ("idle", GREY), "1": ("running", BLUE)})])
    panel.color_mode(BigValueColorMode.BACKGROUND).graph_mode(BigValueGraphMode.NONE)
    return panel.with_target(target("A", queries.RUN_ACTIVE, "run", instant=True))


def run_info() -> stat.Panel:
    panel = stat_panel(
        "Run details", "Run id, scenario, engine, model, target and connections of the run.", "string", NO_RUN
    )
    panel.text_mode(BigValueTextMode.NAME).color_mode(BigValueColorMode.NONE)
    panel.graph_mode(BigValueGraphMode.NONE)
    legend = (
        "{{run}} · {{scenario}} · {{engine}} · {{model}} · {{target}} · {{connections}} connections {{label}}"
    )
    return panel.with_target(target("A", queries.RUN_INFO, legend, instant=True))


def run_progress() -> gauge.Panel:
    panel = gauge_panel("Progress", "Time since the start over the planned duration.", UNIT_RATIO, NO_RUN)
    panel.min(0).max(1).thresholds(at_least((None, BLUE)))
    return panel.with_target(target("A", queries.RUN_PROGRESS_RATIO, "elapsed", instant=True))


def firing_count() -> stat.Panel:
    panel = stat_panel(
        "Firing alerts",
        "Alerts that fire now, the Watchdog apart. Nothing instead of a number: the Watchdog is silent, so "
        "Prometheus does not evaluate its rules.",
        UNIT_COUNT,
        "no watchdog",
    )
    panel.thresholds(at_least((None, GREEN), (1, FAILURE))).color_mode(BigValueColorMode.BACKGROUND)
    panel.graph_mode(BigValueGraphMode.NONE)
    return panel.with_target(target("A", queries.FIRING_ALERTS_COUNT, "firing", instant=True))


def success_now() -> stat.Panel:
    panel = stat_panel("Successes per second", "Requests answered with 2xx.", UNIT_RATE, NO_RUN)
    panel.thresholds(at_least((None, BLUE)))
    return panel.with_target(target("A", queries.SUCCESS_RATE, "2xx"))


def failure_ratio_now() -> stat.Panel:
    panel = stat_panel(
        "Failure ratio",
        "Requests answered without 2xx or not answered whole, over all requests. Idle is not 0 %: without "
        "requests there is no ratio.",
        UNIT_RATIO,
        NO_RUN,
    )
    panel.mappings([mapped({}, nothing=NO_RUN)])
    panel.thresholds(at_least((None, GREEN), (0.001, ORANGE), (0.01, FAILURE))).decimals(2)
    return panel.with_target(target("A", queries.FAILURE_RATIO, "failed"))


def p99_now() -> stat.Panel:
    panel = stat_panel(
        "p99", "The worst p99 of the chosen models: 2xx only, trailing 10 s, exact.", UNIT_SECONDS, NO_RUN
    )
    panel.mappings([mapped({}, nothing=NO_RUN)])
    panel.thresholds(at_least((None, BLUE)))
    return panel.with_target(target("A", queries.LATENCY_EXACT_WORST_P99, "p99"))


def router_now() -> stat.Panel:
    panel = stat_panel("Router", "Whether the router answers its probes.", UNIT_COUNT, "not probed")
    panel.mappings([mapped({"0": ("down", FAILURE), "1": ("up", GREEN)})])
    panel.color_mode(BigValueColorMode.BACKGROUND).graph_mode(BigValueGraphMode.NONE)
    return panel.with_target(target("A", queries.ROUTER_UP, "router", instant=True))


# --- requests


def success_rate() -> timeseries.Panel:
    panel = timeseries_panel("Success RPS", "Answers with 2xx, by route and model.", UNIT_RATE, NO_RUN)
    panel.color_scheme(shades(BLUE))
    return panel.with_target(target("A", queries.SUCCESS_RATE_BY_MODEL, "{{route}} {{model}}"))


def failure_rate() -> timeseries.Panel:
    panel = timeseries_panel(
        "Failure RPS",
        "Requests that failed, stacked: answered with another status than 2xx, and not answered whole "
        "(refused, cut off, timed out). On its own axis, so that few failures beside many successes show.",
        UNIT_RATE,
        NO_RUN,
    )
    panel.stacking(stacked(StackingMode.NORMAL)).fill_opacity(40)
    panel.override_by_query("A", [colour(ORANGE)]).override_by_query("B", [colour(FAILURE)])
    panel.with_target(target("A", queries.NON_2XX_RATE, "non-2xx"))
    return panel.with_target(target("B", queries.UNANSWERED_RATE, "unanswered"))


def latency_exact() -> timeseries.Panel:
    panel = timeseries_panel(
        "Latency p50, p95, p99 (exact)",
        "Quantiles of 2xx over the trailing 10 s, from the histogram of full resolution, by model. A gap is "
        "a time without successes.",
        UNIT_SECONDS,
        NO_RUN,
    )
    for ref, expr, name, hue in (
        ("A", queries.LATENCY_EXACT_P50, "p50", SKY),
        ("B", queries.LATENCY_EXACT_P95, "p95", BLUE),
        ("C", queries.LATENCY_EXACT_P99, "p99", PURPLE),
    ):
        panel.with_target(target(ref, expr, f"{name} {{{{model}}}}")).override_by_query(ref, [colour(hue)])
    return panel


def latency_histogram() -> timeseries.Panel:
    panel = timeseries_panel(
        "Latency p50, p95, p99 (all chosen models)",
        "Quantiles of 2xx over everything that is chosen together, estimated from the buckets of the "
        "Prometheus histogram.",
        UNIT_SECONDS,
        NO_RUN,
    )
    for ref, expr, name, hue in (
        ("A", queries.LATENCY_HISTOGRAM_P50, "p50", SKY),
        ("B", queries.LATENCY_HISTOGRAM_P95, "p95", BLUE),
        ("C", queries.LATENCY_HISTOGRAM_P99, "p99", PURPLE),
    ):
        panel.with_target(target(ref, expr, name)).override_by_query(ref, [colour(hue)])
    return panel


def failures_by_reason() -> timeseries.Panel:
    panel = timeseries_panel(
        "Failures by reason",
        "Requests without a whole answer: connect (refused), read, write, timeout, disconnect (cut off), "
        "truncated (a stream that ended early), in_band (an error inside a stream).",
        UNIT_RATE,
        NO_RUN,
    )
    for reason, hue in (
        ("connect", ORANGE),
        ("read", BLUE),
        ("write", SKY),
        ("timeout", PURPLE),
        ("disconnect", FAILURE),
        ("truncated", YELLOW),
        ("in_band", GREY),
    ):
        panel.override_by_name(reason, [colour(hue)])
    return panel.with_target(target("A", queries.UNANSWERED_RATE_BY_REASON, "{{reason}}"))


def non_2xx_by_class() -> timeseries.Panel:
    panel = timeseries_panel(
        "Non-2xx by status class", "Whole answers that were no success, by class.", UNIT_RATE, NO_RUN
    )
    for status_class, hue in (("1xx", GREY), ("3xx", SKY), ("4xx", ORANGE), ("5xx", FAILURE)):
        panel.override_by_name(status_class, [colour(hue)])
    return panel.with_target(target("A", queries.NON_2XX_RATE_BY_CLASS, "{{status_class}}"))


def in_flight() -> timeseries.Panel:
    panel = timeseries_panel(
        "In flight and connections",
        "Requests under way, and the load engine's connections: open, and stalled (asked, and no answer).",
        UNIT_COUNT,
        NO_RUN,
    )
    panel.override_by_name("in flight", [colour(BLUE)]).override_by_name("open", [colour(SKY), dashed()])
    panel.override_by_name("stalled", [colour(FAILURE)])
    panel.with_target(target("A", queries.IN_FLIGHT, "in flight"))
    return panel.with_target(target("B", queries.CONNECTIONS_BY_STATE, "{{state}}"))


# --- router and nodes


def router_memory() -> timeseries.Panel:
    panel = timeseries_panel(
        "Router memory",
        "Resident memory, and anonymous memory with what was swapped out. The second is where a leak shows: "
        "resident memory also counts mapped model files and shrinks when the host swaps.",
        UNIT_BYTES,
        NOT_WATCHED,
    )
    panel.override_by_query("A", [colour(SKY, mode="shades"), dashed()])
    panel.override_by_query("B", [colour(BLUE, mode="shades")])
    panel.with_target(target("A", queries.PROCESS_RESIDENT_BYTES, "{{process}} resident"))
    return panel.with_target(target("B", queries.PROCESS_ANONYMOUS_AND_SWAP_BYTES, "{{process}} anon + swap"))


def router_cpu() -> timeseries.Panel:
    panel = timeseries_panel("Router CPU", "Cores used, user and system.", "suffix:cores", NOT_WATCHED)
    panel.color_scheme(shades(BLUE))
    return panel.with_target(target("A", queries.PROCESS_CPU_CORES, "{{process}}"))


def router_fds_and_threads() -> timeseries.Panel:
    panel = timeseries_panel(
        "Router files and threads",
        "Open file descriptors and threads. What grows and does not fall after the load either is a leak.",
        UNIT_COUNT,
        NOT_WATCHED,
    )
    panel.override_by_query("A", [colour(BLUE, mode="shades")])
    panel.override_by_query("B", [colour(ORANGE, mode="shades")])
    panel.with_target(target("A", queries.PROCESS_OPEN_FDS, "{{process}} files"))
    return panel.with_target(target("B", queries.PROCESS_THREADS, "{{process}} threads"))


def router_connections() -> timeseries.Panel:
    panel = timeseries_panel(
        "Router connections",
        "TCP connections of the watched processes by state. CLOSE_WAIT that grows: the peer has hung up and "
        "the process has not.",
        UNIT_COUNT,
        NOT_WATCHED,
    )
    panel.color_scheme(shades(BLUE)).override_by_regexp("(?i).*close.?wait.*", [colour(ORANGE)])
    return panel.with_target(target("A", queries.PROCESS_CONNECTIONS_BY_STATE, "{{process}} {{state}}"))


# --- hosts


def host_cpu() -> timeseries.Panel:
    panel = timeseries_panel(
        "Host CPU",
        "Share of all CPUs that is busy, waits for disks (iowait), or is taken by the hypervisor (steal). "
        "A host near 100 % measures itself, not the router.",
        UNIT_RATIO,
        "no host data",
    )
    panel.min(0).max(1)
    for ref, expr, name, hue in (
        ("A", queries.HOST_CPU_BUSY_RATIO, "busy", BLUE),
        ("B", queries.HOST_CPU_IOWAIT_RATIO, "iowait", ORANGE),
        ("C", queries.HOST_CPU_STEAL_RATIO, "steal", PURPLE),
    ):
        panel.with_target(target(ref, expr, f"{{{{instance}}}} {name}"))
        panel.override_by_query(ref, [colour(hue, mode="shades")])
    return panel


def host_memory() -> timeseries.Panel:
    panel = timeseries_panel(
        "Host memory",
        "Memory that is not available for new work, under the total.",
        UNIT_BYTES,
        "no host data",
    )
    panel.min(0).override_by_query("A", [colour(BLUE, mode="shades")])
    panel.override_by_query("B", [colour(GREY, mode="shades"), dashed()])
    panel.with_target(target("A", queries.HOST_MEMORY_USED_BYTES, "{{instance}} used"))
    return panel.with_target(target("B", queries.HOST_MEMORY_TOTAL_BYTES, "{{instance}} total"))


def host_tcp() -> timeseries.Panel:
    panel = timeseries_panel(
        "Host TCP trouble",
        "Segments sent again, and connections dropped because a listener's queue was full: disconnects "
        "that are the host's, not the router's.",
        "cps",
        "no host data",
    )
    panel.override_by_query("A", [colour(BLUE, mode="shades")])
    panel.override_by_query("B", [colour(FAILURE, mode="shades")])
    panel.with_target(target("A", queries.HOST_TCP_RETRANSMITS, "{{instance}} retransmits"))
    return panel.with_target(target("B", queries.HOST_TCP_LISTEN_DROPS, "{{instance}} listen drops"))


# --- alerts and measurement


def firing_alerts() -> table.Panel:
    panel = table_panel(
        "Alerts firing now",
        "Every alert that fires, and since when its condition holds. The Watchdog is always here: it proves "
        "that the rules are evaluated.",
        "dateTimeFromNow",
        "nothing fires, not even the Watchdog: are the rules loaded?",
    )
    labels = ("alertname", "severity", "process", "node")
    columns = {**{label: label for label in labels}, "alertname": "alert", "Value": "since"}
    panel.with_transformation(as_table(columns))
    return panel.with_target(target("A", queries.FIRING_ALERTS_SINCE, "", instant=True, rows=True))


def scrape_duration() -> timeseries.Panel:
    panel = timeseries_panel(
        "Scrape and collector duration",
        "How long each scrape took, and inside the exporter each collector. Near the scrape interval of 5 s, "
        "samples are lost.",
        UNIT_SECONDS,
        "no scrape",
    )
    panel.override_by_query("A", [colour(BLUE, mode="shades")])
    panel.override_by_query("B", [colour(ORANGE, mode="shades")])
    panel.with_target(target("A", queries.SCRAPE_DURATION, "{{job}} {{instance}}"))
    return panel.with_target(target("B", queries.COLLECTOR_DURATION, "collector {{collector}}"))


def health() -> stat.Panel:
    panel = stat_panel(
        "Scrape targets and collectors",
        "Whether Prometheus reaches each target, and whether each of the exporter's collectors succeeded in "
        "the last scrape, on the worst exporter.",
        UNIT_COUNT,
        "no target",
    )
    panel.mappings([mapped({"0": ("failing", FAILURE), "1": ("ok", GREEN)})])
    panel.color_mode(BigValueColorMode.BACKGROUND).graph_mode(BigValueGraphMode.NONE)
    panel.text_mode(BigValueTextMode.VALUE_AND_NAME)
    panel.with_target(target("A", queries.TARGET_UP, "{{job}} {{instance}}", instant=True))
    return panel.with_target(target("B", queries.COLLECTOR_SUCCESS, "collector {{collector}}", instant=True))


# --- the dashboard


def variables() -> list[Builder[model.VariableModel]]:
    """The datasource, and what narrows the panels; each matches everything unless something is chosen."""
    source = build.DatasourceVariable("datasource").label("Datasource").type("prometheus")
    source.current(model.VariableOption(selected=True, text="Prometheus", value="prometheus"))
    chosen: list[Builder[model.VariableModel]] = [source]
    for name, expr, description in (
        ("route", queries.VARIABLE_ROUTE, "Where the router sends the requests."),
        ("model", queries.VARIABLE_MODEL, "The model that the requests name."),
        ("process", queries.VARIABLE_PROCESS, "Watched processes of the roles router and node."),
    ):
        variable = build.QueryVariable(name).label(name.capitalize()).description(description)
        variable.datasource(DATASOURCE).query({"query": expr, "refId": f"variable-{name}"})
        variable.multi(True).include_all(True).all_value(".*")
        variable.current(model.VariableOption(selected=True, text=["All"], value=["$__all"]))
        # Models and processes come and go with runs, so the lists follow the time range.
        variable.refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
        variable.sort(model.VariableSort.ALPHABETICAL_ASC)
        chosen.append(variable)
    return chosen


class FormattedAnnotation(model.AnnotationQuery):
    """The SDK's annotation with further fields of the Prometheus datasource."""

    def __init__(self, formats: Mapping[str, str]) -> None:
        super().__init__()
        self._formats = formats

    def to_json(self) -> dict[str, object]:
        """The SDK's fields and the further ones."""
        return {**super().to_json(), **self._formats}


class PrometheusAnnotation(build.AnnotationQuery):
    """An annotation from a query; `formats` adds what the SDK lacks: its title, text and tags from labels."""

    def __init__(self, name: str, expr: str, hue: str, **formats: str) -> None:
        super().__init__()
        self._internal = FormattedAnnotation(formats)
        self.name(name).datasource(DATASOURCE).enable(True).icon_color(hue).expr(expr)


def annotations() -> list[Builder[model.AnnotationQuery]]:
    """Runs from start to end, and alerts while they fire, on every time axis."""
    run = PrometheusAnnotation(
        "Runs",
        queries.ANNOTATION_RUN,
        BLUE,
        titleFormat="Run {{run}}",
        textFormat="{{model}} at {{target}}",
        tagKeys="scenario,engine",
        step=SCRAPE_INTERVAL,
    )
    alert = PrometheusAnnotation(
        "Alerts",
        queries.ANNOTATION_ALERT,
        FAILURE,
        titleFormat="{{alertname}}",
        textFormat="{{process}} {{node}}",
        tagKeys="severity",
        step=SCRAPE_INTERVAL,
    )
    return [run, alert]


def dashboard() -> model.Dashboard:
    """The whole dashboard as the SDK's model."""
    soak = build.Dashboard("Soak").uid(UID).tags(["soak", "llm-router"])
    soak.description("One run live: load, latency, failures, router, hosts and alerts on one time axis.")
    soak.refresh(SCRAPE_INTERVAL).time("now-15m", "now").timezone("browser").readonly()
    soak.tooltip(model.DashboardCursorSync.CROSSHAIR)
    soak.variables(variables()).annotations(annotations())
    lay_out(soak, [header(), requests(), router(), hosts(), measurement()])
    return soak.build()
