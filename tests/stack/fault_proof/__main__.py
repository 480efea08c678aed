"""`make faults`, or `python -m tests.stack.fault_proof` from the root of the checkout."""

import signal
import sys

import click
from rich.console import Console

from exporter.errors import SoakError
from exporter.stack.servers import find_program

from .findings import broken, late
from .patience import ProofError
from .proof import Proof
from .scenes import long_form
from .stage import Stage
from .view import TerminalView, table_of

PROGRAMS = {"wrk": "wrk", "Prometheus": "prometheus", "Alertmanager": "prometheus-alertmanager", "gcc": "gcc"}
SCALE = 0.05
WIDTH = 160
"""of the table where there is no terminal, whose width it would have"""
NAMES = [scene.name for step in long_form(SCALE) for scene in step]


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--scene", "names", type=click.Choice(NAMES), multiple=True, help="Only this one; may be repeated."
)
@click.option("--list", "only_list", is_flag=True, help="Say what the scenes are and what they must raise.")
@click.option(
    "--scale",
    type=click.FloatRange(0.02, 0.25),
    default=SCALE,
    show_default=True,
    help="Scale of time of the leak rules: with 0.05 three seconds are a minute to them.",
)
def faults(names: tuple[str, ...], only_list: bool, scale: float) -> None:
    """Break a simulated router in every way, one after the other, and see what a webhook is told.

    Real Prometheus and Alertmanager, on the shipped configuration: each alert must come with its labels and
    in time, and resolve after, and no other alert may come. A second router beside, under load as well, is
    left in peace; any alert about it is a failure. The leak rules are the shipped ones too, on a faster scale
    of time and in a Prometheus of their own. It takes half an hour; an Xid is news for a quarter of one.

    \b
    make faults                      all scenes
    make faults SCENE=router-killed  one of them

    Exit code: 0 when all is as it should be; 1 when an alert did not come, was late, stayed, or was too many;
    2 when it could not be tried.
    """
    steps = [step for step in long_form(scale) if not names or step[0].name in names]
    if only_list:
        for [scene] in steps:
            click.echo(f"{scene.name:17} {scene.what}")
            for expected in scene.expected:
                click.echo(f"{'':17}   {expected.alert} within {expected.within:.0f} s")
        return
    for what, program in PROGRAMS.items():
        find_program(what, program)
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=WIDTH)
    with TerminalView(console) as view:
        view.say("starting routers, exporters, Prometheus, Alertmanager and two loads")
        with Stage(scale, host=True) as stage:
            proof = Proof(stage, steps, view)
            proof.run()
            evidence = stage.end_clean_load()
    console.print(table_of(proof, 0.0))
    failures = {reason: count for reason, count in evidence["failures"].items() if count}
    console.print(
        f"\nleft in peace: {sum(evidence['requests'].values()):,} answers, failures: {failures or 'none'}"
    )
    wrong = broken(proof) + late(proof)
    if failures:
        wrong.append(f"the load that was left in peace failed: {failures}")
    for line in wrong:
        console.print(line, style="bold red", soft_wrap=True)
    sys.exit(1 if wrong else 0)


def _terminated(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


def main() -> None:
    """What went wrong is one line and an exit code."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _terminated)
    try:
        faults.main(standalone_mode=False)
    except (click.Abort, KeyboardInterrupt):
        _fail("interrupted; everything it started has been stopped", 130)
    except click.ClickException as error:
        _fail(error.format_message(), 2)
    except (ProofError, SoakError) as error:
        _fail(str(error), 2)


def _fail(message: str, code: int) -> None:
    click.echo(f"faults: {message}", err=True)
    sys.exit(code)


if __name__ == "__main__":
    main()
