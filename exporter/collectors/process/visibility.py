"""What a /proc does not show, by the options that it is mounted with (proc(5), systemd.exec(5))."""

from pathlib import Path

from exporter.collectors.procfs import UNREADABLE, read_bytes

_SHOWS_ALL = {"0", "off"}


def restriction(proc_root: Path) -> str | None:
    """Why processes may be there and not be seen, and what to do; None where this /proc shows all of them."""
    try:
        table = read_bytes(f"{proc_root}/self/mountinfo").decode("utf-8", "replace")
    except UNREADABLE:
        return None
    options = _options(table, str(proc_root))
    hidden = options.get("hidepid", "off")
    reasons = []
    if hidden not in _SHOWS_ALL:
        group = f" or in the group {options['gid']} (gid=)" if "gid" in options else ""
        reasons.append(
            f"it is mounted with hidepid={hidden} (ProtectProc= of a service), which hides other users' "
            f"processes: run the exporter as root{group}, or as their user"
        )
    if options.get("subset") == "pid":
        reasons.append(
            "it is mounted with subset=pid (ProcSubset=pid of a service), which hides the files beside the "
            "processes: set ProcSubset=all"
        )
    return f"{proc_root} does not show all: {'; '.join(reasons)}" if reasons else None


def _options(mountinfo: str, mount_point: str) -> dict[str, str]:
    """The options of the /proc that is mounted there, of the last one where several lie over each other."""
    options: dict[str, str] = {}
    for line in mountinfo.splitlines():
        mount, _, of_type = line.partition(" - ")
        fields, types = mount.split(), of_type.split()
        if len(fields) > 5 and len(types) > 2 and fields[4] == mount_point and types[0] == "proc":
            pairs = (option.partition("=") for option in f"{fields[5]},{types[2]}".split(","))
            options = {name: value for name, _, value in pairs}
    return options
