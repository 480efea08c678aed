"""The hosts of the dashboard *Router and nodes*, by the USE method: utilisation, saturation, errors."""

from layout import Row, Section
from palette import BLUE, FAILURE, GREEN, GREY, ORANGE, PURPLE
from panels import BYTES, BYTES_PER_SECOND, COUNT, NO_HOST, PER_SECOND, RATIO, Series, lines
from queries import crowds, hosts
from tables import Column, rows

HOST_COLUMNS = {
    "host": Column("host", width=150),
    "Value #A": Column("CPU busy", RATIO, bar=True),
    "Value #B": Column("load per CPU", COUNT, width=110, decimals=2),
    "Value #C": Column("memory, of all", RATIO, bar=True),
    "Value #D": Column("swap", BYTES, width=100),
    "Value #E": Column("busiest disk", RATIO, bar=True),
    "Value #F": Column("least free space", RATIO, width=130),
    "Value #G": Column("network errors", PER_SECOND, width=120),
    "Value #H": Column("retransmits", PER_SECOND, width=110),
}


def machines() -> Section:
    """Utilisation, saturation and errors of the hosts."""
    table = rows(
        "Hosts now",
        "A row for each: its CPUs, its memory, its disks, its network. The busiest on top. Of what there are "
        "more than eight of, the curves below are of the highest in the time range.",
        COUNT,
        [
            Series(hosts.CPU_BUSY_RATIO, "CPU busy"),
            Series(hosts.LOAD_PER_CPU, "load per CPU"),
            Series(hosts.MEMORY_USED_RATIO, "memory"),
            Series(hosts.SWAP_USED_BYTES, "swap"),
            Series(hosts.BUSIEST_DISK_RATIO, "busiest disk"),
            Series(hosts.LEAST_FREE_RATIO, "least free space"),
            Series(hosts.NETWORK_ERRORS, "network errors"),
            Series(hosts.TCP_RETRANSMITS, "retransmits"),
        ],
        HOST_COLUMNS,
        first="CPU busy",
    )
    cpu = lines(
        "CPU",
        "Share of all CPUs that is busy, waits for disks (iowait), or is taken by the hypervisor (steal).",
        RATIO,
        Series(hosts.CPU_BUSY_RATIO, "{{host}} busy", BLUE, many=True),
        Series(hosts.CPU_IOWAIT_RATIO, "{{host}} iowait", ORANGE, many=True),
        Series(hosts.CPU_STEAL_RATIO, "{{host}} steal", PURPLE, many=True),
        max_value=1,
    )
    load1 = lines(
        "Load per CPU",
        "Processes that run or want to, a CPU, over a minute. Above 1 they wait for each other.",
        COUNT,
        Series(hosts.LOAD_PER_CPU, "load {{host}}", BLUE, many=True),
    )
    pressure = lines(
        "Pressure",
        "Share of the time in which something waited for CPU, memory or disks (PSI), where the kernel "
        "counts it.",
        RATIO,
        Series(hosts.PRESSURE_CPU_RATIO, "{{host}} CPU", BLUE, many=True),
        Series(hosts.PRESSURE_MEMORY_RATIO, "{{host}} memory", PURPLE, many=True),
        Series(hosts.PRESSURE_IO_RATIO, "{{host}} disks", ORANGE, many=True),
        no_value="the kernel has no PSI",
    )
    memory = lines(
        "Host memory",
        "Memory that is not available for new work, its total, and swap in use.",
        BYTES,
        Series(hosts.MEMORY_USED_BYTES, "{{host}} used", BLUE, many=True),
        Series(hosts.MEMORY_TOTAL_BYTES, "{{host}} total", GREY, bound=True),
        Series(hosts.SWAP_USED_BYTES, "{{host}} swap", ORANGE, many=True),
    )
    disk = lines(
        "Disks busy",
        "Share of the time in which a disk had something to do.",
        RATIO,
        Series(hosts.DISK_BUSY_RATIO, "{{host}} {{device}}", BLUE, many=True),
        max_value=1,
        no_value="no disk is seen",
    )
    space = lines(
        "Free space",
        "Share of each writable file system that is free to all.",
        RATIO,
        Series(hosts.FILESYSTEM_FREE_RATIO, "{{host}} {{mountpoint}}", GREEN, many=True, few=crowds.lowest),
        max_value=1,
        no_value="no file system is seen",
    )
    network = lines(
        "Network",
        "Bytes a second over all interfaces but loopback.",
        BYTES_PER_SECOND,
        Series(hosts.NETWORK_RECEIVE, "{{host}} in", BLUE, many=True),
        Series(hosts.NETWORK_TRANSMIT, "{{host}} out", ORANGE, many=True),
    )
    dropped = lines(
        "Network errors and drops",
        "Packets a second that an interface lost.",
        PER_SECOND,
        Series(hosts.NETWORK_ERRORS, "{{host}} errors", FAILURE, many=True),
        Series(hosts.NETWORK_DROPS, "{{host}} drops", ORANGE, many=True),
        up_to=1,
    )
    tcp = lines(
        "TCP trouble",
        "Segments sent again, resets sent, and connections dropped because a listener's queue was full: "
        "disconnects that are the host's, not the router's.",
        PER_SECOND,
        Series(hosts.TCP_RETRANSMITS, "{{host}} retransmits", BLUE, many=True),
        Series(hosts.TCP_RESETS, "{{host}} resets", ORANGE, many=True),
        Series(hosts.TCP_LISTEN_DROPS, "{{host}} listen drops", FAILURE, many=True),
        up_to=1,
    )
    return Section(
        "Hosts: utilisation, saturation, errors",
        NO_HOST,
        [
            Row(8, [table]),
            Row(8, [cpu, load1, pressure]),
            Row(8, [memory, disk, space]),
            Row(8, [network, dropped, tcp]),
        ],
    )
