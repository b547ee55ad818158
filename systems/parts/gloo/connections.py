"""This process's gloo connections, and what the kernel knows about them."""

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
"""Whether a connection between these two ends (own, other) matches."""

_DESCRIPTORS: Final = Path("/proc/self/fd")
_LAST_DATA_RECEIVED: Final = 52
"""The offset of `tcpi_last_data_recv` in the kernel's `struct tcp_info`: milliseconds, 32 bits."""


def connections(meant: Ends) -> Iterator[socket.socket]:
    """A duplicate of each matching IPv4 connection of this process; its descriptor stays valid while the caller holds it."""
    for found in _sockets():
        with found:
            try:
                ends = found.getsockname()[:2], found.getpeername()[:2]
            except OSError:  # it listens, or was closed
                continue
            if meant(*ends):
                yield found


def quiet_s(meant: Ends) -> float:
    """How long none of these connections has received anything, in seconds; infinite if there are none."""
    times_ms = [math.inf]
    for connection in connections(meant):
        information = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _LAST_DATA_RECEIVED + 4)
        times_ms += struct.unpack_from("=I", information, _LAST_DATA_RECEIVED)
    return min(times_ms) / 1e3


def _sockets() -> Iterator[socket.socket]:
    for entry in os.listdir(_DESCRIPTORS):  # noqa: PTH208 - only names are needed
        try:
            if not str((_DESCRIPTORS / entry).readlink()).startswith("socket:"):
                continue
            duplicate = os.dup(int(entry))
        except OSError:  # closed meanwhile
            continue
        try:
            found = socket.socket(fileno=duplicate)
        except OSError:  # closed meanwhile, and its number was given to something else
            os.close(duplicate)
            continue
        if found.family == socket.AF_INET and found.type == socket.SOCK_STREAM:
            yield found
        else:
            found.close()
