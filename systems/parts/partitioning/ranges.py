"""Range partitioning: each node owns ranges of the ordered keys, which keeps neighbours together, but hot spots as well."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from harness.model.errors import UsageError
from systems.parts.partitioning.members import Members


@dataclass(frozen=True)
class KeyRange:
    """The keys from `low` up to, but not including, `high`; the last range, whose `high` is None, has no end."""

    low: str
    high: str | None
    owner: str

    def __contains__(self, key: str) -> bool:
        return self.low <= key and (self.high is None or key < self.high)


@dataclass(frozen=True)
class Ranges:
    """All keys, cut into ranges without gaps. Immutable: a split, a merge or a move returns a new value.

    Text is ordered by code points, as in Python and in UTF-8. After F. Chang et al., "Bigtable", OSDI 2006.
    """

    members: Members
    ranges: tuple[KeyRange, ...]

    def __post_init__(self) -> None:
        if not self.ranges:
            raise UsageError("Ranges without a range: every key needs an owner. Use Ranges.at(…).")
        if self.ranges[0].low or self.ranges[-1].high is not None:
            raise UsageError('The first range begins with "" and the last one ends with None, so that every key is in one.')
        for one in self.ranges:
            self.members.number(one.owner)
            if one.high is not None and one.high <= one.low:
                raise UsageError(f"The range from {one.low!r} to {one.high!r} holds no key: it has to end after it begins.")
        for before, after in pairwise(self.ranges):
            if before.high != after.low:
                what = "overlap" if before.high is None or before.high > after.low else "leave a gap"
                raise UsageError(
                    f"Ranges {what}: one ends with {before.high!r}, the next one begins with {after.low!r}. Make them equal."
                )

    @classmethod
    def at(cls, members: Members, *boundaries: str) -> Ranges:
        """Ranges between these boundaries, which go to the members in turn. Raises `UsageError` if there is no member."""
        members.check_any("range")
        lows, highs = ("", *boundaries), (*boundaries, None)
        owners = [members.names[number % len(members.names)] for number in range(len(lows))]
        return cls(members, tuple(map(KeyRange, lows, highs, owners)))

    def range_of(self, key: str) -> KeyRange:
        return self.ranges[bisect_right(self._lows, key) - 1]

    def owner(self, key: str) -> str:
        return self.range_of(key).owner

    def owners(self, key: str, count: int) -> tuple[str, ...]:
        """The key's owner, then the members that follow it by name, for its replicas; all in distinct zones."""
        first, total = self.members.number(self.owner(key)), len(self.members.all)
        return self.members.chosen(((first + step) % total for step in range(total)), count)

    def between(self, low: str, high: str | None = None) -> tuple[KeyRange, ...]:
        """The ranges that hold keys from `low` up to, but not including, `high`."""
        end = len(self.ranges) if high is None else bisect_left(self._lows, high)
        return self.ranges[bisect_right(self._lows, low) - 1 : end]

    def split(self, at: str, owner: str | None = None) -> Ranges:
        """Split the range that holds `at` there; the second part goes to `owner`, or keeps its owner."""
        cut = self.range_of(at)
        if cut.low == at:
            raise UsageError(f"A range begins with {at!r} already. Split at a key within one.")
        parts = (KeyRange(cut.low, at, cut.owner), KeyRange(at, cut.high, owner or cut.owner))
        return self._replaced(cut, parts)

    def merge(self, at: str) -> Ranges:
        """Merge the range that begins with `at` into the one before it. They must have the same owner."""
        number = bisect_left(self._lows, at)
        if not at or number == len(self._lows) or self._lows[number] != at:
            raise UsageError(f"No two ranges meet at {at!r}. They meet at: {', '.join(map(repr, self._lows[1:])) or 'none'}.")
        before, after = self.ranges[number - 1 : number + 1]
        if before.owner != after.owner:
            raise UsageError(f"The ranges that meet at {at!r} belong to {before.owner!r} and {after.owner!r}. Move one first.")
        joined = KeyRange(before.low, after.high, before.owner)
        return Ranges(self.members, (*self.ranges[: number - 1], joined, *self.ranges[number + 1 :]))

    def moved(self, low: str, owner: str) -> Ranges:
        """The range that holds `low` goes to another member."""
        held = self.range_of(low)
        return self._replaced(held, (KeyRange(held.low, held.high, owner),))

    def with_members(self, members: Members) -> Ranges:
        """Ranges of removed members go to the members with the fewest, and new members take ranges from those with the most.

        No other range moves. Among equals, the first by name gives or takes.
        """
        members.check_any("range")
        owners = [one.owner if one.owner in members.names else None for one in self.ranges]
        held = Counter(dict.fromkeys(members.names, 0))
        held.update(owner for owner in owners if owner is not None)
        for number, owner in enumerate(owners):
            if owner is None:
                owners[number] = fewest = min(members.names, key=lambda name: held[name])
                held[fewest] += 1
        for name in members.names:
            while name not in self.members.names and (most := max(members.names, key=lambda one: held[one])) != name:
                if held[most] - held[name] < 2:
                    break
                owners[len(owners) - 1 - owners[::-1].index(most)] = name
                held[most] -= 1
                held[name] += 1
        given = (KeyRange(one.low, one.high, owner or "") for one, owner in zip(self.ranges, owners, strict=True))
        return Ranges(members, tuple(given))

    def _replaced(self, old: KeyRange, new: Sequence[KeyRange]) -> Ranges:
        number = self.ranges.index(old)
        return Ranges(self.members, (*self.ranges[:number], *new, *self.ranges[number + 1 :]))

    @cached_property
    def _lows(self) -> list[str]:
        return [one.low for one in self.ranges]


def hot_ranges(ranges: Ranges, loads: Mapping[str, float], factor: float = 2.0) -> tuple[KeyRange, ...]:
    """The ranges with more than `factor` times the mean load, the hottest first. `loads` is by key."""
    sums: Counter[KeyRange] = Counter()
    for key, load in loads.items():
        sums[ranges.range_of(key)] += load  # type: ignore[assignment]  # a Counter adds any numbers
    mean = sum(loads.values()) / len(ranges.ranges)
    return tuple(one for one, load in sums.most_common() if load > factor * mean)


def split_point(hot: KeyRange, loads: Mapping[str, float]) -> str | None:
    """The key at which to split a range so that its parts have about equal loads; None if one key has all the load."""
    keys = sorted(key for key in loads if key in hot)
    total, before, best, apart = sum(loads[key] for key in keys), 0.0, None, float("inf")
    for one, key in pairwise(keys):
        before += loads[one]
        if abs(2 * before - total) < apart:
            best, apart = key, abs(2 * before - total)
    return best
