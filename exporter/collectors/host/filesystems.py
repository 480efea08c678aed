"""How full the host's file systems are, under node_exporter's names and with its choice of file systems.

node_filesystem_avail_bytes{device="/dev/vda",fstype="ext4",mountpoint="/"} 8.4e+10
"""

import os
import re
from collections.abc import Iterable
from pathlib import Path

from prometheus_client.core import Metric

from exporter.collectors.families import Table, fresh
from exporter.collectors.host.host_files import Mount, parse_mounts
from exporter.collectors.host.shown_devices import ShownDevices
from exporter.collectors.procfs import ProcFs

# The defaults of node_exporter's --collector.filesystem.*-exclude (filesystem_linux.go).
_NOT_MOUNTED_AT = re.compile(
    r"^/(dev|proc|run/credentials/.+|sys|var/lib/docker/.+|var/lib/containers/storage/.+)($|/)"
)
_NOT_OF_TYPE = re.compile(
    r"^(autofs|binfmt_misc|bpf|cgroup2?|configfs|debugfs|devpts|devtmpfs|fusectl|hugetlbfs|iso9660|mqueue|nsfs"
    r"|overlay|proc|procfs|pstore|rpc_pipefs|securityfs|selinuxfs|squashfs|sysfs|tracefs)$"
)
FILESYSTEM_FAMILIES: Table = {
    "node_filesystem_avail_bytes": ("Free space for unprivileged users",),
    "node_filesystem_size_bytes": ("Size of the file system",),
    "node_filesystem_free_bytes": ("Free space, including what is reserved for root",),
    "node_filesystem_files": ("Inodes",),
    "node_filesystem_files_free": ("Free inodes",),
    "node_filesystem_readonly": ("1 where the file system is mounted read-only, else 0",),
    "node_filesystem_device_error": ("1 where statfs of the file system failed, else 0",),
}


def collect_filesystems(proc: ProcFs, host_root: Path, shown: ShownDevices) -> Iterable[Metric]:
    """One series a file system and family; one that cannot be asked has no sizes and a device_error of 1.

    `host_root` is where the host's file systems are seen from here: `/`, or the mount of it in a container.
    A file system that hangs hangs this call: isolation.py bounds what that costs.
    """
    at_home = host_root == Path("/")
    families = fresh(FILESYSTEM_FAMILIES, "device", "mountpoint", "fstype")
    available, size, free, files, files_free, readonly, device_error = families.values()
    for mount in shown.first("filesystem", _wanted(proc.read("mounts" if at_home else "1/mounts"))):
        labels = [mount.device, mount.mountpoint, mount.fstype]
        readonly.add_metric(labels, int(mount.read_only))
        try:
            now = os.statvfs(mount.mountpoint if at_home else f"{host_root}{mount.mountpoint}")
        except OSError:
            device_error.add_metric(labels, 1)
            continue
        device_error.add_metric(labels, 0)
        available.add_metric(labels, now.f_bavail * now.f_frsize)
        size.add_metric(labels, now.f_blocks * now.f_frsize)
        free.add_metric(labels, now.f_bfree * now.f_frsize)
        files.add_metric(labels, now.f_files)
        files_free.add_metric(labels, now.f_ffree)
    return families.values()


def _wanted(text: str) -> Iterable[Mount]:
    """The file systems to show, each label set once: a path may be mounted over several times."""
    seen = set()
    for mount in parse_mounts(text):
        key = (mount.device, mount.mountpoint, mount.fstype)
        if key in seen or _NOT_OF_TYPE.match(mount.fstype) or _NOT_MOUNTED_AT.match(mount.mountpoint):
            continue
        seen.add(key)
        yield mount
