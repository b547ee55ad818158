"""Ends a collective that would wait for a peer that never comes."""

from __future__ import annotations

import socket

from systems.parts.gloo.connections import Ends, connections


def abort(is_gloos: Ends) -> int:
    """Shut down this process's gloo connections, identified by their two ends (own, other); returns how many there were.

    A collective that is blocked on them raises within milliseconds, in whichever thread it runs. torch's own abort does not
    unblock gloo collectives; without this, only the timeout does (30 minutes by default). Call it from another thread. The
    peers see the connections end, so no rank can send or receive anything of this collective afterwards, not even one that is
    frozen now.
    """
    shut = 0
    for connection in connections(is_gloos):
        try:
            connection.shutdown(socket.SHUT_RDWR)
        except OSError:  # closed meanwhile
            continue
        shut += 1
    return shut
