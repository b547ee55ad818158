"""A toxic of a proxy."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Literal

import msgspec

from faults.plane.kind import Kind, Shared
from faults.plane.scope import Scope

Direction = Literal["upstream", "downstream"]


@dataclass(slots=True, eq=False)
class Toxic:
    """A toxic on one stream of a proxy. `stream` is the direction as the client has spelled it."""

    name: str
    type: str
    stream: str
    direction: Direction
    toxicity: float
    kind: Kind
    attributes: msgspec.Struct
    scope: Scope = field(default_factory=Scope)
    shared: Shared = field(default_factory=Shared)
    waiting: set[asyncio.Future[None]] = field(default_factory=set)
    """New connections that it delays before their upstream is dialled."""
    connections: int = 0
    """How many connections it has met."""

    def count_connection(self) -> int:
        """Count a connection that it meets; returns its number, from 1."""
        self.connections += 1
        return self.connections

    def release_waiting(self) -> None:
        """Let the delayed connections go on."""
        for future in self.waiting:
            release(future)


def release(waiting: asyncio.Future[None]) -> None:
    """Let the waiter go on, if it still waits."""
    if not waiting.done():
        waiting.set_result(None)
