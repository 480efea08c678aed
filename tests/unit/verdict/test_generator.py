"""exporter.verdict.generator: was the load generator the limit?"""

import pytest

from exporter.timeseries import SeriesStore
from exporter.verdict.evidence import GeneratorLoad
from exporter.verdict.finding import Finding, Outcome, Span, verbatim
from exporter.verdict.generator import doubted, judge_generator
from exporter.verdict.judgement import judge
from exporter.verdict.own_objective import OwnObjective
from exporter.verdict.statement import read_statement
from tests.support.findings import BEGAN
from tests.support.run_results import evidence
from tests.support.run_seconds import Stretch, loaded, run_seconds


def generator(short: float, seconds: float = 60.0, wait: float = 0.01, cpu: float = 0.3) -> GeneratorLoad:
    """Short of CPU for the first so many of its seconds."""
    spans = (Span(BEGAN, BEGAN + short),) if short else ()
    return GeneratorLoad(cpu, wait, seconds, spans)


@pytest.mark.parametrize(
    ("load", "outcome", "text"),
    [
        (None, Outcome.NOT_JUDGED, "not known"),
        (generator(0, 14.0), Outcome.NOT_JUDGED, "watched for less than 15 s"),
        (
            generator(0),
            Outcome.PASS,
            "its threads waited for a CPU in 1.0% of the time, it used 30% of its CPUs",
        ),
        (
            generator(15),
            Outcome.PASS,
            "its threads waited for a CPU in 1.0% of the time, it used 30% of its CPUs, "
            "short of CPU for a while, 00:00–00:15",
        ),
        (
            generator(15.1, wait=0.12, cpu=0.95),
            Outcome.INCONCLUSIVE,
            "the load generator was the limit: its threads waited for a CPU in 12.0% of the time, "
            "it used 95% of its CPUs, short of CPU in 25% of the time; give it CPUs of its own, or fewer "
            "connections",
        ),
    ],
)
def test_it_was_the_limit_where_it_was_short_for_more_than_a_quarter(
    load: GeneratorLoad | None, outcome: Outcome, text: str
) -> None:
    finding = judge_generator(evidence(generator=load, phases=loaded(60), series=SeriesStore()))
    assert (finding.check, finding.outcome, finding.text) == ("generator", outcome, text)


def test_how_busy_the_host_was_is_a_note() -> None:
    store = SeriesStore()
    for mode, value in (("idle", 5.0), ("user", 90.0), ("steal", 5.0)):
        store.add("node_cpu_seconds_total", {"cpu": "0", "mode": mode}, BEGAN, 0.0)
        store.add("node_cpu_seconds_total", {"cpu": "0", "mode": mode}, BEGAN + 100, value)
    for time, value in ((BEGAN, 0.0), (BEGAN + 100.0, 40.0)):
        store.add("node_pressure_cpu_waiting_seconds_total", {}, time, value)
    finding = judge_generator(evidence(generator=generator(0), series=store))
    assert finding.outcome == Outcome.PASS
    assert finding.text.endswith(
        "; the host's CPUs were 95% busy, stolen by its hypervisor 5%, something waited for one in 40%"
    )


@pytest.mark.parametrize(
    ("cpu", "wait", "outcome"),
    [
        (0.3, 0.05, Outcome.PASS),
        (0.3, 0.051, Outcome.INCONCLUSIVE),
        (0.89, None, Outcome.PASS),
        (0.9, None, Outcome.INCONCLUSIVE),
    ],
)
def test_where_its_times_are_not_known_the_whole_load_says_it(
    cpu: float, wait: float | None, outcome: Outcome
) -> None:
    assert judge_generator(evidence(generator=GeneratorLoad(cpu, wait))).outcome == outcome


def latency(outcome: Outcome, *spans: Span) -> Finding:
    return Finding("latency", outcome, verbatim("p99 was so and so"), spans=spans)


@pytest.mark.parametrize(
    ("finding", "short", "outcome"),
    [
        (latency(Outcome.PASS), 10, Outcome.PASS),
        (latency(Outcome.PASS), 20, Outcome.INCONCLUSIVE),
        (latency(Outcome.FAIL, Span(BEGAN + 30, BEGAN + 60)), 20, Outcome.INCONCLUSIVE),
        (latency(Outcome.FAIL, Span(BEGAN + 30, BEGAN + 60)), 10, Outcome.FAIL),
        (latency(Outcome.FAIL, Span(BEGAN + 1, BEGAN + 11)), 10, Outcome.INCONCLUSIVE),
        (latency(Outcome.FAIL, Span(BEGAN + 1, BEGAN + 31)), 10, Outcome.FAIL),
        (latency(Outcome.NOT_JUDGED), 20, Outcome.NOT_JUDGED),
    ],
)
def test_what_is_said_of_latency_is_doubted_where_the_generator_was_short_of_cpu(
    finding: Finding, short: float, outcome: Outcome
) -> None:
    assert doubted(evidence(generator=generator(short)), finding).outcome == outcome


def test_a_run_at_its_generators_limit_is_inconclusive_in_all_that_is_said_of_latency() -> None:
    known = evidence(
        generator=generator(40, wait=0.3),
        seconds=run_seconds(Stretch(60, 50, durations={500: 50})),
        phases=loaded(60, 6),
    )
    own = OwnObjective("fast", read_statement("whole: p99 < 500ms"))
    rate = OwnObjective("busy", read_statement("whole: rps > 10"))
    judgement = judge(known, {}, (), (own, rate))
    outcomes = {each.check: each.outcome for each in judgement.findings}
    assert judgement.outcome == Outcome.INCONCLUSIVE
    for check in ("latency", "throughput", "generator", "objective-fast"):
        assert outcomes[check] == Outcome.INCONCLUSIVE, check
    assert (outcomes["answers"], outcomes["objective-busy"]) == (Outcome.PASS, Outcome.PASS)
    text = next(each.text for each in judgement.findings if each.check == "latency")
    assert "; the load generator was the limit: its threads waited for a CPU in 30.0% of the time" in text
