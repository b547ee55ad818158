"""The TCP connections of this process that are gloo's, and what the kernel knows of them."""

from __future__ import annotations

import math
import os
import socket
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from torch_drills.addresses import Address

Ends = Callable[[Address, Address], bool]
"""Whether a connection between these two (own, other) is meant."""

_DESCRIPTORS: Final = Path("/proc/self/fd")
_LAST_DATA_RECEIVED: Final = 52
"""Where `tcpi_last_data_recv` lies in the kernel's `struct tcp_info`: milliseconds, 32 bits."""


def connections(meant: Ends) -> Iterator[socket.socket]:
    """A duplicate of each of this process's connections over IPv4 that is meant: what it says stays true while it is held."""
    for found in _sockets():
        with found:
            try:
                ends = found.getsockname()[:2], found.getpeername()[:2]
            except OSError:  # it listens, or is gone
                continue
            if meant(*ends):
                yield found


def quiet_s(meant: Ends) -> float:
    """For how long nothing has come over any of these connections; infinite if there are none."""
    times_ms = [math.inf]
    for connection in connections(meant):
        information = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _LAST_DATA_RECEIVED + 4)
        times_ms += struct.unpack_from("=I", information, _LAST_DATA_RECEIVED)
    return min(times_ms) / 1e3


def _sockets() -> Iterator[socket.socket]:
    for entry in os.listdir(_DESCRIPTORS):  # noqa: PTH208 - names are all that is wanted
        try:
            if not str((_DESCRIPTORS / entry).readlink()).startswith("socket:"):
                continue
            found = socket.socket(fileno=os.dup(int(entry)))
        except OSError:  # closed meanwhile
            continue
        if found.family == socket.AF_INET and found.type == socket.SOCK_STREAM:
            yield found
        else:
            found.close()
