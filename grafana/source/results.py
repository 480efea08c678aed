"""The dashboard *Results*: runs that have ended, by date, against connections, and beside a baseline."""

import frame
from grafana_foundation_sdk.models import dashboard as model
from layout import Row, Section
from palette import FAILURE, GREEN, PURPLE, from_none, from_one
from panels import COUNT, DATE_MS, RATE, RATIO, SECONDS, Series
from queries import results, run
from tables import Column, by_date, curve, labels, rows

LABELS = "/d/results?var-label=${__value.raw}&${__url_time_range}"
AT_THAT_TIME = "/d/soak?from=${__data.fields.began.numeric}&to=${__data.fields.ended.numeric}"
ITS_RUN = "var-run=${__data.fields.its_run}"
RESULT_COLUMNS = {
    "label": Column("label", link=("Only this label", LABELS), width=190),
    "Value #A": Column("began", DATE_MS, ("Soak at that time", f"{AT_THAT_TIME}&{ITS_RUN}"), width=170),
    "Value #B": Column("ended", DATE_MS, width=170),
    "run": Column("its_run", hidden=True),
    "Value #C": Column("2xx a second", RATE),
    "Value #D": Column("p95", SECONDS),
    "Value #E": Column("p99", SECONDS),
    "Value #F": Column("requests", COUNT),
    "Value #G": Column("non-2xx", COUNT, states=[from_none("0", GREEN), from_one("", FAILURE)]),
    "Value #H": Column("unanswered", COUNT, states=[from_none("0", GREEN), from_one("", FAILURE)]),
}
BASELINE_COLUMNS = {
    "label": Column("label", link=("Only this label", LABELS)),
    "Value #A": Column("2xx a second", RATE),
    "Value #B": Column("its baseline", RATE),
    "Value #C": Column("change", RATIO),
    "Value #D": Column("p99", SECONDS),
    "Value #E": Column("p99 baseline", SECONDS),
    "Value #F": Column("p99 change", RATIO),
}
RUN_COLUMNS = {
    "run": Column("run", link=("Soak at that time", f"{AT_THAT_TIME}&var-run=${{__value.raw}}"), width=170),
    **labels("label", "scenario", "engine", "model", "connections"),
    "Value #A": Column("began", DATE_MS, width=170),
    "Value #B": Column("ended", DATE_MS, width=170),
}


def ended() -> Section:
    """Every run that has ended, newest rows of the results files."""
    table = rows(
        "Results",
        "The newest rows of the results files, the newest on top. A click on a date opens the page Soak at "
        "its time with its run chosen, where this Prometheus was there within the time range, or after soak "
        "backfill; else with all runs.",
        COUNT,
        [
            Series(results.BEGAN_MS, "began"),
            Series(results.ENDED_MS, "ended"),
            Series(results.REQUESTS_PER_SECOND, "2xx a second"),
            Series(results.P95_SECONDS, "p95"),
            Series(results.P99_SECONDS, "p99"),
            Series(results.REQUESTS, "requests"),
            Series(results.NON_2XX, "non-2xx"),
            Series(results.SOCKET_ERRORS, "unanswered"),
            Series(results.RUN_OF_ROW, "its_run"),
        ],
        RESULT_COLUMNS,
        first="began",
    )
    when = Series(results.BEGAN_MS, "time")
    throughput = by_date(
        "Throughput by date",
        "Requests a second of each run at the time at which it began, a line for each label.",
        RATE,
        when,
        Series(results.REQUESTS_PER_SECOND, "2xx a second"),
    )
    latency = by_date(
        "Latency by date",
        "p95 and p99 of each run at the time at which it began, a line for each label.",
        SECONDS,
        when,
        Series(results.P95_SECONDS, "p95"),
        Series(results.P99_SECONDS, "p99", PURPLE),
    )
    return Section(
        None,
        "no results: soak run leaves them, the exporter reads them from its --results.folder",
        [Row(9, [table]), Row(8, [throughput, latency])],
    )


def compared() -> Section:
    """Against connections, against a baseline."""
    throughput = curve(
        "Throughput against connections",
        "The newest steps of soak scale (labels that end in -cN). Where it stops rising the router is full.",
        RATE,
        Series(results.SCALE_RPS, "2xx a second"),
    )
    p99 = curve(
        "p99 against connections",
        "The newest steps of soak scale. Past the point where throughput stops rising only this does.",
        SECONDS,
        Series(results.SCALE_P99_SECONDS, "p99"),
    )
    baseline = rows(
        "Latest beside baseline",
        "The newest result labelled NAME beside the newest labelled NAME-baseline, and by how much it "
        "differs.",
        RATIO,
        [
            Series(results.LATEST_RPS, "2xx a second"),
            Series(results.BASELINE_RPS, "its baseline"),
            Series(results.RPS_CHANGE_RATIO, "change"),
            Series(results.LATEST_P99_SECONDS, "p99"),
            Series(results.BASELINE_P99_SECONDS, "p99 baseline"),
            Series(results.P99_CHANGE_RATIO, "p99 change"),
        ],
        BASELINE_COLUMNS,
        first="change",
        no_value="no label has a baseline: soak run --label NAME-baseline",
    )
    return Section(
        "Against connections, against a baseline",
        "no results of steps: soak scale leaves them",
        [Row(9, [throughput, p99]), Row(6, [baseline])],
    )


def recorded() -> Section:
    """Runs that Prometheus has live series of."""
    table = rows(
        "Runs in the time range",
        "Runs whose live series are here. A click on a run shows the dashboard Soak at that time.",
        COUNT,
        [Series(run.RUNS_BEGAN_MS, "began"), Series(run.RUNS_ENDED_MS, "ended")],
        RUN_COLUMNS,
        first="began",
    )
    return Section("Live series", "no run in this time range: choose a longer one", [Row(7, [table])])


def dashboard() -> model.Dashboard:
    """The whole dashboard as the SDK's model."""
    return frame.dashboard(
        "Results",
        "results",
        "Runs that have ended: by date, against connections, and beside their baseline.",
        [ended(), compared(), recorded()],
        choices=("label", "run"),
        shown=("label",),
        since="now-7d",
        refresh="1m",
    )
