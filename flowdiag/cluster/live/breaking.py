"""Requests that another thread can break off, so that an interrupt need not wait until a silent server is given up.

A thread that waits for bytes notices nothing but the end of its connection.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from threading import Lock
from typing import Any
from weakref import WeakSet

__all__ = ["Breaker"]


class Breaker:
    """The connections of one API client, and their end.  Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._connections: WeakSet[Any] = WeakSet()
        self._broken = False

    def watch(self, manager: Any) -> None:
        """Know every connection that a pool manager of urllib3 makes from now on."""
        manager.pool_classes_by_scheme = {
            scheme: type(pool.__name__, (pool,), {"ConnectionCls": self._known(pool.ConnectionCls)})
            for scheme, pool in manager.pool_classes_by_scheme.items()
        }

    def add(self, connection: Any) -> None:
        """Know a connection; it has its socket as ``sock``, ``None`` while there is none.

        Raises:
            OSError: all is broken off.
        """
        with self._lock:
            if self._broken:
                raise ConnectionAbortedError("broken off")
            self._connections.add(connection)

    def break_off(self) -> None:
        """End all connections, and let nobody make another."""
        with self._lock:
            self._broken = True
            known = list(self._connections)
        for connection in known:
            sock = getattr(connection, "sock", None)
            if sock is not None:
                with suppress(OSError):
                    # The socket below TLS is closed: TLS' own goodbye would wait for the thread that reads.
                    socket.socket.shutdown(getattr(sock, "socket", sock), socket.SHUT_RDWR)

    def _known(self, connection: type[Any]) -> type[Any]:
        def connect(one: Any) -> None:
            self.add(one)
            connection.connect(one)

        return type(connection.__name__, (connection,), {"connect": connect})
