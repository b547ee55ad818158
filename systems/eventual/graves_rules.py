"""The rule of tombstones: when a node drops one, no replica holds what it deleted."""

from __future__ import annotations

from collections.abc import Mapping

from systems.eventual.messages import State
from systems.eventual.resolution import Resolution
from systems.eventual.shown import Shown
from systems.parts.dropped_tombstones import OWN, DroppedTombstones


class DroppedForGood:
    """See the module, and `DroppedTombstones`."""

    def __init__(self, resolution: Resolution) -> None:
        def is_tombstone(state: State) -> bool:
            return not resolution.values(state)

        def is_older(state: State, tombstone: State) -> bool:
            return not is_tombstone(state) and resolution.merged(tombstone, state) == tombstone

        self._rule = DroppedTombstones[State](is_tombstone, is_older)
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
