"""The dashboard *Leaks*: what grows, by how much an hour and a request, and what the rules call a leak."""

import frame
from grafana_foundation_sdk.models import dashboard as model
from layout import Row, Section
from palette import BLUE, FAILURE, GREEN, GREY, ORANGE, PURPLE, SKY, between
from panels import AGE_MS, BYTES, COUNT, NO_GPU, NO_HOST, NOT_WATCHED, PER_SECOND, RATIO, TEXT, Series, lines
from queries import crowds, hosts, leaks, processes, run
from tables import Column, rows

TOO_EARLY = "too early: slopes begin after 17 minutes"
NOTHING_GROWS = "no slope of one an hour or more: slopes begin after 17 minutes"
NO_LOAD = "no slope or no requests: slopes begin after 17 minutes, requests with soak run"
LEAK_COLUMNS = {
    "about": Column("what", width=210),
    "kind": Column("of what", width=200),
    "Value #A": Column(
        "state",
        states=[
            between(0, 0.9999, "too young", GREY, 0),
            between(1, 1.9999, "flat", GREEN, 1),
            between(2, 2.9999, "growing", ORANGE, 2),
            between(3, 3.9999, "leak", FAILURE, 3),
        ],
        width=100,
    ),
    "Value #B": Column("since", AGE_MS, width=130),
    "now": Column("now", TEXT, right=True),
    "floor": Column("floor", TEXT, right=True),
    "growth": Column("growth an hour", TEXT, right=True, width=130),
    "per_1000": Column("per 1,000 requests", TEXT, right=True, width=150),
    "Value #G": Column("judged", AGE_MS, width=130),
}


def called() -> Section:
    """A row for everything that can leak: what it is now, what it does, and what the rules say of it."""
    table = rows(
        "What can leak, the worst on top",
        "A row for every watched process, host and GPU, and each kind of what it can leak. Too young: under "
        "17 minutes, so there is no slope. Growing: faster than a leak has to be, but not judged yet (the "
        "column judged says when) or not evenly enough; of files that a process writes, which may grow, by "
        "more than 16 MiB an hour. Leak: what the alerts and a run's verdict go by. Floor: the minimum of 5 "
        "minutes; growth is its slope over 12. Of more than a hundred rows those of the router and the worst "
        "hundred.",
        COUNT,
        [
            Series(leaks.STATES, "state"),
            Series(leaks.STATES_SINCE_MS, "since"),
            Series(leaks.NOW, "now"),
            Series(leaks.FLOOR, "floor"),
            Series(leaks.GROWTH, "growth"),
            Series(leaks.GROWTH_PER_1000, "per 1,000"),
            Series(leaks.JUDGED_FROM_MS, "judged"),
        ],
        LEAK_COLUMNS,
        first="state",
        no_value="nothing is watched: name processes in the exporter's configuration",
    )
    return Section(None, NOT_WATCHED, [Row(11, [table])])


def memory() -> Section:
    """Memory of the processes: level, slope, sawtooth."""
    level = lines(
        "Memory and its floor",
        "Memory that no file backs, swapped out or not, and (dashed) its minimum of 5 minutes, below the "
        "sawtooth of garbage collection.",
        BYTES,
        Series(
            processes.LEAKABLE_BYTES, "{{process}} {{node}} anon + swap", BLUE, many=True, few=crowds.moved
        ),
        Series(
            leaks.MEMORY_FLOOR_BYTES,
            "{{process}} {{node}} floor",
            SKY,
            many=True,
            bound=True,
            few=crowds.moved,
        ),
    )
    slope = lines(
        "Memory growth an hour",
        "Slope of the floor over 12 minutes, an hour of it. A leak stays; a warm-up or a filling cache "
        "falls to zero. Dashed: what --max-growth asks for.",
        BYTES,
        Series(leaks.MEMORY_BYTES_PER_HOUR, "{{process}} {{node}}", BLUE, many=True, few=crowds.on_average),
        Series(run.OBJECTIVE_GROWTH, "router, asked for", GREY, bound=True),
        no_value=TOO_EARLY,
    )
    per_1000 = lines(
        "Memory growth per 1,000 requests",
        "Slope of the floor over the requests of the same 12 minutes. Even over changing load: it leaks "
        "with each request.",
        BYTES,
        Series(leaks.MEMORY_BYTES_PER_1000, "{{process}} {{node}}", BLUE, many=True, few=crowds.on_average),
        no_value=NO_LOAD,
    )
    sawtooth = lines(
        "Above the floor",
        "Memory now less its floor: the teeth of garbage collection, which are given back. Teeth that grow "
        "while the floor stays are no leak.",
        BYTES,
        Series(leaks.MEMORY_ABOVE_FLOOR_BYTES, "{{process}} {{node}}", BLUE, many=True),
    )
    resident = lines(
        "Resident and swapped memory",
        "Resident memory, and (dashed) what is swapped out. It also counts mapped model files and shrinks "
        "when the host swaps, so no leak is judged by it.",
        BYTES,
        Series(processes.RESIDENT_BYTES, "{{process}} {{node}} resident", BLUE, many=True, few=crowds.moved),
        Series(
            processes.SWAP_BYTES, "{{process}} {{node}} swap", ORANGE, many=True, bound=True, few=crowds.moved
        ),
    )
    return Section("Memory", NOT_WATCHED, [Row(8, [level, slope]), Row(8, [per_1000, sawtooth, resident])])


def handles() -> Section:
    """Files, threads and sockets."""
    fds = lines(
        "Open files",
        "Open file descriptors of each process, sockets among them.",
        COUNT,
        Series(processes.OPEN_FDS, "{{process}} {{node}}", BLUE, many=True, few=crowds.moved),
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
        Series(processes.THREADS, "{{process}} {{node}}", BLUE, many=True, few=crowds.moved),
    )
    sockets = lines(
        "Sockets by state",
        "TCP sockets of each process, in the states that it has had in the time range. close_wait that "
        "grows: the peer has hung up and the process has not.",
        COUNT,
        Series(
            processes.SOCKETS_CLOSE_WAIT, "{{process}} {{node}} close_wait", ORANGE, True, few=crowds.moved
        ),
        Series(processes.SOCKETS_BY_STATE, "{{process}} {{node}} {{state}}", SKY, many=True),
        named={"close_wait": ORANGE, "established": BLUE},
        beside=True,
        no_value="no sockets are seen: the exporter needs the user of the process, or root",
    )
    workers = lines(
        "Children and workers that died",
        "Processes below each watched one, and (dashed) those that died. A worker that dies takes with it "
        "what it leaked, and another begins anew.",
        COUNT,
        Series(processes.CHILDREN, "{{process}} {{node}} children", PURPLE, many=True),
        Series(processes.WORKER_DEATHS, "{{process}} {{node}} died", ORANGE, many=True, bound=True),
        up_to=1,
    )
    slope = lines(
        "Growth an hour: files, threads, connections",
        "Slope of their floors over 12 minutes, an hour of it; the five that grow fastest over the time "
        "range, by one an hour at least.",
        COUNT,
        Series(leaks.HANDLES_PER_HOUR, "{{process}} {{node}} {{resource}} {{state}}", ORANGE, many=True),
        beside=True,
        no_value=NOTHING_GROWS,
    )
    per_1000 = lines(
        "Growth per 1,000 requests: files, threads, connections",
        "Slope of their floors over the requests of the same 12 minutes, of the same five.",
        COUNT,
        Series(leaks.HANDLES_PER_1000, "{{process}} {{node}} {{resource}} {{state}}", ORANGE, many=True),
        beside=True,
        no_value=NOTHING_GROWS,
    )
    return Section(
        "Files, threads, sockets",
        NOT_WATCHED,
        [Row(8, [fds, limit, threads]), Row(9, [sockets, workers]), Row(8, [slope, per_1000])],
    )


def written_files() -> Section:
    """What the processes write, such as a database that keeps every request."""
    size = lines(
        "Files that it writes",
        "Size of the regular files that each process has open for writing: its database, its logs.",
        BYTES,
        Series(leaks.WRITTEN_BYTES, "{{process}} {{node}}", BLUE, many=True, few=crowds.moved),
    )
    slope = lines(
        "Their growth an hour",
        "Slope over 12 minutes, an hour of it.",
        BYTES,
        Series(leaks.WRITTEN_BYTES_PER_HOUR, "{{process}} {{node}}", BLUE, many=True, few=crowds.on_average),
    )
    per_1000 = lines(
        "Their growth per 1,000 requests",
        "Slope over the requests of the same 12 minutes: what each request leaves on the disk.",
        BYTES,
        Series(leaks.WRITTEN_BYTES_PER_1000, "{{process}} {{node}}", BLUE, many=True, few=crowds.on_average),
        no_value=NO_LOAD,
    )
    return Section(
        "Files that the processes write",
        "no watched process writes a file, or the exporter may not look: docs/exporter.md",
        [Row(8, [size, slope, per_1000])],
    )


def hosts_memory() -> Section:
    """The hosts."""
    host_memory = lines(
        "Host memory and its floor",
        "Memory of the hosts that is not available for new work, with swap in the floor.",
        BYTES,
        Series(hosts.MEMORY_USED_BYTES, "{{host}} used", BLUE, many=True, few=crowds.moved),
        Series(leaks.HOST_MEMORY_FLOOR_BYTES, "{{host}} floor", SKY, many=True, few=crowds.moved),
        no_value=NO_HOST,
    )
    host_slope = lines(
        "Host memory growth an hour",
        "Slope of the floor over 12 minutes, an hour of it.",
        BYTES,
        Series(leaks.HOST_MEMORY_BYTES_PER_HOUR, "{{host}} growth", ORANGE, many=True, few=crowds.on_average),
        no_value=TOO_EARLY,
    )
    return Section("Hosts", NO_HOST, [Row(8, [host_memory, host_slope])])


def collectors_of_garbage() -> Section:
    """Where the router exposes them."""
    collections = lines(
        "Garbage collections",
        "Collections a second where the router exposes go_gc_*, python_gc_* or jvm_gc_*. More and more of "
        "them over even load: the heap is filling.",
        PER_SECOND,
        Series(leaks.GC_GO_RATE, "Go", BLUE),
        Series(leaks.GC_PYTHON_RATE, "Python, generation {{generation}}", SKY, many=True),
        Series(leaks.GC_JVM_RATE, "JVM {{gc}}", ORANGE, many=True),
    )
    pauses = lines(
        "Time in garbage collection",
        "Share of the time that collections took, where the router exposes it.",
        RATIO,
        Series(leaks.GC_GO_TIME_RATIO, "Go", BLUE),
        Series(leaks.GC_JVM_TIME_RATIO, "JVM", ORANGE),
    )
    return Section(
        "Garbage collection (of a router in Go, Python or on a JVM that exposes it)",
        "the router exposes no go_gc_*, python_gc_* or jvm_gc_*: targets/router.yml has the path of its "
        "metrics",
        [Row(8, [collections, pauses])],
        collapsed=True,
    )


def gpu_memory() -> Section:
    """GPUs."""
    memory = lines(
        "GPU memory by process",
        "Memory of each watched process on each GPU, and its floor.",
        BYTES,
        Series(leaks.GPU_MEMORY_BYTES, "{{process}} GPU {{gpu}} {{node}}", BLUE, many=True),
        Series(
            leaks.GPU_MEMORY_FLOOR_BYTES, "{{process}} GPU {{gpu}} {{node}} floor", SKY, many=True, bound=True
        ),
        no_value="no watched process has memory on a GPU: name those that compute in the configuration",
    )
    return Section("GPU memory (of hosts with NVIDIA's)", NO_GPU, [Row(8, [memory])], collapsed=True)


def dashboard() -> model.Dashboard:
    """The whole dashboard as the SDK's model."""
    return frame.dashboard(
        "Leaks",
        "leaks",
        "What grows without end: level, floor, growth an hour and per 1,000 requests of all that can leak.",
        [
            called(),
            memory(),
            handles(),
            written_files(),
            hosts_memory(),
            gpu_memory(),
            collectors_of_garbage(),
        ],
        choices=("route", "model", "host", "process", "gpu"),
        shown=("process",),
        marks=frame.MARKS,
    )
