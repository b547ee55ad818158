"""slow_connect: delays the connection to the upstream, like a full accept queue or a slow handshake."""

from __future__ import annotations

import msgspec

from faults.plane.kind import Kind
from faults.plane.toxics.noop import pass_on


class SlowConnectToxic(msgspec.Struct):
    """`delay` in milliseconds between accepting the client and dialling the upstream."""

    delay: int = 0


def _connect(attributes: SlowConnectToxic) -> int:
    return max(attributes.delay, 0) * 1_000_000


KIND = Kind(attributes=SlowConnectToxic, pipe=pass_on, connect=_connect)
