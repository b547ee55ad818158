"""The rules of tombstones: one is dropped only when no value that it deleted is left, and its recipients did get it.

And not before its grace period: no replica has held such a value a short while ago.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from systems.eventual.messages import State
from systems.eventual.resolution import Resolution
from systems.eventual.shown import Shown
from systems.parts.dropped_tombstones import OWN, DroppedTombstones


class DroppedForGood:
    """When the first node drops a tombstone, no replica holds a value that it deleted: see `DroppedTombstones`."""

    def __init__(self, resolution: Resolution) -> None:
        self._rule = DroppedTombstones[State](
            lambda state: not resolution.values(state), lambda state, tombstone: _deletes(resolution, tombstone, state)
        )
        self._lives: dict[str, int] = {}

    def broken(self, shown: Mapping[str, Shown]) -> str | None:
        for name, state in shown.items():
            if self._lives.setdefault(name, state.life) != state.life:
                self._lives[name] = state.life
                self._rule.lost(name)
        left = self._rule.look({name: {OWN: state.states} for name, state in shown.items()})
        if left is None:
            return None
        return f"{left.dropped_by} dropped the tombstone of key {left.key}, and {left.node} still holds what it deleted"


class CountedHaveHad:
    """A replica that counts as having had a tombstone has not held a value that it deletes ever since.

    That mistake alone does not lose a delete: the node then drops the tombstone too early, but another node may still bring it
    to the replica.
    """

    def __init__(self, resolution: Resolution) -> None:
        self._resolution = resolution
        self._last: dict[str, Mapping[str, State]] = {}
        """What each running node held when it was looked at last."""
        self._lacking: dict[tuple[str, str], tuple[State, list[str]]] = {}
        """By node and key: the tombstone, and the nodes that have held a value that it deletes since before it existed."""

    def broken(self, shown: Mapping[str, Shown]) -> str | None:
        last, self._last = self._last, {name: state.states for name, state in shown.items()}
        for name, states in self._last.items():
            before = last.get(name, {})
            for key, state in states.items():
                if before.get(key) is not state and not self._resolution.values(state):
                    others = [other for other in shown if other != name]
                    self._lacking[name, key] = (state, _holding(self._resolution, last, others, key, state))
        for (name, key), (state, others) in list(self._lacking.items()):
            others = _holding(self._resolution, self._last, others, key, state)
            if not others or self._last.get(name, {}).get(key) != state:
                del self._lacking[name, key]
                continue
            self._lacking[name, key] = (state, others)
            for one in others:
                if one in shown[name].had_by(key):
                    return f"{name} counts {one} as having had the tombstone of key {key}, which holds what it deletes"
        return None


class _Lacked(NamedTuple):
    """A tombstone, and who held what it deletes when all were looked at last while somebody did."""

    tombstone: State
    life: int
    others: Sequence[str]
    at_s: float
    """By the clock of the node that has the tombstone."""


class DroppedAfterGrace:
    """No node drops a tombstone before a grace period has passed since every replica has had it.

    In that time a message may arrive that a replica sent before it had the tombstone. A history shows a breach only if one
    does.
    """

    def __init__(self, resolution: Resolution, *, grace_s: float) -> None:
        self._resolution = resolution
        self._grace_s = grace_s
        self._last: Mapping[str, Mapping[str, State]] = {}
        """What each running node held when it was looked at last."""
        self._lacked: dict[tuple[str, str], _Lacked] = {}
        """By node and key."""

    def broken(self, shown: Mapping[str, Shown]) -> str | None:
        last, self._last = self._last, {name: state.states for name, state in shown.items()}
        for (name, key), lacked in list(self._lacked.items()):
            if name in shown and shown[name].states.get(key) == lacked.tombstone:
                if others := _holding(self._resolution, self._last, lacked.others, key, lacked.tombstone):
                    self._lacked[name, key] = lacked._replace(others=others, at_s=shown[name].now_s)
                continue
            del self._lacked[name, key]
            if name in shown and (why := self._early(name, key, shown[name], lacked)) is not None:
                return why
        for name, state in shown.items():
            before = last.get(name, {})
            for key, held in state.states.items():
                if before.get(key) is held or (name, key) in self._lacked or self._resolution.values(held):
                    continue
                since_before = _holding(self._resolution, last, [one for one in shown if one != name], key, held)
                if others := _holding(self._resolution, self._last, since_before, key, held):
                    self._lacked[name, key] = _Lacked(held, state.life, others, state.now_s)
        return None

    def _early(self, name: str, key: str, state: Shown, lacked: _Lacked) -> str | None:
        """Whether a tombstone that is gone was dropped too early, rather than replaced, or lost with the disk."""
        after_s = state.now_s - lacked.at_s
        if key in state.states or state.life != lacked.life or after_s >= self._grace_s:
            return None
        return (
            f"{name} dropped the tombstone of key {key} at most {after_s:.3f} s after {', '.join(lacked.others)} held what it"
            f" deletes, and {self._grace_s:g} s are due"
        )


def _holding(
    resolution: Resolution, looked: Mapping[str, Mapping[str, State]], names: Iterable[str], key: str, tombstone: State
) -> list[str]:
    """Which of these nodes held a value that the tombstone deletes when they were looked at."""
    held = {name: looked.get(name, {}).get(key) for name in names}
    return [name for name, state in held.items() if state is not None and _deletes(resolution, tombstone, state)]


def _deletes(resolution: Resolution, tombstone: State, state: State) -> bool:
    return bool(resolution.values(state)) and resolution.merged(tombstone, state) == tombstone
