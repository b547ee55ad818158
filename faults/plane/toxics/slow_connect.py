"""slow_connect: connects to the upstream only after a while. Full accept queues, a slow handshake, a far-away service."""

from __future__ import annotations

import msgspec

from faults.plane.kind import Kind
from faults.plane.toxics.noop import pass_on


class SlowConnectToxic(msgspec.Struct):
    """Milliseconds between the client's connect and the upstream's."""

    delay: int = 0


def _connect(attributes: SlowConnectToxic) -> int:
    return max(attributes.delay, 0) * 1_000_000


KIND = Kind(attributes=SlowConnectToxic, pipe=pass_on, connect=_connect)
