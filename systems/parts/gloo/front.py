"""One port for both HTTP and gloo, since a link leads to one port and gloo always chooses its own.

The first bytes of a connection show which it is. Gloo's connections are forwarded to gloo's port: the kernel moves the bytes
(`splice`), with one thread per direction.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import socket
import struct
import threading
import time
from collections.abc import Callable
from typing import Final

from torch_drills.addresses import Address

_HTTP: Final = (b"GET ", b"POST", b"PUT ", b"HEAD")
_FIRST_S: Final = 30
"""A connection that has not sent its first bytes after this long is closed."""

_AT_ONCE_BYTES: Final = 1 << 20
_BACKLOG: Final = 256
_PASSES: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.ECONNABORTED})
_ACCEPT_AGAIN_S: Final = 0.02


class Front:
    """Listens on a node's address. HTTP connections go to `http`, in a thread; others to `gloo`, once that is set."""

    def __init__(self, listen: Address, http: Callable[[socket.socket], None]) -> None:
        """Raises `OSError` if the address is taken."""
        self.gloo: Address | None = None
        self._http = http
        self._server = socket.create_server(listen, backlog=_BACKLOG)
        self.port: int = self._server.getsockname()[1]
        accept_all(self._server, self._lead, name="front")

    def close(self) -> None:
        """Stop listening. Existing connections continue."""
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()

    def _lead(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            stack.enter_context(connection)
            _wait_at_most(connection, _FIRST_S)
            first = connection.recv(len(_HTTP[0]), socket.MSG_PEEK | socket.MSG_WAITALL)
            _wait_at_most(connection, 0)
            if first in _HTTP:
                stack.pop_all()
                self._http(connection)
            elif len(first) == len(_HTTP[0]) and self.gloo is not None:
                forward(connection, self.gloo)


def accept_all(server: socket.socket, lead: Callable[[socket.socket], None], *, name: str) -> None:
    """Have each connection led in a thread of its own, until the server is closed. Returns at once.

    Also goes on after the process had too many open files, or a connection was gone before it was accepted.
    """

    def accept() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError as error:
                if error.errno not in _PASSES:  # closed
                    return
                time.sleep(_ACCEPT_AGAIN_S)
                continue
            threading.Thread(target=lead, args=(connection,), name=f"{name} connection", daemon=True).start()

    threading.Thread(target=accept, name=name, daemon=True).start()


def forward(connection: socket.socket, to: Address) -> None:
    """Connect to an address, and move bytes both ways until both ends are done. Raises `OSError` if that cannot be reached."""
    with socket.create_connection(to, timeout=_FIRST_S) as behind:
        behind.settimeout(None)
        for end in (connection, behind):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        back = threading.Thread(target=_move, args=(behind, connection), name="front answer", daemon=True)
        back.start()
        _move(connection, behind)
        back.join()


def _wait_at_most(connection: socket.socket, seconds: float) -> None:
    """Let `recv` give up after this long; 0: never. Python's own timeout would make `splice` non-blocking too."""
    whole = int(seconds)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", whole, int((seconds - whole) * 1e6)))


def _move(source: socket.socket, target: socket.socket) -> None:
    """Move bytes until the source ends, then end the target's stream as well."""
    out, into = os.pipe()
    try:
        fcntl.fcntl(into, fcntl.F_SETPIPE_SZ, _AT_ONCE_BYTES)
        while moved := os.splice(source.fileno(), into, _AT_ONCE_BYTES):
            while moved:
                moved -= os.splice(out, target.fileno(), moved)
    except OSError:  # if one end breaks, break the other
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
    finally:
        os.close(out)
        os.close(into)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)
