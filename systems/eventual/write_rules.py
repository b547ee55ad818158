"""The rule of successive writes: the later one wins, even if no clock has advanced between them.

That holds at one node also for a client that has not seen what the node holds: what is acknowledged there is read there.

A history shows that a write which should have won is missing only if nothing is written to the key after it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from systems.eventual.messages import Context, State
from systems.eventual.resolution import Resolution
from systems.eventual.shown import Shown
from systems.parts.rules import InTurn


class LaterWriteWins:
    """Imagines two writes in a row by a client that has seen what the node holds, and one by a client that has seen nothing; at
    another node, of another key, at each look."""

    def __init__(self) -> None:
        self._in_turn = InTurn()
        self._looks = 0

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
        return self._unseen(name, list(state.states.values()), state.resolution.imagined())

    def _unseen(self, name: str, states: Sequence[State], resolution: Resolution) -> str | None:
        self._looks += 1
        if not states:
            return None
        beside = resolution.written(states[self._looks % len(states)], "unseen", Context())
        return None if "unseen" in resolution.values(beside) else f"{name} would lose a write to what is there already"
