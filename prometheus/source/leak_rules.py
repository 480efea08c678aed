"""The leak rules, prometheus/rules/leaks.recording.yml: one method for every resource and every look.

The looks' numbers are LOOKS of exporter/verdict/growth.py, which judges a run's own record by the same
method.
"""

from collections.abc import Iterable

from exporter.verdict.growth import FLOOR_MINUTES, LOOKS, Look
from exporter.verdict.leaks import RESOURCES

HEAD = """\
# rendered from prometheus/source/leak_rules.py, by `soak rules render`
# What grows without end. One method for every resource; DESIGN.md ("Leaks") has where it comes from and
# what it finds, as measured. exporter/verdict/growth.py is the same method for a run's own record; a test
# compares them.
#
#   resource:usage:min5m        floor: the minimum of 5 min, below the sawtooth of a garbage collector
#   resource:growth:delta6m     how much the floor rose in each of the last steps of 6 min (step="0" is the
#                               last); delta14m alike
#   resource:leak_*:rate        growth per second, where the steps were high and even enough (six looks)
#   resource:leak:rate          any of the six: what the alerts read
#   resource:growth:deriv12m    the floor's slope over 12 min, per second: for the eye, on dashboards
#
# A look asks two things of the steps that reach from now back to its beginning, end to end. Is the smallest
# above a minimum rate? And is it not too far below the greatest? A leak is even. A warm-up or a filling cache
# slows down, a change of load or a plateau is one step and over, a wave rises and falls: their smallest step
# is far below the greatest. The shorter the look, the faster or the more even a leak has to be: what grows
# within twenty minutes is often a wave.
#
# Evaluated once a minute: a floor of five minutes does not change sooner, and it costs a twelfth. Counts of
# samples below are of these minutes. Ranges end half-way between two evaluations ([9m30s] contains ten), so
# that Prometheus 2 (ranges closed on the left) and 3 (open) see the same samples. No run has to be active:
# some leaks show in the drain.

groups:
  - name: leaks
    interval: 1m
    rules:
"""

RULES_NAMES = {"file_descriptors": "fds"}
"""what the rules call a resource, where verdict/leaks.py has another name for it"""
MIN_GROWTH = {
    **{RULES_NAMES.get(check, check): resource.min_growth for check, resource in RESOURCES.items()},
    "node_memory": 256 * 2**20,
}
"""by resource, in its unit, over a look; the host's memory is no check of a run"""

FLOORS = """\
      # The one length of time outside a range. tests/support/scaled_rules.py scales it with them.
      - record: leak:minute:seconds
        expr: vector(60)

      # Floors. Memory is what no file backs, resident or swapped out. min_over_time looks past a lost
      # scrape, and up to 5 min past an exporter that is away.
      - record: resource:usage:min5m
        expr: |
          min_over_time(observed_process_anonymous_memory_bytes[5m])
            +
          min_over_time(observed_process_swap_bytes[5m])
        labels: {resource: memory}
      - record: resource:usage:min5m
        expr: min_over_time(observed_process_open_fds[5m])
        labels: {resource: fds}
      - record: resource:usage:min5m
        expr: min_over_time(observed_process_threads[5m])
        labels: {resource: threads}
      - record: resource:usage:min5m
        expr: min_over_time(observed_process_connections{state=~"close_wait|established"}[5m])
        labels: {resource: connections}
      - record: resource:usage:min5m
        expr: min_over_time(gpu_process_memory_bytes[5m])
        labels: {resource: gpu_memory}
      # The host's used memory is at its minimum where what is available is at its maximum.
      - record: resource:usage:min5m
        expr: |
          max_over_time(node_memory_MemTotal_bytes[5m]) - max_over_time(node_memory_MemAvailable_bytes[5m])
            +
          max_over_time(node_memory_SwapTotal_bytes[5m]) - max_over_time(node_memory_SwapFree_bytes[5m])
        labels: {resource: node_memory}
"""


NAMES = {
    "quick": "Leaks of several per cent a minute, however uneven.",
    "short": "Most leaks of a per cent a minute are found here.",
    "even": "Half as fast, where nothing disturbs them.",
    "middle": "Slower ones.",
    "long": "Leaks in steps of a quarter of an hour, on load that changes, on waves.",
    "slow": "Slow ones that noise makes uneven.",
}
"""what each of LOOKS is called, and what it finds"""


def rules() -> str:
    """The text of leaks.recording.yml."""
    looks = dict(zip(NAMES, LOOKS, strict=True))
    counts: dict[int, int] = {}
    for look in LOOKS:
        counts[look.step_minutes] = max(look.steps, counts.get(look.step_minutes, 0))
    return "\n".join([
        HEAD + _thresholds(looks),
        FLOORS,
        STEPS_COMMENT + "\n".join(_steps(minutes, count) for minutes, count in counts.items()),
        *(_look(name, look, counts[look.step_minutes]) for name, look in looks.items()),
        _any(looks),
        _slope(minutes=12),
    ])  # fmt: skip


def _thresholds(looks: dict[str, Look]) -> str:
    growth, rates, evenness = [], [], []
    for resource, amount in MIN_GROWTH.items():
        value = f"{amount / 2**20:g} * 2 ^ 20" if amount >= 2**20 else f"{amount:g}"
        growth.append(_constant("resource:min_growth:threshold", value, "resource", resource))
    for name, look in looks.items():
        rates.append(_constant("look:min_rate:ratio_per_minute", look.min_rate, "look", name))
        evenness.append(_constant("look:min_evenness:ratio", look.min_evenness, "look", name))
    return f"""\
      # Thresholds, all of them. First the growth below which nothing is a leak, whatever its share: over the
      # look, in the resource's unit. A server of 8 MB that grew by half a megabyte is clean.
{"".join(growth)}
      # Then, by look: the minimum rate of a step as a share of the floor a minute, and the minimum evenness
      # (smallest step ÷ greatest).
{"".join(rates + evenness)}"""


def _constant(record: str, value: str | float, label: str, name: str) -> str:
    return f"""\
      - record: {record}
        expr: vector({value})
        labels: {{{label}: {name}}}
"""


def _since_start(series: str, minutes: int) -> str:
    """Of a series only what has been there for so long: neither it nor its process or host began since."""
    begun = {
        "job, instance, process": "observed_process_start_time_seconds",
        "job, instance": "node_boot_time_seconds",
    }
    unless = "".join(
        f"""\
            unless on ({labels})
              (
                  time() - max_over_time({start}[5m])
                    < on () group_left ()
                  {minutes} * leak:minute:seconds
              )
"""
        for labels, start in begun.items()
    )
    return f"""\
          (
{series}
            and
              present_over_time(resource:usage:min5m[4m30s] offset {minutes}m)
          )
{unless}"""


STEPS_COMMENT = """\
      # Steps. None that would lean on a floor of less than 5 min at the start of a series (so it must have
      # been there 5 min before the step, give or take a gap). None within that time of the start of the
      # process or of the host, so that what was before a restart is never joined with what came after.
      # Earlier steps are the same record of earlier, so all of that applies to them too.
"""


def _steps(minutes: int, count: int) -> str:
    record = f"resource:growth:delta{minutes}m"
    rise = f"              resource:usage:min5m - resource:usage:min5m offset {minutes}m"
    earlier = "".join(
        f"""\
      - record: {record}
        expr: {record}{{step="0"}} offset {minutes * step}m
        labels: {{step: "{step}"}}
"""
        for step in range(1, count)
    )
    return f"""\
      - record: {record}
        expr: |
{_since_start(rise, minutes + FLOOR_MINUTES)}\
        labels: {{step: "0"}}
{earlier}"""


def _look(name: str, look: Look, count: int) -> str:
    """The look's record; `count` is how many steps of its length are recorded."""
    matcher = "" if look.steps == count else f'{{step=~"[0-{look.steps - 1}]"}}'
    steps = f"resource:growth:delta{look.step_minutes}m{matcher}"
    # Of seven values the quantile 1/6 is the second.
    last = look.steps - 1
    smallest = f"{look.trimmed} / {last}" if look.trimmed else "0"
    greatest = f"{last - look.trimmed} / {last}" if look.trimmed else "1"
    trimmed = ", without the smallest and the greatest" if look.trimmed else ""
    return f"""\
      # {name.title()}: {look.steps} steps of {look.step_minutes} min, {look.minutes} in all{trimmed}.
      # {NAMES[name]}
      - record: resource:leak_{name}:rate
        expr: |
          sum without (step) ({steps}) / on () group_left () ({look.minutes} * leak:minute:seconds)
            and
              count without (step) ({steps}) == {look.steps}
            and
              quantile without (step) ({smallest}, {steps})
                >
              avg_over_time(resource:usage:min5m[{look.minutes}m30s])
                * {look.step_minutes} * on () group_left () look:min_rate:ratio_per_minute{{look="{name}"}}
            and
              quantile without (step) ({smallest}, {steps})
                >=
              quantile without (step) ({greatest}, {steps})
                * on () group_left () look:min_evenness:ratio{{look="{name}"}}
            and
              sum without (step) ({steps})
                > on (resource) group_left ()
              resource:min_growth:threshold
"""


def _any(names: Iterable[str]) -> str:
    records = "\n            or ".join(f"resource:leak_{name}:rate" for name in names)
    return f"""\
      - record: resource:leak:rate
        expr: |
          {records}
"""


def _slope(minutes: int) -> str:
    # A range of so many minutes and a half holds one more floor than minutes.
    slope = f"""\
              deriv(resource:usage:min5m[{minutes}m30s])
            and
              count_over_time(resource:usage:min5m[{minutes}m30s]) >= 9"""
    return f"""\
      # For the eye. A slope from fewer than 9 of {minutes + 1} floors would be noise; at a start as above.
      - record: resource:growth:deriv{minutes}m
        expr: |
{_since_start(slope, minutes + FLOOR_MINUTES)}"""
