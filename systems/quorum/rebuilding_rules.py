"""The rules of a replica that loses its log: it forgets nothing that a quorum has reached with its help, or may yet reach.

A history shows a violation only if the damage comes between two steps of an operation, and the right replicas are asked after
that. So damage is imagined after every change, to every replica, with every set of peers that suffices to rebuild it. That a
replica waits for what may yet be reached is checked whether or not anything is reached.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import Final

from systems.quorum.messages import Ballot, Entry, Version
from systems.quorum.operations import PHASE_TIMEOUT_S
from systems.quorum.placement import Placement
from systems.quorum.replica import Held
from systems.quorum.shown import Shown

_NONE: Final = Ballot()
_ALL: Final = ""
"""Stands for all keys that a replica does not hold: no key is empty."""

_Reached = tuple[Version, Ballot]


def _held(entry: Entry) -> _Reached:
    return entry.version, _NONE


def _promised(entry: Entry) -> _Reached:
    return entry.version, _NONE if entry.successor is None else entry.successor.promised


def _accepted(entry: Entry) -> _Reached:
    return entry.version, _NONE if entry.successor is None else entry.successor.accepted or _NONE


def _dropped(entry: Entry) -> _Reached:
    return Version(entry.floor), _NONE


class RebuiltRemembers:
    """A rebuilt replica knows at least what every quorum has reached to which it belonged.

    A write quorum may have reached a version of a key, or dropped a tombstone; a majority may have promised or accepted a
    ballot for the version's successor. Every member of such a quorum is at least that far, and none ever goes back. So hearing
    one member of each quorum is enough, as long as merging several answers loses nothing.
    """

    def __init__(self, placement: Placement, *, write: int) -> None:
        self._placement = placement
        self._write = max(2, write)
        """At least 2: damage to the only member of a quorum destroys everything that it reached."""
        self._last: dict[str, dict[str, Entry]] = {}
        """What each replica reported at the last look, which need not be checked again."""

    def broken(self, shown: Mapping[str, Shown]) -> str | None:
        up = {name: state for name, state in shown.items() if state.entries is not None}
        told, keys = dict[str, dict[str, Entry]](), dict[str, None]()  # not a set: its order varies
        for name, state in up.items():
            last = self._last.get(name, {})
            dropped = last.get(_ALL, Entry())
            told[name] = {_ALL: dropped if dropped.floor == state.floor else Entry(floor=state.floor), **(state.entries or {})}
            keys |= {key: None for key, entry in told[name].items() if last.get(key) is not entry}
        self._last = told
        for key in keys:
            members = self._placement.names if key == _ALL else self._placement.homes(key)
            held = {name: told[name].get(key, Entry()) for name in members if name in told}
            for name, heard, after in self._rebuilt(up, key, held):
                others = [entry for other, entry in held.items() if other != name]
                for step, size, what in self._steps(key):
                    reached = _by_quorum(step, size, held[name], others)
                    if reached is not None and step(after) < reached:
                        return (
                            f"if {name} lost its log and heard {', '.join(heard)}, it would be at {_text(step(after))} of"
                            f" {what}, and {size} replicas were at {_text(reached)}"
                        )
        return None

    def _steps(self, key: str) -> list[tuple[Callable[[Entry], _Reached], int, str]]:
        """What quorums decide about a key: how far an entry shows them to be, the size of the quorum, and a name."""
        if key == _ALL:
            return [(_dropped, self._write, "all dropped keys")]
        majority = max(2, len(self._placement.homes(key)) // 2 + 1)
        return [
            (_held, self._write, f"key {key}"),
            (_promised, majority, f"the promises for key {key}"),
            (_accepted, majority, f"what was accepted for key {key}"),
        ]

    def _rebuilt(
        self, up: Mapping[str, Shown], key: str, held: Mapping[str, Entry]
    ) -> Iterator[tuple[str, Sequence[str], Entry]]:
        """Each replica that may lose its log, the peers that it may then hear, and what it would hold."""
        told = {name: [Held(key, held[name])] if held.get(name, Entry()) != Entry() else [] for name in up}
        for name in held:
            others = [other for other in up if other != name]
            for size in range(len(others), 0, -1):
                enough = False
                for heard in combinations(others, size):
                    replica = up[name].rebuilt({other: told[other] for other in heard})
                    if replica is not None:
                        enough = True
                        yield name, heard, replica.entry(key)
                if not enough:
                    break


class RebuildsAfterPhases:
    """A replica that has lost its log is not rebuilt before every phase is over that may count what it answered before.

    Else it may ask others that get an entry only then, and that entry is acknowledged because it had it once.
    """

    def broken(self, shown: Mapping[str, Shown]) -> str | None:
        for name, state in shown.items():
            lost_for_s = state.lost_log_for_s
            if lost_for_s is not None and lost_for_s < PHASE_TIMEOUT_S and state.entries is not None:
                return (
                    f"{name} lost its log and serves again {lost_for_s:.3f} s after its start, and phases may count what it"
                    f" answered before for {PHASE_TIMEOUT_S:g} s"
                )
        return None


def _by_quorum(
    step: Callable[[Entry], _Reached], size: int, entry: Entry, others: Sequence[Entry]
) -> _Reached | None:  # fmt: skip
    """The most that a quorum of this size, with the replica of this entry in it, may have reached; None if too few are up."""
    steps = sorted(map(step, others), reverse=True)
    return min(step(entry), steps[size - 2]) if len(steps) >= size - 1 else None


def _text(reached: _Reached) -> str:
    version, ballot = reached
    text = f"version {version.counter} of {version.writer}"
    return text if ballot == _NONE else f"{text}, ballot {ballot.round} of {ballot.proposer}"
