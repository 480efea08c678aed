"""The host's interfaces and protocols, under node_exporter's names.

node_network_receive_bytes_total{device="eth0"} 1.99e+08
node_netstat_Tcp_RetransSegs 0
node_sockstat_TCP_inuse 12
"""

import os
import re
from collections.abc import Iterator
from contextlib import suppress

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric, UnknownMetricFamily

from exporter.collectors.host import host_files
from exporter.collectors.host.shown_devices import ShownDevices
from exporter.collectors.procfs import ProcFs

# The default of node_exporter's --collector.netstat.fields.
_NETSTAT = re.compile(
    r"^(.*_(InErrors|InErrs)|Ip_Forwarding|IpExt_(InOctets|OutOctets)|Icmp_(InMsgs|OutMsgs)"
    r"|TcpExt_(Listen.*|Syncookies.*|TCPSynRetrans|TCPTimeouts|TCPOFOQueue|TCPRcvQDrop)"
    r"|Tcp_(ActiveOpens|InSegs|OutSegs|OutRsts|PassiveOpens|RetransSegs|CurrEstab)"
    r"|Udp_(InDatagrams|OutDatagrams|NoPorts|RcvbufErrors|SndbufErrors))$"
)
# Where a number stands among those of an interface's line.
_COUNTERS = {
    f"node_network_{direction}_{what}": start + place
    for direction, start in (("receive", 0), ("transmit", 8))
    for place, what in enumerate(("bytes", "packets", "errs", "drop"))
}
NETWORK_FAMILIES = (*(f"{name}_total" for name in _COUNTERS), "node_netstat_*", "node_sockstat_*")


def collect_network(proc: ProcFs, shown: ShownDevices) -> Iterator[Metric]:
    """The families as they are now; raises OSError where interfaces or protocols cannot be read."""
    interfaces = dict(shown.first("interface", host_files.parse_interfaces(_read(proc, "dev")).items()))
    for name, place in _COUNTERS.items():
        family = CounterMetricFamily(name, "From /proc/net/dev", labels=["device"])
        for device, numbers in interfaces.items():
            family.add_metric([device], numbers[place])
        yield family
    for file in ("snmp", "netstat"):
        for name, value in host_files.parse_protocols(_read(proc, file), _netstat_wanted).items():
            yield UnknownMetricFamily(f"node_netstat_{name}", f"From /proc/net/{file}", value)
    page_bytes = os.sysconf("SC_PAGE_SIZE")
    for file in ("sockstat", "sockstat6"):
        with suppress(FileNotFoundError):
            for name, value in host_files.parse_sockstat(_read(proc, file)).items():
                yield GaugeMetricFamily(f"node_sockstat_{name}", f"From /proc/net/{file}", value)
                if name.endswith("_mem"):
                    in_bytes = f"node_sockstat_{name}_bytes"
                    yield GaugeMetricFamily(in_bytes, "Memory of these sockets in bytes", value * page_bytes)


def _netstat_wanted(name: str) -> bool:
    return _NETSTAT.match(name) is not None


def _read(proc: ProcFs, file: str) -> str:
    """A table of the host's network namespace: process 1's; the exporter's own where that is hidden."""
    try:
        return proc.read(f"1/net/{file}")
    except (FileNotFoundError, PermissionError):
        return proc.read(f"net/{file}")
