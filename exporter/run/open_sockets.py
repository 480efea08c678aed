"""The sockets behind a session of requests, so that another thread can end what is read from them."""

import socket
import threading
import weakref
from contextlib import suppress
from typing import Any

import requests
from requests.adapters import HTTPAdapter


class OpenSockets:
    """The connections that one session opens, from before their TLS to their end."""

    def __init__(self, session: requests.Session) -> None:
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        weakref.finalize(self, _close, self._sockets)
        for adapter in session.adapters.values():
            if isinstance(adapter, HTTPAdapter):
                manager: Any = adapter.poolmanager
                manager.pool_classes_by_scheme = {
                    scheme: _noting(pool, self._note)
                    for scheme, pool in manager.pool_classes_by_scheme.items()
                }

    def end(self) -> None:
        """Shut every one down: who reads from it reads its end."""
        with self._lock:
            for each in self._sockets:
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
            _close(self._sockets)

    def _note(self, opened: socket.socket) -> None:
        with self._lock:
            # One server is asked one thing at a time: a new connection takes the place of the one before.
            _close(self._sockets)
            # A second descriptor of it: TLS takes the first away.
            self._sockets.append(opened.dup())


def _close(sockets: list[socket.socket]) -> None:
    for each in sockets:
        each.close()
    sockets.clear()


def _noting(pool: Any, note: Any) -> Any:
    """A pool of urllib3 whose connections tell `note` of their sockets."""

    class Connection(pool.ConnectionCls):  # type: ignore[misc]
        def _new_conn(self) -> socket.socket:
            opened: socket.socket = super()._new_conn()
            note(opened)
            return opened

    return type(pool.__name__, (pool,), {"ConnectionCls": Connection})
