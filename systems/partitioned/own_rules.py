"""What a node may hold, what it may refuse, and whom it may spare: it holds only what it owns or is about to own, answers for
that, and asks a node that answers.

Otherwise partitions that have moved away would fill its disk, nobody would answer for one that has not moved yet, and more and
more nodes would count as silent for good. If few keys move, or the load is low, a history hardly shows that.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from systems.partitioned.partition_map import PartitionMap
from systems.partitioned.storage import Storage
from systems.parts.silence import Heard, SparesOnlyTheSilent


class HoldsOnlyItsOwn:
    """Once a node uses a map, it holds nothing of the partitions that the map does not give it."""

    def __init__(self) -> None:
        self._looked_at: dict[str, PartitionMap] = {}

    def broken(self, shown: Mapping[str, Mapping[str, object]]) -> str | None:
        for name, state in shown.items():
            now, held = cast(PartitionMap | None, state["map"]), cast(Storage | None, state.get("storage"))
            if now is None or held is None or not state["opened"] or self._looked_at.get(name) is now:
                continue
            self._looked_at[name] = now
            for one, high in now.bounded():
                if name in one.owners or name in one.target:
                    continue
                if (left := next(iter(held.between(one.low, high)), None)) is not None:
                    return (
                        f"{name} goes by epoch {now.epoch} and still holds {left.place}, which is with {', '.join(one.owners)}"
                    )
        return None


class RefusesOnlyForAWhile:
    """A node that refuses what it is about to lose waits for its last operations on that, and then goes by the new map.

    If it does not get that far, because whoever told it has gone, it goes on answering.
    """

    def broken(self, shown: Mapping[str, Mapping[str, object]]) -> str | None:
        for name, state in shown.items():
            refuses, draining = cast(tuple[bool, int], state.get("leaving", (False, 0)))
            if refuses and not draining:
                return f"{name} refuses what it is about to lose, and waits for nothing any more"
        return None


class AsksWhoAnswers:
    """A node counts another one as silent only after several requests in a row without an answer (`SparesOnlyTheSilent`)."""

    def __init__(self) -> None:
        self._rule = SparesOnlyTheSilent()

    def broken(self, shown: Mapping[str, Mapping[str, object]]) -> str | None:
        asking = [(name, state) for name, state in shown.items() if "peers" in state]
        found = [
            self._rule.look(name, cast(int, state["start"]), cast(Mapping[str, Heard], state["peers"]))
            for name, state in asking
        ]
        return next((why for why in found if why is not None), None)
