"""The rules of tombstones: one is dropped only when no value that it deleted is left, and its recipients did get it."""

from __future__ import annotations

from collections.abc import Mapping

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
                    self._lacking[name, key] = (state, [one for one in others if self._lacks(last, one, key, state)])
        for (name, key), (state, others) in list(self._lacking.items()):
            others = [one for one in others if self._lacks(self._last, one, key, state)]
            if not others or self._last.get(name, {}).get(key) != state:
                del self._lacking[name, key]
                continue
            self._lacking[name, key] = (state, others)
            for one in others:
                if one in shown[name].had_by(key):
                    return f"{name} counts {one} as having had the tombstone of key {key}, which holds what it deletes"
        return None

    def _lacks(self, looked: Mapping[str, Mapping[str, State]], name: str, key: str, tombstone: State) -> bool:
        held = looked.get(name, {}).get(key)
        return held is not None and _deletes(self._resolution, tombstone, held)


def _deletes(resolution: Resolution, tombstone: State, state: State) -> bool:
    return bool(resolution.values(state)) and resolution.merged(tombstone, state) == tombstone
