"""What every dashboard has around its panels: variables, annotations, links to the others, time."""

from collections.abc import Sequence

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard as model
from layout import Section, lay_out
from palette import BLUE, FAILURE, GREY, PURPLE
from panels import DATASOURCE
from queries import run, variables

SCRAPE_INTERVAL = "5s"
TAG = "llm-router-soak"

# Everything, as "All" and where there is nothing to choose. `.+` for the labels that Prometheus gives every
# series, as Grafana's dashboard-linter asks; `.*` for the others, so that a series without the label stays.
EVERY_TARGET, EVERYTHING = ".+", ".*"
VARIABLES = {
    "job": (variables.VARIABLE_JOB, EVERY_TARGET, "The job of the exporters."),
    "instance": (variables.VARIABLE_INSTANCE, EVERY_TARGET, "The exporters: this machine's and the agents'."),
    "route": (variables.VARIABLE_ROUTE, EVERYTHING, "Where the router sends the requests."),
    "model": (variables.VARIABLE_MODEL, EVERYTHING, "The model that the requests name."),
    "process": (variables.VARIABLE_PROCESS, EVERYTHING, "Watched processes of the roles router and node."),
    "node": (variables.VARIABLE_NODE, EVERYTHING, "The router's nodes, by its name for them."),
    "gpu": (variables.VARIABLE_GPU, EVERYTHING, "GPUs by their index."),
    "run": (variables.VARIABLE_RUN, EVERYTHING, "Runs within the time range, by id."),
    "label": (variables.VARIABLE_LABEL, EVERYTHING, "Labels of the results."),
}


def dashboard(
    title: str,
    uid: str,
    description: str,
    sections: Sequence[Section],
    *,
    choices: Sequence[str],
    since: str = "now-1h",
    refresh: str = "15s",
    phases: bool = False,
) -> model.Dashboard:
    """A whole dashboard; `choices` are the variables after datasource, job and instance."""
    page = build.Dashboard(title).uid(uid).tags([TAG]).description(description)
    page.refresh(refresh).time(since, "now").timezone("browser").readonly()
    page.tooltip(model.DashboardCursorSync.CROSSHAIR)
    page.variables(_variables(("job", "instance", *choices)))
    page.links([_links()])
    lay_out(page, sections)
    built = page.build()
    built.annotations = _annotations("run" in choices, phases)
    return built


def _variables(names: Sequence[str]) -> list[Builder[model.VariableModel]]:
    source = build.DatasourceVariable("datasource").label("Data source").type("prometheus")
    source.current(model.VariableOption(selected=True, text="Prometheus", value="prometheus"))
    chosen: list[Builder[model.VariableModel]] = [source]
    for name in names:
        expr, every, description = VARIABLES[name]
        variable = build.QueryVariable(name).label(name.capitalize()).description(description)
        variable.datasource(DATASOURCE).query({"query": expr, "refId": f"variable-{name}"})
        variable.multi(True).include_all(True).all_value(every)
        variable.current(model.VariableOption(selected=True, text=["All"], value=["$__all"]))
        # What can be chosen comes and goes with runs, so the lists follow the time range.
        variable.refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
        variable.sort(model.VariableSort.ALPHABETICAL_ASC)
        chosen.append(variable)
    return chosen


def _links() -> build.DashboardLink:
    """To all dashboards, side by side, with the time range and whatever is chosen."""
    link = build.DashboardLink("Dashboards").type(model.DashboardLinkType.DASHBOARDS).tags([TAG])
    return link.as_dropdown(False).include_vars(True).keep_time(True).target_blank(False)


class PrometheusAnnotation(model.AnnotationQuery):
    """An annotation from a query, with what the SDK lacks: its title, text and tags from labels."""

    def __init__(self, name: str, expr: str, hue: str, title: str, text: str, tags: str) -> None:
        super().__init__(name, DATASOURCE, icon_color=hue, expr=expr)
        self._formats = {"titleFormat": title, "textFormat": text, "tagKeys": tags}

    def to_json(self) -> dict[str, object]:
        """The SDK's fields and the further ones.

        Newer versions of the data source ask `target`, older ones the fields beside it (grafana-prometheus,
        annotations.ts, `prepareAnnotation`).
        """
        target = {"expr": self.expr, "refId": "Anno", "interval": SCRAPE_INTERVAL, "range": True}
        return {**super().to_json(), "step": SCRAPE_INTERVAL, "target": target, **self._formats}


def _annotations(runs: bool, phases: bool) -> model.AnnotationContainer:
    """Runs from start to end and their phases, restarts, and alerts while they fire, on every time axis."""
    run_form = ("Run {{run}}", "{{model}} at {{target}}", "scenario,engine")
    phase_form = ("{{phase}}", "phase of the run", "phase")
    restart_form = ("{{process}} restarted", "{{instance}}", "role")
    alert_form = ("{{alertname}}", "{{process}} {{node}}", "severity")
    return model.AnnotationContainer([
        *([PrometheusAnnotation("Runs", run.RUN_INFO, BLUE, *run_form)] if runs else []),
        *([PrometheusAnnotation("Phases", run.RUN_PHASE, GREY, *phase_form)] if phases else []),
        PrometheusAnnotation("Restarts", run.ANNOTATION_RESTART, PURPLE, *restart_form),
        PrometheusAnnotation("Alerts", run.ANNOTATION_ALERT, FAILURE, *alert_form),
    ])  # fmt: skip
