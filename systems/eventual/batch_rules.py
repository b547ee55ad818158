"""The rule of changes that a node carries out with one sync: none of one key undoes another one.

A tombstone is seldom dropped in the very turn of the loop in which its key is written again, and what is lost then is one
write. So that is imagined.
"""

from __future__ import annotations

from collections.abc import Mapping

from systems.eventual.messages import Context, State
from systems.eventual.resolution import Resolution
from systems.eventual.shown import Shown
from systems.eventual.storage import Arrival, Change, Forget
from systems.parts.rules import InTurn


class TogetherNoneIsLost:
    """Imagines that two states of a key arrive together, and one just as the tombstone that it replaces is dropped.

    It is another node at each look, and another key.
    """

    def __init__(self) -> None:
        self._in_turn = InTurn()

    def broken(self, shown: Mapping[str, Shown]) -> str | None:
        name = self._in_turn.pick(shown)
        if name is None or (resolution := shown[name].resolution) is None or (changes := shown[name].changes) is None:
            return None
        key, held = self._one_of(shown[name].states, resolution)
        if held is None:
            return None
        imagined = resolution.imagined()
        newer = Arrival(key, imagined.written(held, "newer", imagined.context(held)))
        later = Arrival(key, imagined.written(newer.state, "later", Context()))
        batches: list[tuple[Change, Change]] = [(newer, later), (later, newer)]
        if not resolution.values(held):
            forget = Forget(key, held)
            batches += [(newer, forget), (forget, newer)]
        for batch in batches:
            left = changes(batch)[key]
            for change in batch:
                if isinstance(change, Arrival) and (left is None or resolution.merged(left, change.state) != left):
                    told = " and then ".join("drop" if isinstance(one, Forget) else "take" for one in batch)
                    return f"{name}, asked to {told} a state of key {key} in one turn, would lose one that it was to take"
        return None

    def _one_of(self, states: Mapping[str, State], resolution: Resolution) -> tuple[str, State | None]:
        """The key to look at, with its state: if there are tombstones, every other time one of them."""
        keys = list(states)
        if self._in_turn.turn % 2:
            keys = [key for key in keys if not resolution.values(states[key])] or keys
        key = keys[self._in_turn.turn // 2 % len(keys)] if keys else ""
        return key, states.get(key)
