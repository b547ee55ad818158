"""What a system, or a workload, may say of itself to a simulation, which draws far more than a drill asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Literal, Protocol, TypeVar, runtime_checkable

Harm = Literal["power loss", "failed sync", "full disk", "flipped bit", "wrong clock"]
"""What a system may have to withstand beyond dead processes and a bad network. Disks fail, are full and lose bits on one node
of a run; power and clocks fail anywhere."""

T = TypeVar("T")


@runtime_checkable
class Varies(Protocol):
    """A system or a workload with settings of which others are just as right."""

    def varied(self: T, random: Random) -> T:
        """The same with settings drawn from the ranges within which it promises the same."""


@runtime_checkable
class Withstands(Protocol):
    """A system that promises the same in spite of these."""

    @property
    def withstands(self) -> frozenset[Harm]: ...


@runtime_checkable
class HasCores(Protocol):
    """A system that works with some of its nodes alone."""

    def cores(self) -> Sequence[Sequence[str]]:
        """Sets of nodes each of which has to answer, whoever of the others is dead."""


class Invariant(Protocol):
    """Holds at any moment, over all nodes at once. One object sees one run, so it may remember."""

    def broken(self, states: Mapping[str, object]) -> str | None:
        """Why it does not hold, None if it does. `states`: of each node that runs, what it shows (`node.show`)."""


@runtime_checkable
class HasInvariant(Protocol):
    """A system with something that only one who sees all its nodes can judge."""

    def invariant(self) -> Invariant:
        """A new one, for one run."""
