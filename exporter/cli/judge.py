"""The command that judges a window of a Prometheus: `soak judge`."""

import sys
from contextlib import ExitStack
from pathlib import Path

import click
from rich.text import Text

from exporter.cli.ci_options import CiReports, ci_options
from exporter.cli.command import FILE, RESULTS, VERDICT_CODES, GroupedCommand, opt, options
from exporter.cli.objective_options import Limits, objective_options
from exporter.cli.run_plan import prometheus_at
from exporter.cli.terminal import PlainConsole
from exporter.cli.typed import typed_again
from exporter.cli.verdict_text import show_result
from exporter.clock import SystemClock
from exporter.errors import ConfigurationError
from exporter.results.folder import check_label, check_writable
from exporter.run.interrupt import Interrupt
from exporter.run.judge_window import WindowPlan, judge_window
from exporter.run.matchers import matchers_of
from exporter.run.objectives_file import check_expressions
from exporter.run.prometheus_client import EXAMPLE
from exporter.run.window_runs import window_of_run
from exporter.run.window_times import window_of
from exporter.settings.login import NO_LOGIN, load_http_client

CONFIG = "--prometheus.config"
SEARCHED = "7d ago"
"""where a run is looked for, from then to now"""


@click.command(cls=GroupedCommand, epilog=VERDICT_CODES)
@options(
    "Window",
    opt("--prometheus URL", f"The Prometheus, or what speaks the same, like {EXAMPLE}.", "url"),
    opt(
        f"{CONFIG} FILE",
        "How to log in there: promtool's http.config.file, with basic_auth, authorization, tls_config.",
        "config",
        type=FILE,
    ),
    opt(
        "--start TIME",
        "RFC 3339 with a zone, Unix seconds, '2h ago' or now. With --run: from when on it is looked for "
        f"[default then: {SEARCHED}].",
    ),
    opt("--end TIME", "The same.", default="now"),
    opt("--run LABEL", "The window of the run, or of the runs side by side, of that label or id."),
    opt("--job JOB", "Exporters of that job alone."),
    opt(
        "--match MATCHER",
        "Exporters that match alone, like 'instance=~\"load-.*\"'. May be repeated.",
        multiple=True,
    ),
)
@options(
    "Results",
    opt("--label NAME", "What the results are called [default: that of the run, and -judged]."),
    opt("--results DIR", "Where they go.", type=click.Path(path_type=Path), default=RESULTS),
    opt("--json", "Print run.json on standard output, nothing else.", "as_json", is_flag=True),
)
@ci_options
@objective_options
def judge(
    url: str | None,
    config: Path | None,
    start: str | None,
    end: str,
    run: str | None,
    job: str | None,
    match: tuple[str, ...],
    label: str | None,
    results: Path,
    as_json: bool,
    ci: CiReports,
    limits: Limits,
) -> None:
    """Judge any window of a Prometheus that scraped this project's exporters.

    \b
    soak judge --prometheus http://127.0.0.1:9090 --run nightly
    soak judge --prometheus https://prom:9090 --start '10h ago' --end '2h ago' --job exporter
    soak judge --prometheus http://prom:9090 --run soak-3 --match 'instance=~"load-.*"'

    The same verdict and files as those of soak run, made of the scrapes: several load hosts and routers are
    judged together. docs/judge.md says what a Prometheus does not tell.
    """
    console = PlainConsole(stderr=as_json)
    if url is None:
        raise ConfigurationError(
            f"--prometheus: missing; which one is to be asked? give its URL, like {EXAMPLE}"
        )
    if start is None and run is None:
        raise ConfigurationError("--start: missing; from when on is it to be judged? or name a run by --run")
    if label is not None:
        check_label(label)
    matchers = matchers_of(job, match)
    login = NO_LOGIN if config is None else load_http_client(config, CONFIG)
    now = SystemClock().wall()
    asked = window_of(start or SEARCHED, end, now)
    with ExitStack() as cleanup:
        interrupt = cleanup.enter_context(Interrupt())
        ci.check()
        check_writable(results)
        cleanup.enter_context(ci.even_of_an_error("judge", label or run or "judged"))
        prometheus = prometheus_at(url, login)
        window = asked if run is None else window_of_run(prometheus, run, asked, matchers)
        check_expressions(limits.own, prometheus)
        plan = WindowPlan(
            prometheus=prometheus,
            window=window,
            run=run,
            job=job,
            match=match,
            matchers=matchers,
            label=label,
            results=results,
            bounds=limits.bounds,
            warn=limits.warn,
            require=limits.require,
            own=limits.own,
            allowed_statuses=limits.allowed_statuses,
            soak_command=typed_again(click.get_current_context(), {}),
        )
        with console.status("reading the window") as status:

            def progress(share: float) -> None:
                interrupt.check()
                status.update(f"reading the window: {share:.0%}")

            def say(text: str) -> None:
                console.print(Text(text, style="bold yellow"), soft_wrap=True)

            result, files = judge_window(plan, progress, say)
        console.print(Text(result.evidence.watching.said.english), soft_wrap=True)
        sys.exit(show_result(result, files, "judge", console, ci, as_json))
