"""The landing page: where things are, and the run under way."""

import html
from datetime import UTC, datetime

from exporter import __version__
from exporter.live.run import Run
from exporter.settings.watch import Watch


def _described(run: Run) -> dict[str, str]:
    info = run.info
    started = datetime.fromtimestamp(info.start_timestamp_seconds, UTC)
    return {
        "run": info.run,
        "label": info.label,
        "phase": run.phase.value,
        "scenario": info.scenario,
        "engine": info.engine,
        "route": info.route.value,
        "model": info.model,
        "target": info.target,
        "connections": str(info.connections),
        "started": f"{started:%Y-%m-%d %H:%M:%S} UTC",
        "planned": f"{info.planned_duration_seconds:,.0f} s",
    }


def _watched_section(watch: Watch) -> str:
    if watch.url is None:
        return "<p>It watches no router.</p>"
    names = ", ".join(f"{each.name} ({each.role})" for each in watch.processes) or "none"
    return (
        f"<p>It watches the router <code>{html.escape(watch.url)}</code> from {html.escape(watch.host)}; "
        f"processes: {html.escape(names)}.</p>"
    )


def _run_section(takes_runs: bool, run: Run | None) -> str:
    if not takes_runs:
        return "<p>It takes no runs: <code>--ingest.listen-address</code> is empty.</p>"
    if run is None:
        return "<p>No run is under way. Start one with <code>soak run</code>.</p>"
    rows = "".join(
        f"<tr><th>{html.escape(name)}</th><td>{html.escape(value)}</td></tr>"
        for name, value in _described(run).items()
    )
    return f"<h2>Run under way</h2><table>{rows}</table>"


def landing_page(watch: Watch, run: Run | None) -> str:
    """The page as HTML, with what is watched and the run under way; the texts of both are escaped."""
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>LLM router soak exporter</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 3rem auto; padding: 0 1rem;
       color: #1c2733; background: #fff }}
h1 {{ font-size: 1.5rem }} h2 {{ font-size: 1.1rem; margin-top: 2rem }}
th {{ text-align: left; padding: .15rem 1.5rem .15rem 0; font-weight: 500; color: #51606f;
      white-space: nowrap }}
td {{ font-variant-numeric: tabular-nums; overflow-wrap: anywhere }}
a {{ color: #0b5cad }} code {{ background: #f0f3f6; padding: .1rem .3rem; border-radius: .2rem }}
</style></head><body>
<h1>LLM router soak exporter {html.escape(__version__)}</h1>
<p>Live client latency and throughput of a benchmark, beside the router's process and this host.</p>
<ul>
<li><a href="{html.escape(watch.telemetry_path)}">Metrics</a></li>
<li><a href="/-/healthy">Health</a></li>
<li><a href="/-/ready">Readiness</a></li>
</ul>
{_watched_section(watch)}
{_run_section(watch.ingest_port is not None, run)}
</body></html>
"""
