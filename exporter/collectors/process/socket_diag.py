"""The TCP sockets of this network namespace, asked of the kernel by netlink (sock_diag(7)).

/proc/net/tcp has the same, but for every 4 KiB of it that are read the kernel walks its whole connection
table. The walk is what costs (262,144 buckets: 0.2 to 1.5 ms from machine to machine), so it is done once:
the older request, TCPDIAG_GETSOCK, is answered for IPv4 and IPv6 together. Listening sockets are in a small
table of their own, and a known socket can be asked for by itself: neither takes a walk.
"""

import errno
import socket
import struct
from collections.abc import Iterator, Sequence
from typing import NamedTuple

_NETLINK_SOCK_DIAG = 4
_TCPDIAG_GETSOCK = 18  # linux/inet_diag.h
_SOCK_DIAG_BY_FAMILY = 20  # linux/sock_diag.h
_NLMSG_ERROR, _NLMSG_DONE = 2, 3
_NLM_F_REQUEST, _NLM_F_REQUEST_DUMP = 1, 0x301
_HEADER = struct.Struct("=IHHII")  # nlmsghdr: length, type, flags, sequence, port
_DUMP = struct.Struct("=4x48xI4x")  # inet_diag_req: family and lengths, socket id, states, database
_ASK = struct.Struct("=BBxxI48s")  # inet_diag_req_v2: family, protocol, extensions, states, socket id
_SOCKET = struct.Struct("=BBxx48s16xI")  # inet_diag_msg: family, state, socket id (cookie included), inode
_PORT = struct.Struct("!H")  # the first of a socket id: the local port, in network order
_TIMEOUT_SECONDS = 1.0

LISTEN = 10
ALL_STATES = 0xFFE & ~(1 << 6)
"""Mask of every state but time_wait: such a socket belongs to no process."""
MAX_ASKED = 64
"""at a time by ask_tcp: the answers wait in the kernel's buffer, which has room for twice as many"""


class TcpSocket(NamedTuple):
    """A socket: `state` is the kernel's number, `inode` 0 for one that no process has.

    Its family and `socket_id`, addresses and cookie, are the same for as long as it is connected.
    """

    family: int
    state: int
    socket_id: bytes
    inode: int

    @property
    def local_port(self) -> int:
        """The port on this host."""
        (port,) = _PORT.unpack_from(self.socket_id)
        return int(port)


def dump_tcp(states: int) -> list[TcpSocket]:
    """The IPv4 and IPv6 sockets in one of `states` (a mask of 1 << number).

    Raises OSError where the kernel has no sock_diag or does not let this process ask.
    """
    with _open() as netlink:
        netlink.send(_message(_TCPDIAG_GETSOCK, _NLM_F_REQUEST_DUMP, _DUMP.pack(states)))
        found: list[TcpSocket] = []
        while True:
            for answer in _answers(netlink):
                if answer is None:
                    return found
                found.append(answer)


def ask_tcp(known: Sequence[TcpSocket]) -> list[TcpSocket] | None:
    """These sockets, at most MAX_ASKED, as they are now; None where one of them is not there any more.

    Raises OSError as dump_tcp does.
    """
    with _open() as netlink:
        asked = (_ASK.pack(each.family, socket.IPPROTO_TCP, ALL_STATES, each.socket_id) for each in known)
        netlink.send(b"".join(_message(_SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST, body) for body in asked))
        found: list[TcpSocket] = []
        try:
            while len(found) < len(known):
                found += (answer for answer in _answers(netlink) if answer is not None)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ESTALE):
                return None
            raise
        return found


def _open() -> socket.socket:
    netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_SOCK_DIAG)
    netlink.settimeout(_TIMEOUT_SECONDS)
    return netlink


def _message(kind: int, flags: int, body: bytes) -> bytes:
    return _HEADER.pack(_HEADER.size + len(body), kind, flags, 1, 0) + body


def _answers(netlink: socket.socket) -> Iterator[TcpSocket | None]:
    """What is in the next datagram: sockets, and None for the end of a dump."""
    data = netlink.recv(1 << 16)
    at = 0
    while at < len(data):
        size, kind, _, _, _ = _HEADER.unpack_from(data, at)
        body = at + _HEADER.size
        if kind == _NLMSG_ERROR:
            (negative,) = struct.unpack_from("=i", data, body)
            raise OSError(-negative, "sock_diag refused")
        yield None if kind == _NLMSG_DONE else TcpSocket(*_SOCKET.unpack_from(data, body))
        at += (size + 3) & ~3
