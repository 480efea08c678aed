"""What became of the watched processes: which were not watched, whose workers died."""

from collections.abc import Mapping

from exporter.timeseries import Series
from exporter.verdict.evidence import Evidence
from exporter.verdict.finding import Said

_NOT_SEEN = Said("no such process was found", "該当するプロセスが見つからない")
_UNWATCHED: Mapping[str, Said] = {
    "forwarded": Said(
        "what listens on its port only forwards it; run the exporter as root, or match the process itself by "
        "command_line or pid_file",
        "ポートで待ち受けているのは転送だけ。エクスポーターを root で動かすか、"
        "command_line か pid_file で指定する",
    ),
    "hidden": Said(
        "the exporter may not see it; run it as root or as the same user",
        "エクスポーターの権限では見えない。root か同じユーザーで動かす",
    ),
}
"""why a process that was never seen was not"""


def not_watched(evidence: Evidence, *roles: str) -> list[Said]:
    """What of these roles was not watched, though the configuration asks for it.

    A statement for each process that was never up, and for the others that matched beside a watched one for
    most of the time.
    """
    said = []
    never_up = [series for role in roles for series in _up(evidence, role) if not any(series.values)]
    for series in never_up:
        name = series.label("process") or ""
        reasons = [why for reason, why in _UNWATCHED.items() if _count(evidence, name, reason)]
        said.append(
            Said(f"{name} was not watched: ", f"{name} は監視できていない: ") + (*reasons, _NOT_SEEN)[0]
        )
    for role in roles:
        for series in evidence.series.select("observed_process_unwatched", role=role, reason="several"):
            name = series.label("process") or ""
            if more := _usual(series):
                said.append(
                    Said(
                        f"{more:.0f} more that match {name} were not watched",
                        f"{name} に一致する他の {more:.0f} 個は監視していない",
                    )
                )
    return said


def any_seen(evidence: Evidence, role: str) -> bool:
    """Whether any process of that role was watched at all."""
    return any(any(series.values) for series in _up(evidence, role))


def ended(evidence: Evidence, role: str) -> list[Said]:
    """A statement for each process of that role that was there and is not at the end."""
    gone = [series for series in _up(evidence, role) if any(series.values) and not series.values[-1]]
    names = [series.label("process") or "" for series in gone]
    return [Said(f"the process {name} ended", f"プロセス {name} が終了") for name in names]


def worker_deaths(evidence: Evidence, role: str) -> list[Said]:
    """A statement for each process of that role whose workers died."""
    said = []
    for series in evidence.series.select("observed_process_worker_deaths_total", role=role):
        if died := series.increase():
            name = series.label("process") or ""
            starts = evidence.series.select("observed_process_child_starts_total", process=name)
            started = sum(each.increase() for each in starts)
            said.append(
                Said(
                    f"{name}: workers died ({died:.0f}×; children started since: {started:.0f}), which cuts "
                    "requests and hides a leak",
                    f"{name}: ワーカーが終了 ({died:.0f} 回、新たに起動した子プロセス {started:.0f})。"
                    "リクエストが切れ、リークが隠れる",
                )
            )
    return said


def last_worker_death(evidence: Evidence, process: str) -> float | None:
    """When (Unix time) a worker of that process died last; None where none did."""
    found = evidence.series.select("observed_process_worker_deaths_total", process=process)
    times = [
        time
        for series in found
        for before, value, time in zip(series.values, series.values[1:], series.times[1:], strict=False)
        if value > before
    ]
    return max(times, default=None)


def _up(evidence: Evidence, role: str) -> list[Series]:
    return evidence.series.select("observed_process_up", role=role)


def _count(evidence: Evidence, name: str, reason: str) -> float:
    """How many were usually not watched for that reason; of `name-1` the entry is `name` (`each: true`)."""
    entries = {name, name.removesuffix("-1")}
    found = evidence.series.select("observed_process_unwatched", reason=reason)
    return max((_usual(series) for series in found if series.label("process") in entries), default=0)


def _usual(series: Series) -> float:
    """The median: what matched for a moment alone was no part of the run."""
    return sorted(series.values)[len(series.values) // 2]
