"""What the coordinators of a training promise, as an invariant of all their nodes and of stand-ins for the ranks."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import cast

import msgspec

from systems.raft.invariant import RaftSafety, Shown
from systems.raft.messages import Command, Write
from systems.raft.store import KeyValues
from systems.training.membership import Group
from systems.training.messages import Form
from tests.helpers.stand_in_rank import ShownRank

_NUMBER_IN: dict[str, Callable[[str], int]] = {
    "generation": int,
    "group": lambda record: msgspec.json.decode(record, type=Group).generation,
}
"""How to read a generation from each record of the ledger."""


class _Distrusted(msgspec.Struct):
    """What matters here of the ledger's record of this name."""

    out: list[str]


class OneGroupAtATime:
    """The promises of `systems.training.council`, and of ranks.

    - A rank never goes back to an earlier generation, and joins only the one that it has promised.
    - A generation has one list of members and one coordinator.

    With several coordinators also:

    - A majority has a generation on disk before any rank is asked to leave for it, and a group before any member is told.
    - The ledger's generation and its group only grow, and the group is never ahead.
    - Once any rank is in a group, each earlier group has lost a member for good.
    - A rank that the ledger leaves out is in no later group.
    - So no rank completes a step that it began after a later group was formed.
    - The coordinators are a Raft group: see `RaftSafety`.
    """

    def __init__(self, coordinators: Sequence[str], ranks: Sequence[str], wrong: str | None = None) -> None:
        """`wrong` is the rank that computes wrongly: in the end it has been found out."""
        self._coordinators = tuple(coordinators)
        self._ranks = tuple(name for name in ranks if name != wrong)
        self._wrong = wrong
        self._out_since = math.inf
        """The last generation that the ledger knew when it had first left out the wrong rank."""
        self._alone = len(coordinators) == 1
        self._raft = RaftSafety()
        self._promised: dict[tuple[str, int], int] = {}
        self._forms: dict[int, tuple[str, Form]] = {}
        self._newest = 0
        """The latest generation that any rank has joined."""
        self._formed_s: dict[int, float] = {}
        """By generation, when the first of its members that was seen in it had joined."""
        self._kept = dict.fromkeys(_NUMBER_IN, 0)
        """The latest generation of each record that a majority was seen to have."""
        self._ledger = (0, 0, 0)
        """The furthest that any coordinator has applied: up to which index, and the generations of both records then."""

    def broken(self, states: Mapping[str, object]) -> str | None:
        ranks = {name: state for name, state in states.items() if isinstance(state, ShownRank)}
        for name, rank in ranks.items():
            if (why := self._fell_back(name, rank) or self._other_group(name, rank)) is not None:
                return why
        if self._alone:
            return None
        councils = {name: cast("Shown | None", states[name]) for name in self._coordinators if name in states}
        why = self._not_kept(ranks, councils) or self._ledger_fell_back(councils)
        why = why or self._two_groups(ranks) or self._late_step(ranks)
        return why or self._raft.broken(councils)

    def apart(self, states: Mapping[str, object]) -> str | None:
        """Whether all ranks train in one group; and the coordinators agree, if there are several."""
        generations: set[int] = set()
        for name in self._ranks:
            rank = states.get(name)
            if not isinstance(rank, ShownRank) or rank.form is None:
                return f"{name} is in no group"
            if not rank.inside or rank.phase != "training":
                return f"{name} does not train in its last group, of generation {rank.form.generation}"
            if rank.form.members != self._ranks:
                return f"{name} trains in generation {rank.form.generation}, of {' '.join(rank.form.members)} alone"
            generations.add(rank.form.generation)
        if len(generations) > 1:
            return f"ranks train in the generations {', '.join(map(str, sorted(generations)))}"
        if self._alone:
            return None
        return self._raft.apart({name: states[name] for name in self._coordinators if name in states})

    def _fell_back(self, name: str, rank: ShownRank) -> str | None:
        before = self._promised.get((name, rank.incarnation), 0)
        self._promised[name, rank.incarnation] = rank.promised
        if rank.promised < before:
            return f"{name} had promised itself to generation {before}, and now only to {rank.promised}"
        return None

    def _other_group(self, name: str, rank: ShownRank) -> str | None:
        if (form := rank.form) is None:
            return None
        first, other = self._forms.setdefault(form.generation, (name, form))
        if (other.members, other.coordinator) != (form.members, form.coordinator):
            one, another = (f"{' '.join(each.members)} of {each.coordinator}" for each in (other, form))
            return f"generation {form.generation} is {one} to {first}, and {another} to {name}"
        if form.generation > self._out_since and self._wrong in form.members:
            return f"{self._wrong}, which was left out at generation {self._out_since}, is a member of {form.generation}"
        return None if name in form.members else f"{name} is in generation {form.generation}, of which it is no member"

    def _not_kept(self, ranks: Mapping[str, ShownRank], councils: Mapping[str, Shown | None]) -> str | None:
        """Which coordinators lack what ranks were told already, if they are too many. Those that are down may have it."""
        used = {
            "generation": max((rank.promised for rank in ranks.values()), default=0),
            "group": max((rank.form.generation for rank in ranks.values() if rank.form is not None), default=0),
        }
        for record, number in used.items():
            if number <= self._kept[record]:
                continue
            self._kept[record] = number
            lack = [name for name, shown in councils.items() if shown is not None and _saved(shown, record) < number]
            if len(lack) > len(self._coordinators) // 2:
                return f"ranks know the {record} {number}, which {' and '.join(lack)} do not have on disk"
        return None

    def _ledger_fell_back(self, councils: Mapping[str, Shown | None]) -> str | None:
        for name, shown in councils.items():
            if shown is None or shown.applied <= self._ledger[0]:
                continue
            machine = cast(KeyValues, shown.machine)
            if self._out_since == math.inf and self._wrong in _left_out(machine):
                self._out_since = _number("generation", machine.get("generation"))
            generation, group = (_number(record, machine.get(record)) for record in ("generation", "group"))
            _, generation_before, group_before = self._ledger
            self._ledger = shown.applied, generation, group
            if generation < generation_before or group < group_before:
                return (
                    f"the ledger of {name} went back from generation {generation_before}, with the group of {group_before},"
                    f" to {generation}, with the group of {group}"
                )
            if group > generation:
                return f"the ledger of {name} has the group of generation {group}, and knows generations up to {generation}"
        return None

    def _two_groups(self, ranks: Mapping[str, ShownRank]) -> str | None:
        inside: dict[int, set[str]] = defaultdict(set)
        for name, rank in ranks.items():
            if rank.form is not None:
                generation = rank.form.generation
                self._newest = max(self._newest, generation)
                self._formed_s[generation] = min(rank.joined_s, self._formed_s.get(generation, rank.joined_s))
                if rank.inside:
                    inside[rank.form.generation].add(name)
        for generation, names in inside.items():
            if generation < self._newest and names == set(self._forms[generation][1].members):
                newer = " ".join(self._forms[self._newest][1].members)
                return f"generation {self._newest} is {newer}, and nobody has left {generation}: {' '.join(sorted(names))}"
        return None

    def _late_step(self, ranks: Mapping[str, ShownRank]) -> str | None:
        for name, rank in ranks.items():
            if rank.did is None:
                continue
            generation, begun_s = rank.did
            for later in range(generation + 1, self._newest + 1):
                if later in self._formed_s and self._formed_s[later] < begun_s:
                    after_s = begun_s - self._formed_s[later]
                    return (
                        f"{name} did a step of generation {generation} that it began {after_s:.3f} s after generation {later}"
                        " was formed"
                    )
        return None


def _saved(shown: Shown, record: str) -> int:
    """The latest generation that a coordinator's disk has in a record, whether or not it is committed."""
    state = shown.core.state
    for index in range(min(state.saved_index, state.log.last_index), state.log.base_index, -1):
        if not (data := state.log.entry(index).data):
            continue
        match msgspec.json.decode(data, type=Command).do:
            case Write(key, value) if key == record:
                return _number(record, value)
    return _number(record, cast(KeyValues, shown.machine).get(record))


def _left_out(machine: KeyValues) -> Collection[str]:
    record = machine.get("distrusted")
    return () if record is None else msgspec.json.decode(record, type=_Distrusted).out


def _number(record: str, value: str | None) -> int:
    return 0 if value is None else _NUMBER_IN[record](value)
