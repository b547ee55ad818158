"""Which ranks and which states are not to be trusted any more, as the coordinator keeps it on its disk."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

import msgspec

from harness.node.disk import Disk
from systems.training.membership import Group
from systems.training.messages import NO_STATE, Accused

_FILE: Final = "distrusted"

_ONCE: Final = 1
"""So often a rank's memory may change by itself before it is left out for good. One that computes wrongly is at once."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Ranks that all others of their group say are wrong."""

    names: tuple[str, ...]
    by: tuple[str, ...]
    why: str
    since: int | None
    """The first step that may be wrong by them; None: none is."""


class _Kept(msgspec.Struct, kw_only=True):
    out: set[str] = msgspec.field(default_factory=set)
    changed: dict[str, int] = msgspec.field(default_factory=dict)
    limits: dict[str, int] = msgspec.field(default_factory=dict)
    voids: list[tuple[int, int]] = msgspec.field(default_factory=list)
    withdraw: int | None = None
    finding: Finding | None = None


class Distrust:
    """What members have said of one another, and what follows from it. It is on the disk before it counts."""

    def __init__(self, disk: Disk, ranks: Collection[str]) -> None:
        self._disk = disk
        self._ranks = tuple(ranks)
        stored = disk.read(_FILE)
        self._kept = msgspec.json.decode(stored, type=_Kept) if stored else _Kept()
        self._said: dict[str, Accused] = {}
        self._generation = 0
        self._found_in = 0

    def accused(self, said: Accused, group: Group | None) -> Finding | None:
        """A member has said that others are wrong. What is found, once all the rest of their group has said the same.

        There is one finding a generation, which it ends.
        """
        if group is None or said.generation != group.generation or said.generation == self._found_in:
            return None
        if said.generation != self._generation:
            self._generation, self._said = said.generation, {}
        self._said[said.by] = said
        rest = [name for name in group.members if name not in said.names]
        agreeing = [self._said[name] for name in rest if name in self._said and self._said[name].names == said.names]
        if not rest or len(agreeing) < len(rest):
            return None
        sinces = [one.since for one in agreeing if one.since is not None]
        found = Finding(names=said.names, by=tuple(rest), why=said.why, since=min(sinces, default=None))
        self._found_in = self._generation
        self._keep(found)
        return found

    def _keep(self, found: Finding) -> None:
        kept = self._kept
        kept.finding = found
        if found.since is not None:
            kept.out |= set(found.names)
            kept.voids.append((self._generation, found.since))
            kept.withdraw = found.since if kept.withdraw is None else min(found.since, kept.withdraw)
            for name in self._ranks:
                kept.limits[name] = min(found.since, kept.limits.get(name, found.since))
        for name in found.names:
            kept.limits[name] = NO_STATE
            kept.changed[name] = kept.changed.get(name, 0) + 1
            if kept.changed[name] > _ONCE:
                kept.out.add(name)
        self._write()

    def without(self, names: Iterable[str]) -> list[str]:
        """Those of some ranks that may be in a group."""
        return [name for name in names if name not in self._kept.out]

    def limits(self, members: Iterable[str]) -> dict[str, int]:
        """How many steps the state of a member may be the result of, for those of whom not every state is trusted."""
        return {name: self._kept.limits[name] for name in members if name in self._kept.limits}

    def void(self, generation: int, step: int) -> bool:
        """Whether a checkpoint that was begun in this generation may have wrong steps in it."""
        return any(generation <= other and step > since for other, since in self._kept.voids)

    @property
    def finding(self) -> Finding | None:
        """The last finding, until a group has trained without those that it names."""
        return self._kept.finding

    @property
    def to_withdraw(self) -> int | None:
        """Checkpoints of more steps than this are to be withdrawn; None: none are."""
        return self._kept.withdraw

    def withdrawn(self) -> None:
        """They are."""
        self._kept.withdraw = None
        self._write()

    def pending(self, group: Group | None) -> bool:
        """Whether members of a group have not been known to hold a state that can be trusted."""
        return group is not None and any(name in self._kept.limits for name in group.members)

    def settled(self, group: Group | None) -> None:
        """All members of a group have come to hold the same state, within their limits."""
        for name in group.members if group else ():
            self._kept.limits.pop(name, None)
        self._kept.finding = None
        self._write()

    def _write(self) -> None:
        self._disk.replace(_FILE, msgspec.json.encode(self._kept))
