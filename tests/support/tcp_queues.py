"""What the client of a loopback connection has had and has read, as the kernel says it (sock_diag(7))."""

import errno
import socket
import struct
from dataclasses import dataclass
from pathlib import Path

_INET_DIAG = 4
_BY_FAMILY, _REQUEST, _ERROR = 20, 1, 2
_INFO = 2
"""the attribute that is a struct tcp_info"""
_RECEIVED_AT = 128
"""tcpi_bytes_received in it"""
_ANY_STATE = _NO_COOKIE = 0xFFFFFFFF
_HEADER = struct.Struct("=IHHII")
_ASKED = struct.Struct("=BBBBI")
_UNREAD_AT = _HEADER.size + 4 + 48 + 4
_ATTRIBUTES_AT = _HEADER.size + 72
Address = tuple[str, int]


@dataclass(frozen=True)
class Client:
    """The client's end of a connection, as it is now."""

    has_all: bool
    """all that was sent has come to its kernel"""
    unread: int
    """bytes of that"""


def client_of(client: Address, server: Address, sent: int) -> Client | None:
    """The client's end, where `sent` bytes were sent on the connection; None where it is gone."""
    found = _asked(client, server)
    if found is not None:
        unread, received = found
        return Client(received >= sent, unread)
    # Gone, or the kernel cannot be asked so: then the server's own end, which is there, is not found either.
    listed, own = _listed(client, server), _listed(server, client)
    if listed is None or _asked(server, client) is not None:
        return None
    return Client(own is None or not own[1], listed[0])


def _asked(local: Address, remote: Address) -> tuple[int, int] | None:
    """(unread, received in all) bytes of the socket; None where there is none."""
    ports = struct.pack(">HH", local[1], remote[1])
    hosts = socket.inet_aton(local[0]) + bytes(12) + socket.inet_aton(remote[0]) + bytes(12)
    asked = _ASKED.pack(socket.AF_INET, socket.IPPROTO_TCP, 1 << (_INFO - 1), 0, _ANY_STATE) + ports + hosts
    asked += struct.pack("=III", 0, _NO_COOKIE, _NO_COOKIE)
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _INET_DIAG) as kernel:
            kernel.send(_HEADER.pack(_HEADER.size + len(asked), _BY_FAMILY, _REQUEST, 1, 0) + asked)
            answer = kernel.recv(8192)
    except OSError as error:
        if error.errno in (errno.EPROTONOSUPPORT, errno.EAFNOSUPPORT, errno.ENOENT):
            return None
        raise
    size, kind, *_ = _HEADER.unpack_from(answer)
    if kind == _ERROR:
        return None
    (unread,) = struct.unpack_from("=I", answer, _UNREAD_AT)
    place = _ATTRIBUTES_AT
    while place < size:
        length, attribute = struct.unpack_from("=HH", answer, place)
        if attribute == _INFO and length >= 4 + _RECEIVED_AT + 8:
            (received,) = struct.unpack_from("=Q", answer, place + 4 + _RECEIVED_AT)
            return unread, received
        place += (length + 3) & ~3
    return None


def _listed(local: Address, remote: Address) -> tuple[int, int] | None:
    """(unread, unacknowledged) bytes of the socket in the list of all."""
    for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]:
        _, here, there, _, queues, *_ = line.split()
        if [int(each.rpartition(":")[2], 16) for each in (here, there)] == [local[1], remote[1]]:
            unacknowledged, unread = (int(queue, 16) for queue in queues.split(":"))
            return unread, unacknowledged
    return None
