"""The codes of the alert GpuXidError: two severities that share all but these."""

from exporter.collectors.gpu.xid_events import XID_CODES

HARDWARE_CODES = (38, 48, 61, 62, 63, 64, 74, 79, 92, 94, 95, 119, 120, 136, 140, 143, 149, 154)
"""by NVIDIA's catalogue those of the hardware, its memory, links and firmware"""


def values() -> dict[str, object]:
    """What the template is filled with; ValueError for a code that the exporter counts as `other`."""
    uncounted = set(HARDWARE_CODES) - XID_CODES
    if uncounted:
        raise ValueError(f"HARDWARE_CODES: {sorted(uncounted)} are not in the exporter's XID_CODES")
    return {"codes": "|".join(map(str, HARDWARE_CODES))}
