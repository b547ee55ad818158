"""What a node may hold: only partitions that it owns or is about to own. Otherwise moved partitions would fill its disk."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from systems.partitioned.partition_map import PartitionMap
from systems.partitioned.storage import Storage


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
