"""The dashboard *GPU*: what each GPU does, what holds it back, what is broken."""

import frame
from grafana_foundation_sdk.models import dashboard as model
from layout import Row, Section
from palette import BLUE, FAILURE, GREEN, GREY, ORANGE, SKY, States, from_none, from_one, mapped
from panels import (
    BYTES,
    BYTES_PER_SECOND,
    CELSIUS,
    COUNT,
    HERTZ,
    RATIO,
    WATTS,
    Series,
    lines,
    timeline,
)
from queries import crowds, gpu
from tables import Column, rows

HELD_BACK: States = {
    "0": ("free", GREEN),
    "1": ("power limit", SKY),
    "2": ("driver, heat", ORANGE),
    "3": ("power supply", FAILURE),
    "4": ("heat", FAILURE),
    "5": ("hardware", FAILURE),
}
"""what holds a GPU's clocks down, as prometheus/rules/hosts.recording.yml numbers it: the worst last"""
NO_GPU_HERE = "no GPU is watched: gpu: auto in the exporter's configuration, and NVIDIA's driver"
THIS_HOST = "/d/gpu?var-host=${__value.raw}&${__url_time_range}"
GPU_COLUMNS = {
    "gpu": Column("GPU", width=60),
    "node": Column("host", link=("Only this host", THIS_HOST), width=110),
    "Value #A": Column("busy", RATIO, bar=True),
    "Value #B": Column("memory, of all", RATIO, bar=True),
    "Value #C": Column("temperature", CELSIUS, width=110),
    "Value #D": Column("power, of limit", RATIO, bar=True),
    "Value #E": Column("held back by", states=[mapped(HELD_BACK)], width=120),
    "Value #F": Column("Xid errors", states=[from_none("none", GREEN), from_one("", FAILURE)], width=100),
}
INFO_COLUMNS = {
    "node": Column("host"),
    "name": Column("name"),
    "driver_version": Column("driver"),
    "cuda_version": Column("CUDA"),
    "Value": Column("GPUs"),
}
XID_COLUMNS = {
    "gpu": Column("GPU", width=60),
    "node": Column("host", width=110),
    "xid": Column("Xid", link=("NVIDIA's catalogue", "https://docs.nvidia.com/deploy/xid-errors/")),
    "Value": Column("errors"),
}


def work() -> Section:
    """Each GPU now, and how busy it was."""
    table = rows(
        "GPUs now",
        "A row for each: how busy, its memory, its heat, its power of the limit that is set, the worst of "
        "what holds its clocks down, and the driver's Xid errors in the time range. Errors and "
        "what is held back on top, then the busiest; a "
        "click on a host shows its GPUs alone. The curves below are of the eight highest.",
        COUNT,
        [
            Series(gpu.UTILIZATION_RATIO, "busy"),
            Series(gpu.MEMORY_USED_RATIO, "memory"),
            Series(gpu.TEMPERATURE_CELSIUS, "temperature"),
            Series(gpu.POWER_OF_LIMIT_RATIO, "power"),
            Series(gpu.THROTTLED_WORST, "held back by"),
            Series(gpu.XID_ERRORS_BY_GPU, "Xid errors"),
        ],
        GPU_COLUMNS,
        first=("Xid errors", "held back by", "busy"),
    )
    busy = lines(
        "Utilisation",
        "Share of the time in which a GPU computed.",
        RATIO,
        Series(gpu.UTILIZATION_RATIO, "GPU {{gpu}} {{node}}", BLUE, many=True),
        max_value=1,
    )
    bandwidth = lines(
        "Memory bandwidth",
        "Share of the time in which a GPU's memory was read or written.",
        RATIO,
        Series(gpu.MEMORY_BANDWIDTH_RATIO, "GPU {{gpu}} {{node}}", BLUE, many=True),
        max_value=1,
    )
    memory = lines(
        "Memory",
        "Share of the memory that is taken.",
        RATIO,
        Series(gpu.MEMORY_RATIO_OF_FEW, "GPU {{gpu}} {{node}}", BLUE, many=True),
        max_value=1,
    )
    return Section(None, NO_GPU_HERE, [Row(10, [table]), Row(8, [busy, bandwidth, memory])])


def limits() -> Section:
    """Heat, power, clocks, and what holds a GPU back."""
    temperature = lines(
        "Temperature",
        "Of the chip. Which is too hot depends on the model; the throttling below says when it was.",
        CELSIUS,
        Series(gpu.TEMPERATURE_CELSIUS, "GPU {{gpu}} {{node}}", BLUE, many=True),
    )
    power = lines(
        "Power",
        "Power drawn, under the limit that is set.",
        WATTS,
        Series(gpu.POWER_WATTS, "GPU {{gpu}} {{node}} drawn", BLUE, many=True),
        Series(gpu.HIGHEST_POWER_LIMIT_WATTS, "highest limit", GREY, bound=True),
    )
    fan = lines(
        "Fan",
        "Speed of the fan, where the GPU has one.",
        RATIO,
        Series(gpu.FAN_RATIO, "GPU {{gpu}} {{node}}", SKY, many=True),
        no_value="no fan is seen",
    )
    throttled = timeline(
        "Held back by",
        "The worst of what holds a GPU's clocks down. A power limit does so under full load; heat and the "
        "power supply make a measurement slower than the GPU is.",
        HELD_BACK,
        Series(gpu.THROTTLED_OVER_TIME, "GPU {{gpu}} {{node}}"),
    )
    clocks = lines(
        "Core clocks",
        "Of the multiprocessors. The clocks of graphics and video follow it. Of more than eight the lowest.",
        HERTZ,
        Series(gpu.CORE_CLOCK_HERTZ, "GPU {{gpu}} {{node}}", BLUE, many=True, few=crowds.lowest),
    )
    memory_clock = lines(
        "Memory clock",
        "On an axis of its own: it is several times the cores'.",
        HERTZ,
        Series(gpu.MEMORY_CLOCK_HERTZ, "GPU {{gpu}} {{node}}", BLUE, many=True),
    )
    return Section(
        "Heat, power, clocks",
        NO_GPU_HERE,
        [Row(8, [temperature, power, fan]), Row(8, [throttled, clocks, memory_clock])],
    )


def errors() -> Section:
    """What is broken, the bus, the drivers, and who has the memory."""
    xids = rows(
        "Xid errors in the time range",
        "Errors that the driver reported, by NVIDIA's code.",
        COUNT,
        [Series(gpu.XID_ERRORS, "Xid errors")],
        XID_COLUMNS,
        first="errors",
        no_value="no GPU says so",
    )
    ecc = lines(
        "Memory errors (ECC)",
        "New errors since the time range began. Corrected ones happen to sound memory; one that is "
        "uncorrected has lost data.",
        COUNT,
        Series(gpu.ECC_CORRECTED, "GPU {{gpu}} {{node}} corrected", SKY, many=True),
        Series(gpu.ECC_UNCORRECTED, "GPU {{gpu}} {{node}} uncorrected", FAILURE, many=True),
        Series(gpu.ECC_NONE, "none", GREY),
        named={"uncorrected": FAILURE},
        no_value="no GPU counts them",
        up_to=1,
    )
    pcie = lines(
        "PCIe",
        "Bytes a second to each GPU and (dashed) from it, over 20 ms.",
        BYTES_PER_SECOND,
        Series(gpu.PCIE_RECEIVE, "GPU {{gpu}} {{node}} in", BLUE, many=True),
        Series(gpu.PCIE_TRANSMIT, "GPU {{gpu}} {{node}} out", ORANGE, many=True, bound=True),
    )
    info = rows(
        "Models and drivers",
        "What the driver lists, and how many a host has of them.",
        COUNT,
        [Series(gpu.INFO, "GPUs")],
        INFO_COLUMNS,
        first="GPUs",
    )
    by_process = lines(
        "Memory by process",
        "Memory of the watched processes. Absent in a container without the host's process ids.",
        BYTES,
        Series(gpu.PROCESS_MEMORY_BYTES, "{{process}} GPU {{gpu}} {{node}}", BLUE, many=True),
        no_value="no watched process has any: name those that compute in the configuration",
    )
    return Section(
        "Errors, bus, drivers, processes",
        "no GPU says so",
        [Row(8, [xids, ecc, pcie]), Row(8, [info, by_process])],
    )


def dashboard() -> model.Dashboard:
    """The whole dashboard as the SDK's model."""
    return frame.dashboard(
        "GPU",
        "gpu",
        "Each GPU: utilisation, memory, heat, power, clocks, throttling, errors and bus.",
        [work(), limits(), errors()],
        choices=("host", "gpu"),
        shown=("host", "gpu"),
        marks=frame.MARKS,
    )
