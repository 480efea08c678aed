"""The commands over results files: `soak report`, `soak compare`, `soak backfill`."""

import sys
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

import click

from exporter.cli.ci_options import CiReports, ci_options
from exporter.cli.command import BAD_USAGE, FILE, RESULTS, GroupedCommand, exit_codes, opt, options
from exporter.clock import SystemClock
from exporter.errors import ConfigurationError
from exporter.plain_text import one_line
from exporter.results.alike import likeness
from exporter.results.backfill import backfill
from exporter.results.compare import TOLERANCE, compare_runs, comparison_table, noise_table, outcome_of
from exporter.results.folder import check_whole
from exporter.results.html_report import write_report
from exporter.results.measured_run import MeasuredRun, equal_runs, has_load, read_run
from exporter.results.outcome_report import suite_of_comparison
from exporter.results.picture import can_draw
from exporter.results.plot import plot_rows
from exporter.results.run_plot import WITHOUT_MATPLOTLIB, plot_run
from exporter.results.run_record import RunRecord, read_record
from exporter.results.spread import MIN_RUNS
from exporter.results.summary import read_files, summary_table
from exporter.run.killed_run import is_killed, write_killed
from exporter.settings.shipped import shipped
from exporter.stack.replay import replay
from exporter.verdict.judgement import EXIT_CODES

LONGEST_TEXT = 1000
MAX_FINDINGS = 100
"""of one run that are shown; it has some twenty"""


@click.command(
    cls=GroupedCommand, epilog=exit_codes({0: "done", 2: "something could not be read; the rest is reported"})
)
@click.argument("results", nargs=-1, required=True, metavar="RESULT...")
@click.option(
    "-o",
    "--plot",
    type=FILE,
    metavar="PICTURE",
    help="Where the plot goes (.png, .svg, .pdf) [default: plot.png in the run's folder, where one "
    "run's folder is given; the curves of soak scale stay]. Of one run its curves, of several a bar each.",
)
def report(results: tuple[str, ...], plot: Path | None) -> None:
    """Redo the report of runs: a table, what was found, report.html and a plot.

    A RESULT is a results file, a glob, or the folder of a run. In a run's folder report.html is made again
    from what is there, and plot.png; nothing else is written to it. A run that was killed gets all of its
    files, of what was known by then.

    \b
    soak report benchmarks/results/20261124-nightly
    soak report benchmarks/results/202611*.csv -o november.png
    """
    folders = _whole_folders(results)
    watches = {folder for folder in folders if not has_load(folder)}
    files = [
        f"{Path(each)}.csv" if Path(each) in folders else each
        for each in results
        if Path(each) not in watches
    ]
    rows, problems = read_files(files)
    for problem in problems:
        click.echo(f"soak: {problem}", err=True)
    if not rows and not watches:
        raise ConfigurationError("there is nothing to report")
    if rows:
        click.echo(summary_table(rows), nl=False)
    records = {folder: record for folder in folders if (record := _record(folder)) is not None}
    for folder, record in records.items():
        _show_verdict(record)
        click.echo(write_report(record, folder))
    alone = next(iter(records.values())) if len(results) == len(records) == 1 else None
    if alone is not None and plot is None and can_draw():
        plot = folders[0] / "plot.png"
    elif alone is not None and plot is None:
        click.echo(f"soak: {WITHOUT_MATPLOTLIB}", err=True)
    if plot is not None:
        if plot.name == "plot.png" and _has_curves(plot.parent):
            raise ConfigurationError(f"{plot}: the curves of soak scale, which stay; name another picture")
        if alone is None and not rows:
            raise ConfigurationError(
                f"{plot}: runs whose load was somebody else's have no row to draw; name one"
            )
        if alone is None:
            plot_rows(rows, plot)
        else:
            plot_run(alone, plot)
        click.echo(plot)
    sys.exit(2 if problems else 0)


def _whole_folders(results: Iterable[str]) -> list[Path]:
    """The folders among them; those of runs that were killed have got their files."""
    folders = [Path(result) for result in results if Path(result).is_dir()]
    for folder in folders:
        if is_killed(folder):
            _fold(folder)
    return folders


def _fold(folder: Path) -> None:
    """Write the files of a run that was killed, as far as it is known; they say that it is incomplete."""
    written = write_killed(folder)
    click.echo(f"soak: {folder}: this run was killed; its report is of what was known by then", err=True)
    for text in (written.problem, *written.notes):
        if text:
            click.echo(f"soak: {text}", err=True)


def _has_curves(folder: Path) -> bool:
    """Whether it is the folder of a `soak scale`, whose plot.png is made from its steps."""
    return Path(f"{folder}.csv").is_file() and not (folder / "run.json").exists()


def _record(folder: Path) -> RunRecord | None:
    """The run of a folder; None where it is the comparison of a `soak scale`."""
    try:
        return read_record(folder)
    except FileNotFoundError:
        return None


def _show_verdict(record: RunRecord) -> None:
    """The findings in run.json."""
    verdict = record.document.verdict
    click.echo(f"\n{one_line(record.name)}: {_shown(verdict.sentence or verdict.outcome.value)}")
    for finding in verdict.findings[:MAX_FINDINGS]:
        click.echo(f"  {finding.outcome.value:<12}  {_shown(finding.check)}: {_shown(finding.text)}")
    if len(verdict.findings) > MAX_FINDINGS:
        click.echo(f"  and {len(verdict.findings) - MAX_FINDINGS:,} more")


def _shown(text: str) -> str:
    """Of a file that may be somebody else's."""
    return one_line(text[:LONGEST_TEXT])


@click.command(
    cls=GroupedCommand,
    epilog=exit_codes(
        {
            0: "pass: no figure is worse by more than the tolerance",
            1: "fail: one is, and by more than equal runs differ",
            2: BAD_USAGE,
            3: "inconclusive: a figure is missing, or it cannot be told",
        }
    ),
)
@click.argument("runs", nargs=-1, required=True, type=FILE, metavar="BASELINE... RUN")
@options(
    "Other",
    opt(
        "--tolerance",
        "By how much a figure may be worse, as a ratio.",
        type=click.FloatRange(0, 10),
        default=TOLERANCE,
    ),
    opt("--noise", "Show how much equal runs, three or more, differ among themselves.", is_flag=True),
    opt("--baseline-label LABEL", "Which row, where the file has several."),
    opt("--candidate-label LABEL", "Which row, where the file has several."),
    opt("--anyway", "Compare runs that are not alike.", is_flag=True),
)
@ci_options
def compare(
    runs: tuple[Path, ...],
    ci: CiReports,
    tolerance: float,
    noise: bool,
    baseline_label: str | None,
    candidate_label: str | None,
    anyway: bool,
) -> None:
    """Compare a run with a baseline: throughput, latencies, failures, memory growth, what was judged.

    Of streams the first token, the time per output token and the goodput as well.

    Each is a results file or a run's folder. Model, route, stream, body, script, connections, engine and
    rate have to be alike, and neither may last more than twice as long.

    \b
    soak compare benchmarks/results/20261101-baseline.csv benchmarks/results/20261124-nightly.csv
    soak compare --noise monday.csv tuesday.csv wednesday.csv

    Three baselines and more, given or lying beside it with its label, say how much equal runs differ. With
    one alone, less than 30 % cannot be told (exit code 3).
    """
    ci.check()
    for each in runs:
        check_whole(each)
    if noise:
        _show_noise([read_run(each, baseline_label) for each in runs], anyway)
        return
    if len(runs) < 2:
        raise ConfigurationError("give a BASELINE and a RUN, the run last")
    baselines = [read_run(each, baseline_label) for each in runs[:-1]]
    candidate = read_run(runs[-1], candidate_label)
    _check_alike([*baselines, candidate], anyway)
    if len(baselines) == 1:
        baselines = equal_runs(baselines[0], candidate)
        if len(baselines) > 1:
            names = ", ".join(one_line(each.file.stem) for each in baselines)
            click.echo(f"soak: baselines with this label: {names}", err=True)
    changes = compare_runs(baselines, candidate, tolerance)
    outcome = outcome_of(changes)
    click.echo(comparison_table(changes), nl=False)
    click.echo(f"\nverdict: {outcome.value}")
    ci.write("compare", [suite_of_comparison(candidate.file.stem, changes, outcome)])
    sys.exit(EXIT_CODES[outcome])


def _show_noise(runs: list[MeasuredRun], anyway: bool) -> None:
    if len(runs) < MIN_RUNS:
        raise ConfigurationError(f"--noise: give {MIN_RUNS} equal runs or more")
    _check_alike(runs, anyway)
    click.echo(noise_table(runs), nl=False)


def _check_alike(runs: list[MeasuredRun], anyway: bool) -> None:
    """Raises ConfigurationError where they cannot be held against each other."""
    first = runs[0]
    for other in runs[1:]:
        alike = likeness((first.file, first.row), (other.file, other.row))
        if alike.differences:
            what = f"not alike (baseline, run): {'; '.join(alike.differences)}"
            if not anyway:
                raise ConfigurationError(f"{what}; --anyway compares them")
            click.echo(f"soak: {what}", err=True)
        if alike.unknown:
            click.echo(f"soak: not known whether alike: {', '.join(alike.unknown)}", err=True)


@click.command(
    name="backfill",
    cls=GroupedCommand,
    epilog=exit_codes({0: "done", 2: "something could not be read; the rest is loaded"}),
)
@click.argument("folders", nargs=-1, type=FILE, metavar="[RUN...]")
@options(
    "Other",
    opt("--results", "Folder of the results files.", type=FILE, default=RESULTS),
    opt(
        "--output FOLDER",
        "The data folder of a Prometheus (its --storage.tsdb.path), or an empty one.",
        type=FILE,
        required=True,
    ),
)
def backfill_command(folders: tuple[Path, ...], results: Path, output: Path) -> None:
    """Load past results into Prometheus, with the times at which they were measured.

    Without a RUN the rows of all results files; with the folders of runs their series, and what the
    recording rules and alerts make of them, so that the dashboards show the runs as they were.

    \b
    soak backfill --output /var/lib/prometheus/metrics2
    soak backfill benchmarks/results/20261124-nightly --output /var/lib/prometheus/metrics2

    Prometheus deletes what is older than its --storage.tsdb.retention.time (15 days if not given).
    """
    for folder in folders:
        first, last = replay(folder, output, shipped("prometheus/rules"), "promtool", SystemClock())
        click.echo(f"{folder}: {_when(first)} to {_when(last)} written to {output}")
    if folders:
        return
    done = backfill(results, output, "promtool", SystemClock())
    for problem in done.problems:
        click.echo(f"soak: {problem}", err=True)
    if done.recent:
        click.echo(f"{done.recent} rows of the last three hours are left out: Prometheus writes these itself")
    click.echo(f"{done.rows} rows written to {output}")
    sys.exit(2 if done.problems else 0)


def _when(time: float) -> str:
    return f"{datetime.fromtimestamp(time).astimezone():%Y-%m-%d %H:%M:%S %Z}"
