"""Systems whose members change while they run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from harness.model.system import Address


@runtime_checkable
class HasMembership(Protocol):
    """A system that nodes can join and leave under load. Every node runs from the start, member or not."""

    async def join(self, node: str, addresses: Mapping[str, Address]) -> str | None:
        """Make a node a member. Returns once that is decided: None, or why it was refused."""

    async def leave(self, node: str, addresses: Mapping[str, Address]) -> str | None:
        """Make a member give up all that it holds. Returns once that is decided: None, or why it was refused."""

    async def holdings(self, addresses: Mapping[str, Address]) -> Mapping[str, int] | None:
        """How much each member holds, in the units that the system hands over; None if it does not say."""
