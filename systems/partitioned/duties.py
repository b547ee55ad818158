"""What a coordinator must do, given what its nodes have reported: begin, end or give up every move that it can.

A move that goes on for too long loses nothing. A history shows it only as calls that fail or take long, and if few keys move,
as only a few of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, cast

from systems.partitioned.messages import Status
from systems.partitioned.partition_map import Partition, PartitionMap, majority

ROUNDS: Final = 3
"""A coordinator acts on a report in its next round, and a round may have been under way when the report came."""
REST_S: Final = 0.3
"""A partition may be left alone for this long after its move was given up."""
SILENT_S: Final = 0.7
"""A coordinator waits no longer than this for a node that does not answer."""
LOOKS_S: Final = 0.06
"""Looks further apart than this say nothing about the time between them, in which a node may have reported something else."""


@dataclass(frozen=True, kw_only=True)
class Heard:
    """What a coordinator has heard from its nodes."""

    now_s: float
    rounds: int
    """How often it has asked all nodes, and made every change that was due."""
    statuses: Mapping[str, Status]
    """The last answer of each node that answered the last request."""


@dataclass(frozen=True)
class _Known:
    """What is certain about the nodes at one look."""

    statuses: Mapping[str, Status]
    down: frozenset[str]

    def unfit(self, name: str) -> str | None:
        """Why nothing can be moved to a node; None if something can, or if that is not known."""
        if name in self.down:
            return "is down"
        return "has a disk that fails" if name in self.statuses and self.statuses[name].failing else None

    def fit(self, name: str) -> bool:
        return name in self.statuses and not self.statuses[name].failing

    def has_copied(self, name: str, one: Partition) -> bool:
        return name in self.statuses and (one.low, one.move) in self.statuses[name].copied


class NothingOverdue:
    """Checks the coordinator at each look. None of these lasts for `ROUNDS` of its rounds with the same map:

    - All arriving nodes have reported complete copies, but the move goes on.
    - An arriving node is down, or has reported that its disk fails, but the move goes on.
    - The first owner is down, or its disk failed before it could take over the partition's epoch, although others are well.
    - A partition is not where it should be, and could move, but does not.
    """

    def __init__(self) -> None:
        self._epoch = 0
        self._rounds = 0
        self._looked_s = 0.0
        self._silent: dict[str, float] = {}
        """By silent node, the time of the first of the looks at which it had not answered."""
        self._owed: dict[str, tuple[int, float]] = {}
        """By what is overdue, the number of rounds, and the time, at the first of the looks at which it was due."""

    def broken(self, shown: Mapping[str, Mapping[str, object]]) -> str | None:
        state = next((one for one in shown.values() if "heard" in one), None)
        if state is None:
            return None
        heard, now = cast(Heard, state["heard"]), cast(PartitionMap, state["map"])
        again = now.epoch == self._epoch and heard.rounds >= self._rounds  # else: a new map, or a new life of the coordinator
        if not again or heard.now_s - self._looked_s > LOOKS_S:
            self._silent, self._owed = {}, {}
        self._epoch, self._rounds, self._looked_s = now.epoch, heard.rounds, heard.now_s
        names = {name for one in now.partitions for name in (*one.owners, *one.target, *one.placed)}
        self._silent = {name: self._silent.get(name, heard.now_s) for name in sorted(names - heard.statuses.keys())}
        known = _Known(
            heard.statuses, frozenset(name for name, since_s in self._silent.items() if heard.now_s - since_s > SILENT_S)
        )
        first = (heard.rounds, heard.now_s)
        self._owed = {what: self._owed.get(what, first) for what in _owed(now, known, cast(int, state["moves_at_once"]))}
        for what, (rounds, since_s) in self._owed.items():
            if heard.rounds - rounds >= ROUNDS and heard.now_s - since_s > REST_S:
                return f"the coordinator has let {heard.rounds - rounds} rounds pass, and {what}"
        return None


def _owed(now: PartitionMap, known: _Known, moves_at_once: int) -> Iterator[str]:
    """What the coordinator should change, in words."""
    room = len(now.moving) < moves_at_once
    for one in now.partitions:
        if one.target:
            yield from _to_end(one, known)
        elif room and not one.is_placed and _can_move(one, known):
            yield f"the partition from {one.low!r} is with {one.owners}, although it could move to {one.placed}"
        first, others = one.owners[0], one.owners[1:]
        leads = first not in known.down and not _behind(one, first, known)
        if not leads and any(map(known.fit, others)):
            yield f"{first}, which {known.unfit(first)}, still answers for the partition from {one.low!r}"


def _to_end(one: Partition, known: _Known) -> Iterator[str]:
    """Why a move should have ended."""
    if all(known.has_copied(name, one) for name in one.arriving):
        yield f"the partition from {one.low!r} still moves, although {', '.join(one.arriving)} have all of it"
        return
    for name in one.arriving:
        if (why := known.unfit(name)) is not None:
            yield f"the partition from {one.low!r} still moves to {name}, which {why}"


def _can_move(one: Partition, known: _Known) -> bool:
    arriving = set(one.placed) - set(one.owners)
    return all(map(known.fit, arriving)) and sum(map(known.fit, one.owners)) >= majority(one.owners)


def _behind(one: Partition, name: str, known: _Known) -> bool:
    """Whether a node cannot take over the partition's epoch, because its disk fails."""
    return name in known.statuses and known.statuses[name].failing and known.statuses[name].epoch < one.epoch
