"""The numbers of prometheus/rules/leaks.recording.yml: LOOKS of exporter/verdict/growth.py, which judges a
run's own record by the same method, and the minimum growth of each resource.
"""

from exporter.verdict.growth import FLOOR_MINUTES, LOOKS
from exporter.verdict.resource import RESOURCES
from exporter.verdict.written_files import MAX_PER_HOUR

RULES_NAMES = {"file_descriptors": "fds"}
"""what the rules call a resource, where verdict/resource.py has another name for it"""
MIN_GROWTH = {
    **{RULES_NAMES.get(check, check): resource.min_growth for check, resource in RESOURCES.items()},
    "node_memory": 256 * 2**20,
}
"""by resource, in its unit, over a look; the host's memory is no check of a run"""
NAMES = {
    "quick": "Leaks of several per cent a minute, however uneven.",
    "short": "Most leaks of a per cent a minute are found here.",
    "even": "Half as fast, where nothing disturbs them.",
    "middle": "Slower ones.",
    "long": "Leaks in steps of a quarter of an hour, on load that changes, on waves.",
    "slow": "Slow ones that noise makes uneven.",
}
"""what each of LOOKS is called, and what it finds"""


GROWING = {"grown": 0.08, "fallen": 0.01, "risen": 0.005, "steps": 3, "lasting": 0.375}
"""what resource:growing:rate asks: shares of the floor that all growth, a step back and a step up are beyond;
how many steps go up; the last three by the four before"""


def values() -> dict[str, object]:
    """What the template is filled with."""
    return {
        "min_growth": {name: _expression(amount) for name, amount in MIN_GROWTH.items()},
        "looks": dict(zip(NAMES, LOOKS, strict=True)),
        "finds": NAMES,
        # How many steps of each length are recorded: as many as the longest look of it needs.
        "steps": {look.step_minutes: look.steps for look in sorted(LOOKS, key=lambda look: look.steps)},
        "floor_minutes": FLOOR_MINUTES,
        "growing": GROWING,
        "written_per_hour": _expression(MAX_PER_HOUR),
    }


def _expression(amount: float) -> str:
    return f"{amount / 2**20:g} * 2 ^ 20" if amount >= 2**20 else f"{amount:g}"
