"""How many bytes of a TCP connection on this machine have not been read, by the kernel's own account."""

import errno
import socket
import struct
from pathlib import Path

_INET_DIAG = 4
_BY_FAMILY, _REQUEST, _ERROR = 20, 1, 2
_ANY_STATE = _NO_COOKIE = 0xFFFFFFFF
_HEADER = struct.Struct("=IHHII")
_ASKED = struct.Struct("=BBBBI")
_QUEUES_AT = _HEADER.size + 4 + 48 + 4
Address = tuple[str, int]


def is_acknowledged(server: Address, client: Address) -> bool:
    """Whether the client's kernel has all that was sent on this loopback connection."""
    sending = _queues(server, client) or _listed(server, client)
    return sending is None or not sending[1]


def is_read(server: Address, client: Address) -> bool:
    """Whether the client has read all that was sent on this loopback connection, or has gone."""
    reading = _queues(client, server) or _listed(client, server)
    return is_acknowledged(server, client) and (reading is None or not reading[0])


def _queues(local: Address, remote: Address) -> tuple[int, int] | None:
    """(unread, unacknowledged) bytes at this end; None where there is no such socket (sock_diag(7))."""
    ports = struct.pack(">HH", local[1], remote[1])
    hosts = socket.inet_aton(local[0]) + bytes(12) + socket.inet_aton(remote[0]) + bytes(12)
    asked = _ASKED.pack(socket.AF_INET, socket.IPPROTO_TCP, 0, 0, _ANY_STATE) + ports + hosts
    asked += struct.pack("=III", 0, _NO_COOKIE, _NO_COOKIE)
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _INET_DIAG) as kernel:
            kernel.send(_HEADER.pack(_HEADER.size + len(asked), _BY_FAMILY, _REQUEST, 1, 0) + asked)
            answer = kernel.recv(4096)
    except OSError as error:
        if error.errno in (errno.EPROTONOSUPPORT, errno.EAFNOSUPPORT, errno.ENOENT):
            return None
        raise
    if _HEADER.unpack_from(answer)[1] == _ERROR:
        return None
    unread, unacknowledged = struct.unpack_from("=II", answer, _QUEUES_AT)
    return unread, unacknowledged


def _listed(local: Address, remote: Address) -> tuple[int, int] | None:
    """The same from the list of all sockets."""
    for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]:
        _, here, there, _, queues, *_ = line.split()
        if [int(each.rpartition(":")[2], 16) for each in (here, there)] == [local[1], remote[1]]:
            unacknowledged, unread = (int(queue, 16) for queue in queues.split(":"))
            return unread, unacknowledged
    return None
