"""The disks of a run's nodes, steered through each node's control page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.cluster.steering import Steering
from harness.model.errors import FaultError
from harness.model.steering import Counter, Setting, Tracked


class NodeDisks:
    """See `harness.model.environment.Disks`."""

    def __init__(self, folder: Path, steering: Mapping[str, Steering]) -> None:
        self._folder = folder
        self._steering = steering

    def folder(self, name: str) -> Path:
        return self._folder / name

    def hold(self, name: str, setting: Setting, label: str, value: int) -> None:
        self._steered(name).hold(setting, label, value)

    def release(self, name: str, setting: Setting, label: str) -> None:
        self._steered(name).release(setting, label)

    def count(self, name: str, counter: Counter) -> int:
        return self._steered(name).count(counter)

    def tracked(self, name: str) -> Sequence[Tracked]:
        return self._steered(name).tracked()

    def _steered(self, name: str) -> Steering:
        if name not in self._steering:
            raise FaultError(
                f"cannot here, because {name} is a foreign program: its disk is its own."
                " Aim at a node that has code=, or use Kill or Pause"
            )
        return self._steering[name]
