"""The rules that a compare-and-set reported as not done never takes effect, and that it knows when it cannot tell.

A history shows a violation only if some coordinator finishes the proposal and some client sees the value. What replicas have
accepted shows whether this can happen. That others swap twice while a proposal is in doubt takes a slow coordinator, so it is
imagined.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from systems.parts.outcomes import Unknown
from systems.parts.rules import InTurn
from systems.quorum.messages import Ballot, Entry
from systems.quorum.placement import Placement
from systems.quorum.protocol import bare
from systems.quorum.shown import Shown

_ANOTHER: Final = Ballot(1, "another", 1, 1)
"""Of a compare-and-set that no node makes."""


class UndoneStaysUndone:
    """A compare-and-set that was reported as refused or failed has no entry, and no proposal that could still be decided.

    A proposal can be decided if it is the one accepted in the highest ballot among some majority of replicas that hold nothing
    newer than the version that it succeeds: a proposer that hears these replicas finishes it. A replica may still hold a
    proposal that was outvoted, but every such majority has a member that accepted the winner in a higher ballot.

    Also, a compare-and-set has only one entry, whoever finishes it: two would mean that it took effect twice.
    """

    def __init__(self, placement: Placement) -> None:
        self._placement = placement
        self._undone: set[Ballot] = set()
        self._entries: dict[Ballot, Entry] = {}
        """By compare-and-set, the entry that any replica has shown."""
        self._last: dict[str, dict[str, Entry]] = {}
        """What each node held at the last look, which need not be checked again."""

    def broken(self, shown: Mapping[str, Shown]) -> str | None:
        keys = dict[str, None]()  # not a set: its order varies
        for name, state in shown.items():
            for undone in state.undone:
                if undone.id not in self._undone:
                    self._undone.add(undone.id)
                    keys[undone.key] = None
                    if (entry := self._entries.get(undone.id)) is not None:
                        return (
                            f"{name} reported the compare-and-set of key {undone.key} to {_value(entry)} as not done, and it"
                            " had taken effect"
                        )
            last = self._last.setdefault(name, {})
            for key, entry in (state.entries or {}).items():
                if last.get(key) is not entry:
                    last[key] = entry
                    if entry.decided_for is not None or entry.successor is not None:
                        keys[key] = None
        for key in keys:
            homes = self._placement.homes(key)
            held = {name: entries.get(key, Entry()) for name in homes if (entries := _entries_of(shown, name)) is not None}
            why = self._taken_effect(key, held) or self._to_be_decided(key, held, len(homes) // 2 + 1)
            if why is not None:
                return why
        return None

    def _taken_effect(self, key: str, held: Mapping[str, Entry]) -> str | None:
        for name, entry in held.items():
            if entry.decided_for is None:
                continue
            if entry.decided_for in self._undone:
                return f"{name} holds {_value(entry)} of key {key}, which a compare-and-set set that was reported as not done"
            first = self._entries.setdefault(entry.decided_for, entry)
            if first.version != entry.version:
                return f"the compare-and-set of key {key} to {_value(entry)} took effect twice, the second time on {name}"
        return None

    def _to_be_decided(self, key: str, held: Mapping[str, Entry], majority: int) -> str | None:
        for name, entry in held.items():
            state = entry.successor
            if state is None or state.accepted is None or state.proposal is None:
                continue
            ballot, proposal = state.accepted, state.proposal
            adopting = [other for other, its in held.items() if _adopts(its, entry, ballot)]
            if proposal.decided_for in self._undone and len(adopting) >= majority:
                return (
                    f"the compare-and-set of key {key} to {_value(proposal)} was reported as not done, but {name} has"
                    f" accepted it, and whoever asks {', '.join(adopting)} finishes it"
                )
        return None


class DoubtfulWhenOvertaken:
    """A compare-and-set whose proposal may be decided does not know what became of it when others are two versions ahead."""

    def __init__(self, placement: Placement) -> None:
        self._placement = placement

    def broken(self, shown: Mapping[str, Shown]) -> str | None:
        for name, state in shown.items():
            for comparing in state.comparing:
                if (base := comparing.in_doubt) is None:
                    continue
                asked = comparing.imagined()
                phase, newer = asked.phase, Entry(msgspec.structs.replace(base, step=base.step + 2), "another's", _ANOTHER)
                for home in self._placement.homes(phase.request.key):
                    asked.answered(phase, home, newer)
                if asked.phase is not phase or (asked.outcome is not None and not isinstance(asked.outcome, Unknown)):
                    return (
                        f"{name} would take a compare-and-set of key {phase.request.key} for not done if it heard that others"
                        " had swapped twice since, although it may have been done before them"
                    )
        return None


class BallotsOnlyRise:
    """A replica has promised at least the ballot in which it has accepted a proposal, and neither ever falls.

    Else an older coordinator may have its own proposal accepted after another one's was decided. That takes messages that are
    late in just the right order.
    """

    def __init__(self, *, durable: bool) -> None:
        """`durable`: replicas keep what they hold through a restart, unless they find that their logs are damaged."""
        self._durable = durable
        self._last: dict[str, dict[str, Entry]] = {}
        """What each node held at the last look, which need not be checked again."""

    def broken(self, shown: Mapping[str, Shown]) -> str | None:
        for name, state in shown.items():
            if state.entries is None:
                self._last.pop(name, None)
                continue
            last = self._last.setdefault(name, {})
            for key in last.keys() - state.entries.keys():
                del last[key]
            for key, entry in state.entries.items():
                before = last.get(key)
                if before is entry:
                    continue
                last[key] = entry
                if (why := self._fallen(before, entry)) is not None:
                    return f"{name} {why}, of the successor of version {entry.version.counter} of key {key}"
        return None

    def _fallen(self, before: Entry | None, entry: Entry) -> str | None:
        now = entry.successor
        if now is not None and now.accepted is not None and now.accepted > now.promised:
            return f"has accepted in ballot {now.accepted}, and only promised {now.promised}"
        was = before.successor if before is not None and before.version == entry.version and self._durable else None
        if was is None:
            return None
        if now is None or now.promised < was.promised:
            return f"had promised ballot {was.promised}, and now {None if now is None else now.promised}"
        if was.accepted is not None and (now.accepted is None or now.accepted < was.accepted):
            return f"had accepted in ballot {was.accepted}, and now in {now.accepted}"
        return None


def _adopts(its: Entry, entry: Entry, ballot: Ballot) -> bool:
    """Whether a replica that holds this would not object to what was accepted in the ballot as the entry's successor."""
    if its.version != entry.version:
        return its.version < entry.version
    accepted = None if its.successor is None else its.successor.accepted
    return accepted is None or accepted <= ballot


def _entries_of(shown: Mapping[str, Shown], name: str) -> Mapping[str, Entry] | None:
    return shown[name].entries if name in shown else None


def _value(entry: Entry) -> str:
    return "no value" if entry.value is None else entry.value


class HandsOnWhose:
    """What a node hands on of an entry still says for which compare-and-set it was decided, and nothing that concerns it alone.

    Only that one's coordinator ever asks, and only if others were faster. And only while a successor is being prepared is what
    is handed on another entry than what is held.
    """

    def __init__(self) -> None:
        self._in_turn = InTurn()

    def broken(self, shown: Mapping[str, Shown]) -> str | None:
        name = self._in_turn.pick(shown, lambda state: state.entries is not None)
        if name is None:
            return None
        for key, entry in (shown[name].entries or {}).items():
            if entry.decided_for is None and entry.successor is None:
                continue  # of no compare-and-set
            if bare(entry) != Entry(entry.version, entry.value, entry.decided_for):
                return f"{name} would hand on the entry of key {key} as {bare(entry)}, and holds {entry}"
        return None
