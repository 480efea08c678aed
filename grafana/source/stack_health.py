"""The dashboard *Stack health*: whether the measurement itself can be trusted."""

import frame
from grafana_foundation_sdk.models import dashboard as model
from layout import Row, Section
from palette import BLUE, FAILURE, GREEN, OK_OR_FAILING, ORANGE, PURPLE, SKY, from_none, from_one, mapped
from panels import BYTES, COUNT, PER_SECOND, RATIO, SECONDS, Series, lines, states
from queries import stack
from tables import Column, rows

TARGET_COLUMNS = {
    "job": Column("job", width=130),
    "instance": Column("instance"),
    "Value #A": Column("state", states=[from_none("up", GREEN), from_one("down", FAILURE)], width=90),
    "Value #B": Column("scrape took", SECONDS, width=110),
    "Value #C": Column("samples", COUNT, width=90),
}
FAILING_COLUMNS = {"collector": Column("collector"), "instance": Column("exporter")}


def scrapes() -> Section:
    """Is everything reached, and in time."""
    targets = rows(
        "Targets",
        "Whether Prometheus reaches each target, how long its last scrape took, and how many samples were "
        "kept of it. Those that are down are on top.",
        COUNT,
        [
            Series(stack.TARGET_DOWN, "state"),
            Series(stack.SCRAPE_DURATION, "scrape took"),
            Series(stack.SCRAPE_SAMPLES, "samples"),
        ],
        TARGET_COLUMNS,
        first="state",
        no_value="no target: prometheus/targets/ names them",
    )
    collectors = states(
        "Collectors",
        "Whether each collector succeeded in the last scrape, on the worst exporter.",
        [mapped(OK_OR_FAILING)],
        Series(stack.COLLECTOR_SUCCESS, "{{collector}}"),
        no_value="no exporter is reached: prometheus/targets/exporter.yml names them",
    )
    failing = rows(
        "Collectors that fail",
        "Where; the exporter's log says why.",
        COUNT,
        [Series(stack.COLLECTOR_FAILING, "failing")],
        FAILING_COLUMNS,
        first="exporter",
        no_value="no exporter is reached: prometheus/targets/exporter.yml names them",
    )
    duration = lines(
        "Scrape duration",
        "How long each scrape took. Near the scrape interval of 5 s samples are lost.",
        SECONDS,
        Series(stack.SCRAPE_DURATION, "{{job}} {{instance}}", BLUE, many=True),
        beside=True,
    )
    samples = lines(
        "Samples a scrape",
        "Samples that were kept of each scrape. One that grows without end is a label without bound.",
        COUNT,
        Series(stack.SCRAPE_SAMPLES, "{{job}} {{instance}}", PURPLE, many=True),
        beside=True,
    )
    return Section(
        None,
        "no scrape: prometheus/targets/ names what is scraped",
        [Row(4, [collectors]), Row(8, [targets, failing], [15, 9]), Row(8, [duration, samples])],
    )


def exporters() -> Section:
    """The exporters and their collectors, and the live ingest."""
    duration = lines(
        "Collector duration",
        "How long each collector took, or has been running, on the worst exporter.",
        SECONDS,
        Series(stack.COLLECTOR_DURATION, "{{collector}}", BLUE, many=True),
    )
    age = lines(
        "Since a collector last succeeded",
        "Its series are missing while it fails, and alerts on them are blind.",
        SECONDS,
        Series(stack.COLLECTOR_AGE, "{{collector}}", ORANGE, many=True),
        up_to=5,
    )
    cpu = lines(
        "Exporter CPU",
        "Cores that watching costs on each machine.",
        COUNT,
        Series(stack.EXPORTER_CPU_CORES, "{{instance}}", BLUE, many=True),
    )
    memory = lines(
        "Exporter memory",
        "Resident memory of each exporter.",
        BYTES,
        Series(stack.EXPORTER_MEMORY_BYTES, "{{instance}}", PURPLE, many=True),
    )
    ingest = lines(
        "Live messages",
        "Messages a second from load engines: one a second from each connection.",
        PER_SECOND,
        Series(stack.INGEST_RATE, "{{instance}} taken", BLUE, many=True),
        Series(stack.INGEST_REJECTED_RATE, "rejected: {{reason}}", FAILURE, many=True),
    )
    left_out = lines(
        "Left out",
        "Rows of results that cannot be read, and devices and nodes beyond the bounds of what is shown.",
        COUNT,
        Series(stack.LEFT_OUT, "{{kind}}", ORANGE, many=True),
        up_to=1,
    )
    return Section(
        "Exporters",
        "no exporter is scraped: prometheus/targets/exporter.yml names them",
        [Row(8, [duration, age]), Row(8, [cpu, memory]), Row(8, [ingest, left_out])],
    )


def prometheus() -> Section:
    """Rules, storage, and the way of an alert to somebody."""
    rules = lines(
        "Rule evaluation",
        "How long each group of rules takes, of its interval. At 100 % evaluations are skipped.",
        RATIO,
        Series(stack.RULES_DURATION_RATIO, "{{group}}", BLUE, many=True),
        beside=True,
    )
    rule_failures = lines(
        "Rule failures",
        "Rules that failed, and evaluations that were missed.",
        COUNT,
        Series(stack.RULES_FAILURES, "failed", FAILURE),
        Series(stack.RULES_MISSED, "missed", ORANGE),
        up_to=1,
    )
    series = lines(
        "In memory",
        "Series and chunks of samples that Prometheus holds in memory. Series that grow without end are a "
        "label without bound.",
        COUNT,
        Series(stack.STORAGE_SERIES, "{{instance}} series", BLUE, many=True),
        Series(stack.STORAGE_CHUNKS, "{{instance}} chunks", SKY, many=True),
    )
    appended = lines(
        "Samples a second",
        "Samples written, of scrapes and rules.",
        PER_SECOND,
        Series(stack.STORAGE_SAMPLE_RATE, "{{instance}}", SKY, many=True),
    )
    disk = lines(
        "Storage",
        "Blocks on disk. The first is written after two hours; until then everything is in memory and its "
        "log. Nothing is deleted before the retention ends.",
        BYTES,
        Series(stack.STORAGE_BLOCKS_BYTES, "{{instance}} blocks", BLUE, many=True),
        no_value="no block yet: the first is written after two hours, until then all is in memory",
    )
    sent = lines(
        "Alerts to Alertmanager",
        "Alerts that Prometheus sent, and those it could not.",
        PER_SECOND,
        Series(stack.ALERTS_SENT_RATE, "sent", BLUE),
        Series(stack.ALERTS_DROPPED_RATE, "dropped", FAILURE),
    )
    notified = lines(
        "Notifications",
        "Notifications of Alertmanager to receivers, and those that failed. As shipped it notifies nobody.",
        PER_SECOND,
        Series(stack.NOTIFIED_RATE, "notifications", BLUE),
        Series(stack.NOTIFIED_FAILED_RATE, "failed", FAILURE),
        up_to=1,
        no_value="Alertmanager is not scraped: the job alertmanager of prometheus.yml does it",
    )
    return Section(
        "Prometheus and Alertmanager",
        "Prometheus is not scraped: the job prometheus of prometheus.yml does it",
        [Row(8, [rules, rule_failures]), Row(8, [series, appended, disk]), Row(8, [sent, notified])],
    )


def dashboard() -> model.Dashboard:
    """The whole dashboard as the SDK's model."""
    return frame.dashboard(
        "Stack health",
        "stack-health",
        "Whether the measurement can be trusted: scrapes, collectors, ingest, rules, storage, notifications.",
        [scrapes(), exporters(), prometheus()],
        choices=(),
        shown=("instance",),
    )
