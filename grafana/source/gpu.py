"""The dashboard *GPU*: what each GPU does, what holds it back, what is broken."""

import frame
from grafana_foundation_sdk.models import dashboard as model
from layout import Row, Section
from palette import BLUE, FAILURE, GREEN, GREY, ORANGE, PURPLE, SKY, States
from panels import (
    BYTES,
    BYTES_PER_SECOND,
    CELSIUS,
    COUNT,
    HERTZ,
    NO_GPU,
    RATIO,
    WATTS,
    Series,
    lines,
    timeline,
)
from queries import gpu
from tables import Column, labels, rows

HELD_BACK: States = {"0": ("free", GREEN), "1": ("held back", ORANGE)}
INFO_COLUMNS = {
    **labels("gpu", "name", "node", "instance", "uuid"),
    "driver_version": Column("driver"),
    "cuda_version": Column("CUDA"),
}
XID_COLUMNS = {
    **labels("gpu", "node", "instance"),
    "xid": Column("Xid", link=("NVIDIA's catalogue", "https://docs.nvidia.com/deploy/xid-errors/")),
    "Value": Column("errors"),
}


def work() -> Section:
    """Which GPUs there are and how busy."""
    table = rows(
        "GPUs",
        "What the driver lists, parts of a divided GPU (MIG) included.",
        COUNT,
        [Series(gpu.INFO, "GPUs")],
        INFO_COLUMNS,
    )
    busy = lines(
        "Utilisation",
        "Share of the time in which a GPU computed, and (dashed) in which its memory was read or written.",
        RATIO,
        Series(gpu.UTILIZATION_RATIO, "GPU {{gpu}} {{node}} computes", BLUE, many=True),
        Series(gpu.MEMORY_BANDWIDTH_RATIO, "GPU {{gpu}} {{node}} memory", PURPLE, many=True, bound=True),
        max_value=1,
    )
    memory = lines(
        "Memory",
        "Memory in use, under the total.",
        BYTES,
        Series(gpu.MEMORY_USED_BYTES, "GPU {{gpu}} {{node}} used", BLUE, many=True),
        Series(gpu.MEMORY_TOTAL_BYTES, "GPU {{gpu}} {{node}} total", GREY, many=True, bound=True),
    )
    by_process = lines(
        "Memory by process",
        "Memory of the watched processes. Absent in a container without the host's process ids.",
        BYTES,
        Series(gpu.PROCESS_MEMORY_BYTES, "{{process}} GPU {{gpu}} {{node}}", SKY, many=True),
        no_value="no watched process has any",
    )
    return Section(None, NO_GPU, [Row(5, [table]), Row(8, [busy, memory, by_process])])


def limits() -> Section:
    """Heat, power, clocks, and what holds a GPU back."""
    temperature = lines(
        "Temperature",
        "Of the chip. Which is too hot depends on the model; the throttling below says when it was.",
        CELSIUS,
        Series(gpu.TEMPERATURE_CELSIUS, "GPU {{gpu}} {{node}}", ORANGE, many=True),
    )
    power = lines(
        "Power",
        "Power drawn, under the limit that is set.",
        WATTS,
        Series(gpu.POWER_WATTS, "GPU {{gpu}} {{node}} drawn", BLUE, many=True),
        Series(gpu.POWER_LIMIT_WATTS, "GPU {{gpu}} {{node}} limit", GREY, many=True, bound=True),
    )
    fan = lines(
        "Fan",
        "Speed of the fan, where the GPU has one.",
        RATIO,
        Series(gpu.FAN_RATIO, "GPU {{gpu}} {{node}}", SKY, many=True),
        no_value="no GPU has a fan",
    )
    throttled = timeline(
        "Throttling",
        "What holds a GPU's clocks down. sw_power_cap under full load is what a power limit does; heat and "
        "power supply (all others) make a measurement slower than the GPU is.",
        HELD_BACK,
        Series(gpu.THROTTLED, "GPU {{gpu}} {{node}} {{reason}}"),
    )
    clocks = lines(
        "Clocks",
        "Clocks of the graphics, the multiprocessors, the memory and the video engine.",
        HERTZ,
        Series(gpu.CLOCK_HERTZ, "GPU {{gpu}} {{node}} {{clock}}", BLUE, many=True),
        beside=True,
    )
    return Section(
        "Heat, power, clocks", NO_GPU, [Row(8, [temperature, power, fan]), Row(8, [throttled, clocks])]
    )


def errors() -> Section:
    """What is broken, and the bus."""
    xids = rows(
        "Xid errors in the time range",
        "Errors that the driver reported, by NVIDIA's code.",
        COUNT,
        [Series(gpu.XID_ERRORS, "Xid errors")],
        XID_COLUMNS,
        no_value="no Xid error",
    )
    ecc = lines(
        "Memory errors (ECC)",
        "New errors. Corrected ones happen to sound memory; one that is uncorrected has lost data.",
        COUNT,
        Series(gpu.ECC_ERRORS, "GPU {{gpu}} {{node}} {{type}}", SKY, many=True),
        named={"uncorrected": FAILURE},
    )
    pcie = lines(
        "PCIe",
        "Bytes a second to and from each GPU, over 20 ms.",
        BYTES_PER_SECOND,
        Series(gpu.PCIE_RECEIVE, "GPU {{gpu}} {{node}} in", BLUE, many=True),
        Series(gpu.PCIE_TRANSMIT, "GPU {{gpu}} {{node}} out", ORANGE, many=True),
    )
    return Section("Errors and bus", "no GPU says so", [Row(8, [xids, ecc, pcie])])


def dashboard() -> model.Dashboard:
    """The whole dashboard as the SDK's model."""
    return frame.dashboard(
        "GPU",
        "gpu",
        "Each GPU: utilisation, memory, heat, power, clocks, throttling, errors and bus.",
        [work(), limits(), errors()],
        choices=("gpu",),
    )
