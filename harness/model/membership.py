"""Systems whose members change while they run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from harness.model.system import Address


@runtime_checkable
class HasMembership(Protocol):
    """A system that nodes can join and leave under load. Each node is there from the start, member or not."""

    async def join(self, node: str, addresses: Mapping[str, Address]) -> str | None:
        """Have a node become a member. Returns as soon as that is decided; why it was not, None if it was."""

    async def leave(self, node: str, addresses: Mapping[str, Address]) -> str | None:
        """Have a member give up all that it holds. Returns as soon as that is decided; why it was not, None if it was."""

    async def holdings(self, addresses: Mapping[str, Address]) -> Mapping[str, int] | None:
        """How much each member holds, in whatever the system hands over; None if it does not say."""
