"""Ending a collective that would wait for somebody who does not come."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from torch_drills.addresses import Address

_DESCRIPTORS: Final = Path("/proc/self/fd")


def abort(is_gloos: Callable[[Address, Address], bool]) -> int:
    """Shut down every TCP connection of this process that is gloo's, by its two ends (own, other); returns how many there were.

    A collective blocked on them raises within milliseconds, in whichever thread it is; torch's own abort unblocks no gloo
    collective, and its timeout, 30 minutes unless set, is what is left otherwise. Call it from another thread. The others see
    the connections end, so no rank can send or take anything of this collective afterwards, also one that stands still now.
    """
    shut = 0
    for connection in _connections():
        with connection:
            try:
                ends = connection.getsockname()[:2], connection.getpeername()[:2]
            except OSError:  # it listens, or is gone
                continue
            if is_gloos(*ends):
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:  # gone meanwhile
                    continue
                shut += 1
    return shut


def _connections() -> Iterator[socket.socket]:
    """A duplicate of every TCP socket over IPv4 of this process: what it says of itself stays true while it is held."""
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
