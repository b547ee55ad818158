"""Packets between nodes in network namespaces: which are dropped, which are slowed, and the counts of both."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec


@dataclass(frozen=True)
class Flow:
    """Packets from one host to another; None is any host."""

    source: str | None
    target: str | None

    def __str__(self) -> str:
        return f"{self.source or 'anyone'} to {self.target or 'anyone'}"


@dataclass(frozen=True)
class Dropped:
    """The packets and bytes dropped of one flow."""

    packets: int
    bytes: int


@dataclass(frozen=True)
class Carried:
    """The bytes of one flow that reached the router, and those that it sent on; headers included."""

    received_bytes: int
    sent_bytes: int


class Shaping(msgspec.Struct, frozen=True):
    """The effect of a rate limit in one direction, as tc counts it."""

    kind: str
    bytes: int = 0
    overlimits: int = 0
    """How often a packet had to wait."""
    drops: int = 0
