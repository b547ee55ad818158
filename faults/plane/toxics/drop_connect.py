"""drop_connect: resets new connections, or some of them if its toxicity is below 1. Open ones are left alone."""

from __future__ import annotations

import msgspec

from faults.plane.kind import Kind
from faults.plane.toxics.noop import pass_on


class DropConnectToxic(msgspec.Struct):
    """It has no attributes of its own."""


def _connect(_: DropConnectToxic) -> None:
    return None


KIND = Kind(attributes=DropConnectToxic, pipe=pass_on, connect=_connect)
