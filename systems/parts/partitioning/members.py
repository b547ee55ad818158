"""The nodes among which keys are partitioned: their names, weights and zones."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from harness.model.errors import UsageError


@dataclass(frozen=True, order=True)
class Member:
    """A node. A node of weight 2 should own twice as much as one of weight 1."""

    name: str
    weight: float = 1.0
    zone: str = ""
    """Its failure domain: a rack, a data centre. Either all members have a zone, or none has."""

    def __post_init__(self) -> None:
        if not self.name:
            raise UsageError("A member without a name: give each a name of its own.")
        if not (math.isfinite(self.weight) and self.weight > 0):
            raise UsageError(f"Member({self.name!r}, weight={self.weight!r}): must be a number above 0. Remove it instead.")


@dataclass(frozen=True)
class Members:
    """Nodes sorted by name, so that the order in which they were given does not matter."""

    all: tuple[Member, ...] = ()

    def __post_init__(self) -> None:
        ordered = tuple(sorted(self.all))
        object.__setattr__(self, "all", ordered)
        for one, other in pairwise(ordered):
            if one.name == other.name:
                raise UsageError(f"There are two members called {one.name!r}. Each needs a name of its own.")
        without = [member.name for member in ordered if not member.zone]
        if 0 < len(without) < len(ordered):
            raise UsageError(f"{without[0]!r} has no zone, and other members have one. Give all of them a zone, or none.")

    @classmethod
    def named(cls, *names: str) -> Members:
        """Members of weight 1, without zones."""
        return cls(tuple(map(Member, names)))

    def added(self, *members: Member) -> Members:
        """These and more members. Raises `UsageError` if a name is taken."""
        for member in members:
            if member.name in self.names:
                raise UsageError(f"{member.name!r} is a member already. Remove it first, or use another name.")
        return Members((*self.all, *members))

    def removed(self, *names: str) -> Members:
        """These members without some. Raises `UsageError` if one of them is not a member."""
        for name in names:
            self.number(name)
        return Members(tuple(member for member in self.all if member.name not in names))

    def check_any(self, what: str = "key") -> None:
        """Raise `UsageError` if there is no member."""
        if not self.all:
            raise UsageError(f"There are no members, so no {what} has an owner. Add a member.")

    def number(self, name: str) -> int:
        """The position of a member. Raises `UsageError` if there is none of that name."""
        if name not in self._numbers:
            raise UsageError(f"There is no member {name!r}. There are: {', '.join(self.names) or 'none'}.")
        return self._numbers[name]

    @cached_property
    def names(self) -> tuple[str, ...]:
        return tuple(member.name for member in self.all)

    @cached_property
    def zones(self) -> frozenset[str]:
        """All zones; empty if members have none."""
        return frozenset(member.zone for member in self.all if member.zone)

    @cached_property
    def weight(self) -> float:
        """The total weight."""
        return math.fsum(member.weight for member in self.all)

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {member.name: number for number, member in enumerate(self.all)}

    def chosen(self, preference: Iterable[int], count: int) -> tuple[str, ...]:
        """The first `count` members of a preference, no two in one zone.

        Raises `UsageError` if there are too few members or zones.
        """
        if not 1 <= count <= len(self.all):
            raise UsageError(f"{count} owners of a key were asked for; there are {len(self.all)} members, so 1 to that many.")
        if self.zones and count > len(self.zones):
            raise UsageError(
                f"{count} owners of a key were asked for, each in another zone; there are {len(self.zones)} zones."
                " Ask for fewer, or add a zone."
            )
        names: list[str] = []
        taken: set[str] = set()
        for number in preference:
            member = self.all[number]
            if member.zone not in taken:
                names.append(member.name)
                if member.zone:
                    taken.add(member.zone)
                if len(names) == count:
                    break
        return tuple(names)
