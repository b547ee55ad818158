"""A port on this machine that leads to an address elsewhere.

Of two processes, gloo has the one with the higher address dial. If each is on a machine of its own, their addresses say nothing
about who should, and gloo would wait to be dialled by a process that does not: a port on the loopback address, which is lower
than that where this process listens, makes it dial.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Final

from systems.parts.gloo.front import forward
from torch_drills.addresses import Address

_HOST: Final = "127.0.0.1"


class Relay:
    """Listens at `address`, and leads each connection to another address, for as long as the process runs."""

    def __init__(self, to: Address) -> None:
        self._to = to
        self._server = socket.create_server((_HOST, 0))
        self.address: Address = self._server.getsockname()
        threading.Thread(target=self._accept_all, name="relay", daemon=True).start()

    def _accept_all(self) -> None:
        while True:
            connection, _ = self._server.accept()
            threading.Thread(target=self._lead, args=(connection,), name="relay connection", daemon=True).start()

    def _lead(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):  # it cannot be reached: the connection ends
            forward(connection, self._to)
