"""Consistent hashing: nodes own arcs of a ring, so that a node that joins or leaves moves only the keys that it owns."""

from __future__ import annotations

import heapq
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import numpy as np
import xxhash

from harness.model.errors import UsageError
from systems.parts.partitioning.hashing import BITS, MASK, Hashes, Key, all_mixed, key_hash, key_hashes, mixed
from systems.parts.partitioning.members import Member, Members
from systems.parts.partitioning.placement import HashPlacement, Numbers

VIRTUAL_NODES: Final = 150
"""How many points a member of weight 1 has on the ring."""
PROBES: Final = 3
_SIZE: Final = 1 << BITS
_FACTORS: Final = (1, *(mixed(number) | 1 for number in range(1, 64)))
"""A probe looks at the hash times one of these. They are odd, so that no two hashes map to the same place."""
_FEW_POINTS: Final = 1 << 13
_LAST: Final = np.uint64(_SIZE - 1)


@dataclass(frozen=True)
class ConsistentHashing(HashPlacement):
    """Each member has points on a ring; a key belongs to the member of the next point.

    D. Karger et al., "Consistent hashing and random trees", STOC 1997. With 150 points each, the fullest of about ten members
    has about 1.15 times the mean. So a key probes several places, and the point nearest to one of them wins (B. Appleton and M.
    O'Reilly, "Multi-probe consistent hashing", 2015): long arcs then get less than their length, and the fullest member has
    about 1.06 times the mean. A member's points do not depend on other members, so still only keys of members that join or
    leave move. If two points coincide, the member whose name sorts first owns the point, and the other one if the first is
    removed.
    """

    members: Members
    virtual_nodes: int = VIRTUAL_NODES
    probes: int = PROBES

    def __post_init__(self) -> None:
        if self.virtual_nodes < 1:
            raise UsageError(f"ConsistentHashing(virtual_nodes={self.virtual_nodes!r}): a whole number, at least 1.")
        if not 1 <= self.probes <= len(_FACTORS):
            raise UsageError(f"ConsistentHashing(probes={self.probes!r}): a whole number, from 1 to {len(_FACTORS)}.")

    def with_members(self, members: Members) -> ConsistentHashing:
        """The ring for other members. It is derived from this one's points, if those have been computed: most stay."""
        changed = replace(self, members=members)
        if "_ring" in vars(self):
            vars(changed)["_ring"] = changed._ring_from(self)
        return changed

    def owner(self, key: Key) -> str:
        """The node that owns a key. Raises `UsageError` if there is no node."""
        self.members.check_any()
        vars(self)["owner"] = look_up = self._look_up()  # an attribute of the instance from now on, which saves a call
        return look_up(key)

    def number_of(self, hashed: int) -> int:
        return next(self.preference(hashed))

    def numbers_of(self, hashes: Hashes) -> Numbers:
        best, nearest = self._next_points(hashes)
        for factor in _FACTORS[1 : self.probes]:
            at, distance = self._next_points(hashes * np.uint64(factor))
            nearer = distance < nearest
            best = np.where(nearer, at, best)
            nearest = np.where(nearer, distance, nearest)
        return self._ring[1][best]

    def preference(self, hashed: int) -> Iterator[int]:
        walks = [self._walk(hashed * factor & MASK, probe) for probe, factor in enumerate(_FACTORS[: self.probes])]
        seen: set[int] = set()
        for _, _, number in heapq.merge(*walks):
            if number not in seen:
                seen.add(number)
                yield number
                if len(seen) == len(self.members.all):
                    return

    def _walk(self, place: int, probe: int) -> Iterator[tuple[int, int, int]]:
        """The points once around the ring from a place, each as distance, probe and owner."""
        points, owners = self._for_one
        begin, end = bisect_left(points, place), len(points)
        for at in range(begin, end):
            yield points[at] - place, probe, owners[at]
        for at in range(begin):
            yield points[at] + _SIZE - place, probe, owners[at]

    def _next_points(self, places: Hashes) -> tuple[Numbers, Hashes]:
        """The next point after each place, and its distance. A table with the first point for each prefix of bits gets a
        look-up close to its point; few steps remain."""
        points, _ = self._ring
        at = self._starts[places >> np.uint64(BITS - self._table_bits)]
        ends = np.append(points, _LAST)
        behind = np.flatnonzero(ends[at] < places)
        while len(behind):
            at[behind] += 1
            behind = behind[ends[at[behind]] < places[behind]]
        at[at == len(points)] = 0
        return at, points[at] - places

    @cached_property
    def _ring(self) -> tuple[Hashes, Numbers]:
        """The points in order, and the owner of each."""
        return _ordered(*self._points(self.members.all))

    def _ring_from(self, before: ConsistentHashing) -> tuple[Hashes, Numbers]:
        points, owners = before._ring
        new_number = np.full(len(before.members.all), -1)
        for number, member in enumerate(before.members.all):
            if member in self._member_set:
                new_number[number] = self.members.number(member.name)
        owners = new_number[owners]
        stays = owners >= 0
        if not stays.all():
            points, owners = points[stays], owners[stays]
        more, owners_of_more = _ordered(*self._points([one for one in self.members.all if one not in before._member_set]))
        at = np.searchsorted(points, more)
        return _untied(np.insert(points, at, more), np.insert(owners, at, owners_of_more))

    @cached_property
    def _member_set(self) -> frozenset[Member]:
        return frozenset(self.members.all)

    def _points(self, members: Sequence[Member]) -> tuple[Hashes, Numbers]:
        """The points of some members, and the owner of each."""
        counts = np.array([max(1, round(self.virtual_nodes * member.weight)) for member in members], np.int64)
        owners = np.repeat(np.array([self.members.number(member.name) for member in members], np.int64), counts)
        nth = np.arange(len(owners)) - np.repeat(np.cumsum(counts) - counts, counts)
        names = key_hashes([member.name for member in members])
        return all_mixed(np.repeat(names, counts), nth.astype(np.uint64)), owners

    @cached_property
    def _few(self) -> bool:
        """Whether all points, as Python integers, fit into a processor's cache."""
        return len(self._ring[0]) <= _FEW_POINTS

    @cached_property
    def _table_bits(self) -> int:
        return len(self._ring[0]).bit_length() + self._few

    @cached_property
    def _starts(self) -> Numbers:
        first_bits = (self._ring[0] >> np.uint64(BITS - self._table_bits)).view(np.int64)
        of_each = np.bincount(first_bits, minlength=1 << self._table_bits)
        return np.cumsum(of_each) - of_each

    @cached_property
    def _for_one(self) -> tuple[Sequence[int], list[int]]:
        """Points and their owners for look-ups of single keys, for which numpy is slow."""
        points, owners = self._ring
        return points.tolist() if self._few else array("Q", points.tobytes()), owners.tolist()

    def _look_up(self) -> Callable[[Key], str]:
        """A function from a key to its owner that uses only local variables, which halves its time."""
        points, numbers = self._for_one
        every = list(range(len(points) + 1))
        starts: Sequence[int] = [every[start] for start in self._starts.tolist()]
        if not self._few:
            starts = array("I", starts)
        # This sentinel may seem nearer than the first point, once around, really is. If it wins, the key is looked up again.
        points = [*points, MASK] if self._few else array("Q", [*points, MASK])
        names = [*(self.members.names[number] for number in numbers), ""]

        def look_up(
            key: Key,
            points: Sequence[int] = points,
            starts: Sequence[int] = starts,
            shift: int = BITS - self._table_bits,
            mask: int = MASK,
            factors: tuple[int, ...] = _FACTORS[1 : self.probes],
            names: list[str] = names,
            digest: Callable[[bytes], int] = xxhash.xxh3_64_intdigest,
        ) -> str:
            try:
                hashed = digest(key.encode())  # type: ignore[union-attr]  # other keys are handled below
            except AttributeError:
                hashed = key_hash(key)
            best = starts[hashed >> shift]
            while (nearest := points[best] - hashed) < 0:
                best += 1
            for factor in factors:
                place = hashed * factor & mask
                at = starts[place >> shift]
                while (distance := points[at] - place) < 0:
                    at += 1
                if distance < nearest:
                    best, nearest = at, distance
            return names[best] or self.members.names[self.number_of(hashed)]

        return look_up


def _ordered(points: Hashes, owners: Numbers) -> tuple[Hashes, Numbers]:
    """Sort points and their owners by point."""
    order = np.argsort(points)
    return _untied(points[order], owners[order])


def _untied(points: Hashes, owners: Numbers) -> tuple[Hashes, Numbers]:
    """Sorted points with ties broken: of equal points, the first member's comes first."""
    if (points[1:] == points[:-1]).any():
        order = np.lexsort((owners, points))
        return points[order], owners[order]
    return points, owners
