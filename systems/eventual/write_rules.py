"""The rule of successive writes: the later one wins, even if no clock has advanced between them.

A history shows that a write which should have won is missing only if nothing is written to the key after it.
"""

from __future__ import annotations

from collections.abc import Mapping

from systems.eventual.shown import Shown
from systems.parts.rules import InTurn


class LaterWriteWins:
    """Imagines two writes in a row by a client that has seen what the node holds; at another node at each look."""

    def __init__(self) -> None:
        self._in_turn = InTurn()

    def broken(self, shown: Mapping[str, Shown]) -> str | None:
        name = self._in_turn.pick(shown)
        if name is None:
            return None
        state = shown[name]
        if state.resolution is None:
            return None
        resolution, held = state.resolution.imagined(), next(iter(state.states.values()), None)
        for value in ("b", "a"):  # if their versions are equal, the greater value would win
            held = resolution.written(held, value, resolution.context(held))
            if resolution.values(held) != [value]:
                return f"{name} would lose a write to what is there already, although its client has seen that"
        return None
