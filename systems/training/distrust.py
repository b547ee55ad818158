"""The ranks and states that are no longer trusted, as the coordinators keep them in the ledger."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Final

import msgspec

from systems.parts.checkpoint.manifest import Withdrawn, is_withdrawn
from systems.training.ledger import Ledger
from systems.training.membership import Group
from systems.training.messages import NO_STATE, Accused

_RECORD: Final = "distrusted"

_ONCE: Final = 1
"""How often a rank's memory may change by itself before it is excluded for good. Computing wrongly excludes it at once."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Ranks that all other members of their group call wrong."""

    names: tuple[str, ...]
    by: tuple[str, ...]
    why: str
    since: int | None
    """The first step that they may have spoilt; None: none."""


class _Kept(msgspec.Struct, kw_only=True):
    out: set[str] = msgspec.field(default_factory=set)
    changed: dict[str, int] = msgspec.field(default_factory=dict)
    limits: dict[str, int] = msgspec.field(default_factory=dict)
    withdrawn: list[Withdrawn] = msgspec.field(default_factory=list)
    withdraw: int | None = None
    finding: Finding | None = None
    generation: int = 0
    """The last one before the finding: the states of its group, and of those before, may be the wrong ones."""


class Distrust:
    """The accusations of members, and their consequences. A finding is in the ledger before it counts: see `keep`."""

    def __init__(self, ledger: Ledger, ranks: Collection[str], kept: _Kept) -> None:
        """Call `read` instead."""
        self._ledger = ledger
        self._ranks = tuple(ranks)
        self._kept = kept
        self._said: dict[str, Accused] = {}
        self._generation = 0
        self._found_in = 0

    @classmethod
    async def read(cls, ledger: Ledger, ranks: Collection[str]) -> Distrust:
        """What the ledger says. Raises what its `read` does."""
        stored = await ledger.read(_RECORD)
        return cls(ledger, ranks, msgspec.json.decode(stored, type=_Kept) if stored else _Kept())

    def accused(self, said: Accused, group: Group | None) -> Finding | None:
        """Note that a member calls others wrong. Returns the finding once all the rest of their group has said the same.

        A generation has at most one finding, which ends it.
        """
        if group is None or said.generation != group.generation or said.generation == self._found_in or self.concerns(group):
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
        return found

    async def keep(self, found: Finding, generation: int) -> None:
        """Draw the consequences of the last finding of `accused`.

        `generation` is the last one: a later group than that of the finding may have gone on from the same states.
        """
        kept = self._kept
        kept.finding, kept.generation = found, generation
        if found.since is not None:
            kept.out |= set(found.names)
            kept.withdrawn.append(Withdrawn(generation=generation, step=found.since))
            kept.withdraw = found.since if kept.withdraw is None else min(found.since, kept.withdraw)
            for name in self._ranks:
                kept.limits[name] = min(found.since, kept.limits.get(name, found.since))
        for name in found.names:
            kept.limits[name] = NO_STATE
            kept.changed[name] = kept.changed.get(name, 0) + 1
            if kept.changed[name] > _ONCE:
                kept.out.add(name)
        await self._write()

    def without(self, names: Iterable[str]) -> list[str]:
        """The ranks among `names` that may be in a group."""
        return [name for name in names if name not in self._kept.out]

    def limits(self, members: Iterable[str]) -> dict[str, int]:
        """The latest trusted step of each member whose later states are not trusted."""
        return {name: self._kept.limits[name] for name in members if name in self._kept.limits}

    def void(self, generation: int, step: int) -> bool:
        """Whether a checkpoint begun in this generation may contain wrong steps."""
        return is_withdrawn(self._kept.withdrawn, generation, step)

    @property
    def finding(self) -> Finding | None:
        """The last finding, until a group has trained without the ranks that it names."""
        return self._kept.finding

    @property
    def all_withdrawn(self) -> Sequence[Withdrawn]:
        """The checkpoints that may contain wrong steps, of all findings so far."""
        return self._kept.withdrawn

    @property
    def to_withdraw(self) -> int | None:
        """Checkpoints with more steps than this have to be withdrawn; None: none."""
        return self._kept.withdraw

    async def withdrawn(self) -> None:
        """The checkpoints have been withdrawn."""
        self._kept.withdraw = None
        await self._write()

    def pending(self, group: Group | None) -> bool:
        """Whether some members of a group are not known to hold a trusted state."""
        return group is not None and any(name in self._kept.limits for name in group.members)

    def concerns(self, group: Group | None) -> bool:
        """Whether the last finding is about the states of this group: it was formed before, and has to end."""
        return group is not None and group.generation <= self._kept.generation

    async def settled(self, group: Group | None) -> None:
        """All members of a group hold the same state, within their limits. The finding does not concern it."""
        for name in group.members if group else ():
            self._kept.limits.pop(name, None)
        self._kept.finding = None
        await self._write()

    async def _write(self) -> None:
        await self._ledger.write(_RECORD, msgspec.json.encode(self._kept))
