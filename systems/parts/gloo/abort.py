"""Ending a collective that would wait for somebody who does not come."""

from __future__ import annotations

import socket

from systems.parts.gloo.connections import Ends, connections


def abort(is_gloos: Ends) -> int:
    """Shut down every TCP connection of this process that is gloo's, by its two ends (own, other); returns how many there were.

    A collective blocked on them raises within milliseconds, in whichever thread it is; torch's own abort unblocks no gloo
    collective, and its timeout, 30 minutes unless set, is what is left otherwise. Call it from another thread. The others see
    the connections end, so no rank can send or take anything of this collective afterwards, also one that stands still now.
    """
    shut = 0
    for connection in connections(is_gloos):
        try:
            connection.shutdown(socket.SHUT_RDWR)
        except OSError:  # gone meanwhile
            continue
        shut += 1
    return shut
