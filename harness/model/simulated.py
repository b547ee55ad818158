"""What a system or a workload may declare for simulation, which draws far more settings and faults than a drill names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Literal, Protocol, TypeVar, runtime_checkable

Harm = Literal["power loss", "failed sync", "full disk", "flipped bit", "flipped bits", "wrong clock"]
"""What a system may have to withstand beyond dead processes and a bad network. Within a run, one node's disk fails, fills up or
loses bits; power and clocks may fail on any node. "flipped bit" is damage once, which a second copy on the same disk mends;
"flipped bits" is more of it before the node has recovered from the last, which takes copies on other nodes."""

T = TypeVar("T")


@runtime_checkable
class Varies(Protocol):
    """A system or a workload that works just as well with other settings."""

    def varied(self: T, random: Random) -> T:
        """A copy with settings drawn from the ranges within which its promises stay the same."""


@runtime_checkable
class Withstands(Protocol):
    """A system that keeps its promises in spite of these harms."""

    @property
    def withstands(self) -> frozenset[Harm]: ...


@runtime_checkable
class HasCores(Protocol):
    """A system that works with only some of its nodes."""

    def cores(self) -> Sequence[Sequence[str]]:
        """Sets of nodes, each of which must answer calls even if all other nodes are dead, or cut off from it."""


@runtime_checkable
class NotSimulated(Protocol):
    """A system whose nodes need more than `NodeContext` gives them."""

    @property
    def why_not_simulated(self) -> str:
        """What they need, in a line that begins in small letters."""


class Invariant(Protocol):
    """Something that always holds over all nodes at once. Each run has its own instance, which may keep state.

    If it raises an error, it is asked no more, and the run's verdict is unknown.
    """

    def broken(self, states: Mapping[str, object]) -> str | None:
        """Why it does not hold, None if it does. `states`: what each running node shows (`node.show`)."""


@runtime_checkable
class Agrees(Invariant, Protocol):
    """An invariant that also knows what nodes must agree about some time after the last call and the last fault."""

    def apart(self, states: Mapping[str, object]) -> str | None:
        """What they do not agree about yet; None if they agree. `states` are those of `Invariant.broken`."""


@runtime_checkable
class HasInvariant(Protocol):
    """A system with an invariant that can be judged only by seeing all its nodes."""

    def invariant(self) -> Invariant:
        """A new instance for one run."""
