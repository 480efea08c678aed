"""What every dashboard has around its panels: variables, annotations, links to the others, time."""

from collections.abc import Sequence
from typing import NamedTuple

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard as model
from layout import Section, lay_out
from palette import BLUE, FAILURE, GREY, ORANGE, PURPLE
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
    "host": (variables.VARIABLE_HOST, EVERYTHING, "Hosts, as the targets of their exporters are called."),
    "gpu": (variables.VARIABLE_GPU, EVERYTHING, "GPUs by their index."),
    "run": (variables.VARIABLE_RUN, EVERYTHING, "Runs within the time range, by id."),
    "label": (variables.VARIABLE_LABEL, EVERYTHING, "Labels of the results."),
}


class Mark(NamedTuple):
    """What is marked on every time axis: an edge, so its query is true for one step alone."""

    name: str
    expr: str
    hue: str
    title: str
    text: str
    tags: str = ""
    drawn: bool = True
    """from the start; what is not has a switch at the head of the page"""


# Three scrapes: of a shorter step some would have no sample, and what is there all the time would begin anew.
MARK_INTERVAL = "15s"
_RUN_MARKS = (
    Mark(
        "Run began", run.ANNOTATION_RUN_BEGAN, BLUE, "Run {{label}} began", "{{model}} at {{target}}, {{run}}"
    ),
    Mark("Run ended", run.ANNOTATION_RUN_ENDED, BLUE, "The run ended", "{{instance}}"),
)
_PHASE_MARK = Mark("Phase", run.ANNOTATION_PHASE, GREY, "{{phase}}", "phase of the run", "phase")
_EVENT_MARKS = (
    Mark("Restart", run.ANNOTATION_RESTART, PURPLE, "{{process}} restarted", "{{node}}"),
    Mark(
        *("Failing alert", run.ANNOTATION_ALERT_FAILS_RUN, FAILURE),
        *("{{alertname}} began", "{{process}} {{node}} {{route}} {{model}}", "severity"),
    ),
    Mark(
        "Other alerts",
        run.ANNOTATION_ALERT,
        ORANGE,
        "{{alertname}} began",
        "{{process}} {{node}} {{gpu}} {{reason}}",
        "severity",
        drawn=False,
    ),
)
MARKS = (*_RUN_MARKS, *_EVENT_MARKS)
"""where a run is seen over time"""
MARKS_OF_A_RUN = (*_RUN_MARKS, _PHASE_MARK, *_EVENT_MARKS)


def dashboard(
    title: str,
    uid: str,
    description: str,
    sections: Sequence[Section],
    *,
    choices: Sequence[str],
    shown: Sequence[str],
    since: str = "now-1h",
    refresh: str = "15s",
    marks: Sequence[Mark] = (),
) -> model.Dashboard:
    """A whole dashboard; `choices` are the variables after datasource, job and instance.

    Those `shown` are what a person changes; the others take room at the head and are hidden. A link keeps
    what both pages show.
    """
    page = build.Dashboard(title).uid(uid).tags([TAG]).description(description)
    page.refresh(refresh).time(since, "now").timezone("browser").readonly()
    page.tooltip(model.DashboardCursorSync.CROSSHAIR)
    page.variables(_variables(("job", "instance", *choices), shown))
    page.links([_links()])
    lay_out(page, sections)
    built = page.build()
    for variable in built.templating.list_val or ():
        # Nobody would see that a link of another page has narrowed this one, so what is hidden is always all.
        variable.skip_url_sync = variable.name in (*choices, "job", "instance") and variable.name not in shown
    built.annotations = model.AnnotationContainer([PrometheusAnnotation(mark) for mark in marks])
    return built


def _variables(names: Sequence[str], shown: Sequence[str]) -> list[Builder[model.VariableModel]]:
    source = build.DatasourceVariable("datasource").label("Data source").type("prometheus")
    source.current(model.VariableOption(selected=True, text="Prometheus", value="prometheus"))
    source.hide(model.VariableHide.HIDE_VARIABLE)
    chosen: list[Builder[model.VariableModel]] = [source]
    for name in names:
        expr, every, description = VARIABLES[name]
        variable = (
            build.QueryVariable(name)
            .label("GPU" if name == "gpu" else name.capitalize())
            .description(description)
        )
        variable.datasource(DATASOURCE).query({"query": expr, "refId": f"variable-{name}"})
        variable.multi(True).include_all(True).all_value(every)
        variable.current(model.VariableOption(selected=True, text=["All"], value=["$__all"]))
        variable.sort(model.VariableSort.ALPHABETICAL_ASC)
        if name in shown:
            # What can be chosen comes and goes with runs, so the lists follow the time range.
            variable.refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
        else:
            # Nobody sees these lists, and each is a question before every refresh of the panels.
            variable.refresh(model.VariableRefresh.ON_DASHBOARD_LOAD).hide(model.VariableHide.HIDE_VARIABLE)
        chosen.append(variable)
    return chosen


def _links() -> build.DashboardLink:
    """To all dashboards, side by side, with the time range and whatever is chosen."""
    link = build.DashboardLink("Dashboards").type(model.DashboardLinkType.DASHBOARDS).tags([TAG])
    return link.as_dropdown(False).include_vars(True).keep_time(True).target_blank(False)


class PrometheusAnnotation(model.AnnotationQuery):
    """A mark from a query, with what the SDK lacks: its title, text and tags from labels."""

    def __init__(self, mark: Mark) -> None:
        super().__init__(
            mark.name, DATASOURCE, enable=mark.drawn, hide=mark.drawn, icon_color=mark.hue, expr=mark.expr
        )
        self._formats = {"titleFormat": mark.title, "textFormat": mark.text, "tagKeys": mark.tags}

    def to_json(self) -> dict[str, object]:
        """The SDK's fields and the further ones.

        Newer versions of the data source ask `target`, older ones the fields beside it (grafana-prometheus,
        annotations.ts, `prepareAnnotation`).
        """
        target = {"expr": self.expr, "refId": "Anno", "interval": MARK_INTERVAL, "range": True}
        return {**super().to_json(), "step": MARK_INTERVAL, "target": target, **self._formats}
