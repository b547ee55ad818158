"""The memory of a run's nodes, in which the harness flips bits through each node's control page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from harness.cluster.steering import Steering
from harness.model.errors import FaultError
from harness.model.flips import Flips, Seen
from harness.node.memory import Memory


@dataclass(frozen=True)
class _Asked:
    memory: Memory
    slot: int


class NodeMemories:
    """See `harness.model.environment.Memories`."""

    def __init__(self, steering: Mapping[str, Steering]) -> None:
        self._steering = steering
        self._asked: dict[tuple[str, str], _Asked] = {}

    def flip(self, label: str, name: str, flips: Flips) -> None:
        if name not in self._steering:
            raise FaultError(f"{name} is a foreign program, whose memory cannot be reached. Use FlipBits on its files")
        memory = self._steering[name].memory
        slot = memory.arm(flips)
        if slot is None:
            raise FaultError(f"{name} already has as many memory faults as it can take")
        self._asked[label, name] = _Asked(memory, slot)

    def seen(self, label: str, name: str) -> Seen | None:
        asked = self._asked.get((label, name))
        return None if asked is None else asked.memory.seen(asked.slot)

    def stop(self, label: str, name: str) -> None:
        if (asked := self._asked.pop((label, name), None)) is not None:
            asked.memory.disarm(asked.slot)
