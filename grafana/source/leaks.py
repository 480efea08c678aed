"""The dashboard *Leaks*: what grows, by how much an hour and a request, and what the rules call a leak."""

import frame
from grafana_foundation_sdk.models import dashboard as model
from layout import Row, Section
from palette import BLUE, GREY, ORANGE, PURPLE, SKY, YELLOW
from panels import BYTES, COUNT, NO_GPU, NO_HOST, NOT_WATCHED, PER_SECOND, RATIO, Series, dial, lines
from queries import hosts, leaks, processes
from tables import Column, labels, rows

TOO_EARLY = "too early: slopes begin after 17 minutes"
LEAK_COLUMNS = {
    **labels("resource", "process", "state", "gpu", "node", "instance"),
    "Value": Column("growth an hour"),
}


def called() -> Section:
    """What the rules call a leak, and how much they could judge."""
    table = rows(
        "Leaks, as the rules call them",
        "What grows evenly enough and for long enough (24 minutes at least), by how much an hour, in bytes "
        "or pieces. The alerts and the verdict of a run go by the same series.",
        COUNT,
        [Series(leaks.LEAKS_PER_HOUR, "leaks")],
        LEAK_COLUMNS,
    )
    judged = dial(
        "Judged",
        "Share of the watched series that are old enough for a slope. What is younger than 17 minutes "
        "cannot be called a leak.",
        Series(leaks.JUDGED_RATIO, "judged"),
        no_value=TOO_EARLY,
    )
    return Section(None, "no leak", [Row(6, [table, judged], [18, 6])])


def memory() -> Section:
    """Memory of the processes: level, slope, sawtooth."""
    level = lines(
        "Memory and its floor",
        "Memory that no file backs, swapped out or not, and its minimum of 5 minutes, below the sawtooth of "
        "garbage collection.",
        BYTES,
        Series(processes.LEAKABLE_BYTES, "{{process}} {{node}} anon + swap", BLUE, many=True),
        Series(leaks.MEMORY_FLOOR_BYTES, "{{process}} {{node}} floor", SKY, many=True, bound=True),
    )
    slope = lines(
        "Memory growth an hour",
        "Slope of the floor over 12 minutes, an hour of it. A leak stays; a warm-up or a filling cache "
        "falls to zero.",
        BYTES,
        Series(leaks.MEMORY_BYTES_PER_HOUR, "{{process}} {{node}}", ORANGE, many=True),
        no_value=TOO_EARLY,
    )
    per_1000 = lines(
        "Memory growth per 1,000 requests",
        "Slope of the floor over the requests of the same 12 minutes. Even over changing load: it leaks "
        "with each request.",
        BYTES,
        Series(leaks.MEMORY_BYTES_PER_1000, "{{process}} {{node}}", ORANGE, many=True),
        no_value="too early, or no load",
    )
    sawtooth = lines(
        "Above the floor",
        "Memory now less its floor: the teeth of garbage collection, which are given back. Teeth that grow "
        "while the floor stays are no leak.",
        BYTES,
        Series(leaks.MEMORY_ABOVE_FLOOR_BYTES, "{{process}} {{node}}", PURPLE, many=True),
    )
    resident = lines(
        "Resident and swapped memory",
        "Resident memory also counts mapped model files and shrinks when the host swaps, so no leak is "
        "judged by it.",
        BYTES,
        Series(processes.RESIDENT_BYTES, "{{process}} {{node}} resident", GREY, many=True),
        Series(processes.SWAP_BYTES, "{{process}} {{node}} swap", ORANGE, many=True, bound=True),
    )
    return Section("Memory", NOT_WATCHED, [Row(8, [level, slope]), Row(8, [per_1000, sawtooth, resident])])


def handles() -> Section:
    """Files, threads and sockets."""
    fds = lines(
        "Open files",
        "Open file descriptors of each process, sockets among them.",
        COUNT,
        Series(processes.OPEN_FDS, "{{process}} {{node}}", BLUE, many=True),
    )
    limit = lines(
        "Open files of the limit",
        "At 100 % the process accepts no connection any more.",
        RATIO,
        Series(processes.OPEN_FDS_RATIO, "{{process}} {{node}}", BLUE, many=True),
    )
    threads = lines(
        "Threads",
        "Threads of each process.",
        COUNT,
        Series(processes.THREADS, "{{process}} {{node}}", PURPLE, many=True),
    )
    sockets = lines(
        "Sockets by state",
        "TCP sockets of each process, in the states that it has had in the time range. close_wait that "
        "grows: the peer has hung up and the process has not.",
        COUNT,
        Series(processes.SOCKETS_BY_STATE, "{{process}} {{node}} {{state}}", SKY, many=True),
        named={"close_wait": ORANGE, "established": BLUE},
        beside=True,
        no_value="no sockets",
    )
    workers = lines(
        "Children and workers that died",
        "Processes below each watched one. A worker that dies takes with it what it leaked, and another "
        "begins anew.",
        COUNT,
        Series(processes.CHILDREN, "{{process}} {{node}} children", PURPLE, many=True),
        Series(processes.WORKER_DEATHS, "{{process}} {{node}} died", ORANGE, many=True),
    )
    slope = lines(
        "Growth an hour: files, threads, connections",
        "Slope of their floors over 12 minutes, an hour of it.",
        COUNT,
        Series(leaks.HANDLES_PER_HOUR, "{{process}} {{node}} {{resource}} {{state}}", ORANGE, many=True),
        beside=True,
        no_value=TOO_EARLY,
    )
    per_1000 = lines(
        "Growth per 1,000 requests: files, threads, connections",
        "Slope of their floors over the requests of the same 12 minutes.",
        COUNT,
        Series(leaks.HANDLES_PER_1000, "{{process}} {{node}} {{resource}} {{state}}", ORANGE, many=True),
        beside=True,
        no_value="too early, or no load",
    )
    return Section(
        "Files, threads, sockets",
        NOT_WATCHED,
        [Row(8, [fds, limit, threads]), Row(9, [sockets, workers]), Row(8, [slope, per_1000])],
    )


def elsewhere() -> Section:
    """Collectors of garbage, GPUs, hosts."""
    collections = lines(
        "Garbage collections",
        "Collections a second where the router exposes go_gc_*, python_gc_* or jvm_gc_*. More and more of "
        "them over even load: the heap is filling.",
        PER_SECOND,
        Series(leaks.GC_GO_RATE, "Go {{instance}}", BLUE, many=True),
        Series(leaks.GC_PYTHON_RATE, "Python {{instance}} generation {{generation}}", YELLOW, many=True),
        Series(leaks.GC_JVM_RATE, "JVM {{instance}} {{gc}}", ORANGE, many=True),
    )
    pauses = lines(
        "Time in garbage collection",
        "Share of the time that collections took, where the router exposes it.",
        RATIO,
        Series(leaks.GC_GO_TIME_RATIO, "Go {{instance}}", BLUE, many=True),
        Series(leaks.GC_JVM_TIME_RATIO, "JVM {{instance}}", ORANGE, many=True),
    )
    gpu_memory = lines(
        "GPU memory by process",
        "Memory of each watched process on each GPU, and its floor.",
        BYTES,
        Series(leaks.GPU_MEMORY_BYTES, "{{process}} GPU {{gpu}} {{node}}", BLUE, many=True),
        Series(
            leaks.GPU_MEMORY_FLOOR_BYTES, "{{process}} GPU {{gpu}} {{node}} floor", SKY, many=True, bound=True
        ),
        no_value=NO_GPU,
    )
    host_memory = lines(
        "Host memory and its floor",
        "Memory of the hosts that is not available for new work, with swap in the floor.",
        BYTES,
        Series(hosts.MEMORY_USED_BYTES, "{{instance}} used", BLUE, many=True),
        Series(leaks.HOST_MEMORY_FLOOR_BYTES, "{{instance}} floor", SKY, many=True, bound=True),
        no_value=NO_HOST,
    )
    host_slope = lines(
        "Host memory growth an hour",
        "Slope of the floor over 12 minutes, an hour of it.",
        BYTES,
        Series(leaks.HOST_MEMORY_BYTES_PER_HOUR, "{{instance}}", ORANGE, many=True),
        no_value=TOO_EARLY,
    )
    return Section(
        "Garbage collection, GPUs, hosts",
        "the router exposes none",
        [Row(8, [collections, pauses]), Row(8, [gpu_memory, host_memory, host_slope])],
    )


def dashboard() -> model.Dashboard:
    """The whole dashboard as the SDK's model."""
    return frame.dashboard(
        "Leaks",
        "leaks",
        "What grows without end: level, floor, growth an hour and per 1,000 requests of all that can leak.",
        [called(), memory(), handles(), elsewhere()],
        choices=("route", "model", "process", "gpu"),
    )
