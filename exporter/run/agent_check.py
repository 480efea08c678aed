"""Whether agents are well: each is asked once, and what is wrong with it is said."""

import math
import ssl
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from itertools import chain
from urllib.parse import urlsplit

from requests import Session

from exporter import __version__
from exporter.clock import Clock
from exporter.run.agent_trouble import Problem, Trouble, of_status, unanswered
from exporter.run.http_answer import Answer, BoundedHttp, UnansweredError, printable
from exporter.run.recorder import families_of
from exporter.settings.scrape_targets import ScrapeTarget

MAX_BYTES = 32 << 20
"""of an answer; prometheus.yml has the same bound"""
MAX_AT_A_TIME = 32
MAX_CLOCK_SECONDS = 3.0
"""by which an agent's clock may be off, beyond what the time of its answer leaves open"""
SHOWN_NAMES, MAX_NAMES = 8, 100
Samples = dict[str, list[tuple[Mapping[str, str], float]]]
"""labels and value of every sample, by its name"""
_SYSTEM = ssl.get_default_verify_paths()


@dataclass(frozen=True)
class AgentFound:
    """What an agent said of itself; None: it did not."""

    target: ScrapeTarget
    problems: tuple[Problem, ...]
    version: str | None = None
    clock_offset_seconds: float | None = None
    """its clock less this machine's"""
    failing: tuple[str, ...] = ()
    """collectors"""
    processes: int | None = None
    """that it watches"""
    processes_found: int | None = None
    gpus: int | None = None

    @property
    def is_well(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


def check_agents(targets: Sequence[ScrapeTarget], timeout_seconds: float, clock: Clock) -> list[AgentFound]:
    """Ask all of them, MAX_AT_A_TIME at a time and each for no longer than that; in their order."""
    with ThreadPoolExecutor(max(1, min(MAX_AT_A_TIME, len(targets))), "agent") as pool:
        found = list(pool.map(lambda target: _check(target, timeout_seconds, clock), targets))
    first = {_place(target): target for target in reversed(targets)}
    return [replace(each, problems=(*each.problems, *_twice(each.target, first))) for each in found]


def _place(target: ScrapeTarget) -> tuple[str, str]:
    parts = urlsplit(target.url)
    return parts.netloc, parts.path


def _twice(target: ScrapeTarget, first: Mapping[tuple[str, str], ScrapeTarget]) -> Iterator[Problem]:
    other = first[_place(target)]
    if other is not target:
        yield Problem(
            Trouble.TWICE,
            f"listed in {other.source} already, and counted twice; take it out of {target.source}",
        )


def _check(target: ScrapeTarget, timeout_seconds: float, clock: Clock) -> AgentFound:
    if target.asking.client is None:
        return AgentFound(target, (Problem(Trouble.CONFIGURATION, target.asking.problem),))
    session = target.asking.client.session()
    if session.verify is True:
        # Prometheus trusts the system's authorities, requests those of a package of its own.
        session.verify = _SYSTEM.cafile or _SYSTEM.capath or True
    try:
        return _asked(target, session, timeout_seconds, clock)
    finally:
        session.close()


def _asked(target: ScrapeTarget, session: Session, timeout_seconds: float, clock: Clock) -> AgentFound:
    http = BoundedHttp(session, timeout_seconds, MAX_BYTES)
    began = clock.wall()
    try:
        answer = http.ask("GET", target.url, headers=dict(target.asking.headers))
    except UnansweredError as error:
        return AgentFound(target, (unanswered(error, target.url),))
    ended = clock.wall()
    if answer.status != 200:
        return AgentFound(target, (of_status(answer, target),))
    try:
        families = families_of(answer)
    except UnansweredError as error:
        return AgentFound(target, (Problem(Trouble.NO_EXPORTER, f"no exporter of this project: {error}"),))
    # By sample, for what has no TYPE is a family a line.
    found: Samples = {}
    for sample in chain.from_iterable(family.samples for family in families):
        found.setdefault(sample.name, []).append((sample.labels, float(sample.value)))
    return _of_samples(target, found, answer, (began, ended))


def _of_samples(
    target: ScrapeTarget, found: Samples, answer: Answer, asked: tuple[float, float]
) -> AgentFound:
    build = found.get("exporter_build_info")
    if not build:
        is_node_exporter = "node_exporter_build_info" in found
        other = "it is Prometheus' node_exporter" if is_node_exporter else "it is another"
        return AgentFound(target, (Problem(Trouble.NO_EXPORTER, f"no exporter of this project: {other}"),))
    version = printable(build[0][0].get("version", ""), 40)
    failing = tuple(
        printable(labels.get("collector", ""), 40)
        for labels, value in found.get("exporter_collector_success", [])
        if value != 1
    )[:MAX_NAMES]
    processes = [value for _, value in found.get("observed_process_up", [])]
    offset, doubt = _clock(found, answer, asked)
    problems = [*_version_problem(version), *_clock_problem(offset, doubt)]
    if failing:
        said = f"collectors fail: {_some(failing)}; its log says why"
        problems.append(Problem(Trouble.COLLECTORS, said))
    return AgentFound(
        target,
        tuple(problems),
        version,
        offset,
        failing,
        len(processes),
        processes.count(1),
        len(found.get("gpu_info", [])),
    )


def _some(names: Sequence[str]) -> str:
    more = len(names) - SHOWN_NAMES
    return ", ".join(names[:SHOWN_NAMES]) + (f" and {more} more" if more > 0 else "")


def _clock(found: Samples, answer: Answer, asked: tuple[float, float]) -> tuple[float | None, float]:
    """How far its clock is ahead, and by how much this may be wrong (s): it was read while it was asked."""
    began, ended = asked
    here, doubt = (began + ended) / 2, abs(ended - began) / 2
    own = next((value for _, value in found.get("node_time_seconds", [])), math.nan)
    if math.isfinite(own):
        return own - here, doubt
    try:
        # Whole seconds, rounded down.
        return parsedate_to_datetime(answer.date or "").timestamp() + 0.5 - here, doubt + 0.5
    except (ValueError, TypeError, OverflowError):
        return None, doubt


def _version_problem(version: str) -> Iterator[Problem]:
    if version != __version__:
        yield Problem(
            Trouble.VERSION, f"version {version}, and this is {__version__}; bring both to the same"
        )


def _seconds(offset: float) -> str:
    size = abs(offset)
    return f"{size:,.1f} s" if size < 86_400 else f"{min(size / 86_400, 1e6):,.0f} days"


def _clock_problem(offset: float | None, doubt: float) -> Iterator[Problem]:
    if offset is not None and abs(offset) > MAX_CLOCK_SECONDS + doubt:
        yield Problem(
            Trouble.CLOCK,
            f"its clock is {_seconds(offset)} {'ahead of' if offset > 0 else 'behind'} this machine's; "
            "have both set by NTP (timedatectl)",
        )
