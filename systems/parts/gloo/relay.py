"""A port on this machine that leads to an address elsewhere.

Of two processes, gloo has the one with the higher address dial. If each is on a machine of its own, their addresses say nothing
about who should, and gloo would wait to be dialled by a process that does not: a port on the loopback address, which is lower
than that where this process listens, makes it dial.
"""

from __future__ import annotations

import contextlib
import socket
from typing import Final

from systems.parts.gloo.front import accept_all, forward
from torch_drills.addresses import Address

_HOST: Final = "127.0.0.1"


class Relay:
    """Listens at `address`, and leads each connection to another address, for as long as the process runs."""

    def __init__(self, to: Address) -> None:
        self._to = to
        self._server = socket.create_server((_HOST, 0))
        self.address: Address = self._server.getsockname()
        accept_all(self._server, self._lead, name="relay")

    def _lead(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):  # it cannot be reached: the connection ends
            forward(connection, self._to)
