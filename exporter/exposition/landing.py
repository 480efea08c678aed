"""The landing page: where things are, and the run under way with its main figures, without a script."""

import html
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from exporter import __version__
from exporter.exposition.runbook import linked
from exporter.settings.watch import Watch

MIB = 2**20


def _time(unix: float) -> str:
    return f"{datetime.fromtimestamp(unix, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _figures(state: dict[str, Any]) -> dict[str, str]:
    """The main figures of a run that is known; what is not known is shown as –."""
    run, scrape = state["run"], state["scrape"] or {}
    verdict = run["verdict"]
    memory = scrape.get("memory")
    failing = [] if verdict is None else [each for each in verdict["findings"] if each["outcome"] == "fail"]
    return {
        "verdict": _verdict(verdict, run["active"]),
        **{f"fails: {each['check']}": each["text"] for each in failing},
        **(_load_figures(run) if run["info"]["engine"] else {}),
        "router memory": "–" if memory is None else f"{memory / MIB:,.1f} MiB",
    }


def _load_figures(run: dict[str, Any]) -> dict[str, str]:
    latency = " / ".join(_ms(run["quantiles"][each]) for each in ("0.5", "0.95", "0.99"))
    failures = {**run["statuses"], **run["failures"]}
    return {
        "success": f"{_rate(run['successes_per_second'])}, {run['successes']:,} in all",
        "failed": f"{_rate(run['failures_per_second'])}, "
        + (", ".join(f"{name}: {count:,}" for name, count in failures.items()) or "none so far"),
        "p50 / p95 / p99": f"{latency} ms, {'last 10 s' if run['active'] else 'whole run'}",
        **_streams(run["streams"], run["info"]["goodput"]),
    }


def _streams(streams: dict[str, Any] | None, goodput: str | None) -> dict[str, str]:
    """Those of its streams, where it has any."""
    if streams is None:
        return {}
    if not streams["counted"]:
        return {"streams": "none has ended yet"}
    ends = "".join(f", {end}: {count:,}" for end, count in streams["ends"].items())
    first = " / ".join(_ms(streams["first_token"][each]) for each in ("p50", "p99"))
    shown = {
        "streams": f"{streams['complete']:,} complete{ends}",
        "first token p50 / p99": f"{first} ms, whole run",
        "output tokens": f"{streams['output_tokens']:,}",
        "own lag p99": f"{_ms(streams['client_lag'])} ms",
    }
    if goodput is not None:
        share = "–" if streams["goodput"] is None else f"{streams['goodput']:.1%}"
        shown["goodput"] = f"{share} ({goodput})"
    return shown


def _ms(seconds: float | None) -> str:
    return "–" if seconds is None else f"{seconds * 1000:,.3g}"


def _verdict(verdict: dict[str, Any] | None, active: bool) -> str:
    if verdict is None:
        return "not judged yet" if active else "not known"
    outcome = str(verdict["outcome"].value).replace("not_judged", "not judged yet")
    return f"{outcome} so far" if verdict["so_far"] else outcome


def _rate(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f}/s"


def _load_of(info: dict[str, Any]) -> dict[str, str]:
    pairs = info["pairs"]
    return {
        "engine": info["engine"],
        "route": ", ".join(dict.fromkeys(each["route"].value for each in pairs)),
        "model": ", ".join(each["model"] for each in pairs),
        "connections": str(info["connections"]),
    }


def _described(run: dict[str, Any]) -> dict[str, str]:
    info = run["info"]
    pairs, planned = info["pairs"], info["planned_duration_seconds"]
    return {
        "run": info["run"],
        "label": info["label"],
        "phase": run["phase"],
        "scenario": info["scenario"],
        **(_load_of(info) if pairs else {}),
        "target": info["target"],
        "started": _time(info["start_timestamp_seconds"]),
        "planned": f"{planned:,.0f} s" if planned else "until it is ended",
        **({} if run["ended"] is None else {"ended": _time(run["ended"])}),
    }


def _watched_section(watch: Watch) -> str:
    if watch.url is None:
        return "<p>It watches no router.</p>"
    names = ", ".join(f"{each.name} ({each.role})" for each in watch.processes) or "none"
    return (
        f"<p>It watches the router <code>{html.escape(watch.url)}</code> from {html.escape(watch.host)}; "
        f"processes: {html.escape(names)}.</p>"
    )


def _table(rows: Iterable[tuple[str, str]], alerts: Iterable[str] = ()) -> str:
    cells = "".join(
        f"<tr><th>{html.escape(name)}</th><td>{linked(value, alerts, 'runbook/')}</td></tr>"
        for name, value in rows
    )
    return f"<table>{cells}</table>"


def _run_section(state: dict[str, Any], alerts: Iterable[str]) -> str:
    run = state["run"]
    if not state["takes_runs"]:
        return "<p>It takes no runs: <code>--ingest.listen-address</code> is empty.</p>"
    if run is None:
        return "<p>No run is under way. Start one with <code>soak run</code>.</p>"
    if run["info"] is None:
        return (
            "<p>No run is under way. Of the last one its verdict alone is known: "
            f"{html.escape(_verdict(run['verdict'], False))}.</p>"
        )
    head = "Run under way" if run["active"] else "The last run"
    figures, described = _table(_figures(state).items(), alerts), _table(_described(run).items())
    return f"<h2>{head}</h2>{figures}<h2>What it is</h2>{described}"


def landing_page(watch: Watch, state: dict[str, Any], alerts: Iterable[str]) -> str:
    """The page as HTML, with what is watched and the newest run (live_state.py); the texts are escaped.

    `alerts` are those that have a page of the runbook.
    """
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>LLM router soak exporter</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,"><link rel="stylesheet" href="live/live.css">
</head><body class="landing">
<h1>LLM router soak exporter {html.escape(__version__)}</h1>
<p>Live client latency and throughput of a benchmark, beside the router's process and this host.</p>
<p class="go"><a href="live">Live page</a></p>
{_run_section(state, alerts)}
{_watched_section(watch)}
<ul>
<li><a href="{html.escape(watch.telemetry_path)}">Metrics</a></li>
<li><a href="runbook/">Runbook</a>: what each alert means, and what to do</li>
<li><a href="/-/healthy">Health</a></li>
<li><a href="/-/ready">Readiness</a></li>
</ul>
</body></html>
"""
