"""Nodes that stop themselves at a moment of their own work, so that a fault begins exactly then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from harness.cluster.steering import Steering
from harness.model.errors import FaultError
from harness.model.moment import Moment
from harness.node.moments import Moments


class Wakes(Protocol):
    """The part of the processes that moments need."""

    def state(self, name: str) -> str:
        """The kernel's word for it, such as "stopped"; "gone" if it does not run."""

    def wake(self, name: str) -> None:
        """Resume a node that has stopped itself, unless a window stops it."""


@dataclass(frozen=True)
class _Expected:
    name: str
    moments: Moments
    slot: int


class NodeMoments:
    """See `harness.model.environment.Moments`."""

    def __init__(self, steering: Mapping[str, Steering], processes: Wakes) -> None:
        self._steering = steering
        self._processes = processes
        self._expected: dict[str, list[_Expected]] = {}

    def expect(self, label: str, names: Sequence[str], moment: Moment) -> None:
        expected = self._expected[label] = []
        for name in names:
            if name not in self._steering:
                raise FaultError(f"{name} is a foreign program, whose moments are not known. Use .between(…)")
            moments = self._steering[name].moments
            slot = moments.arm(moment)
            if slot is None:
                raise FaultError(f"{name} already waits for as many moments as it can")
            expected.append(_Expected(name, moments, slot))

    def reached(self, label: str) -> str | None:
        for one in self._expected.get(label, ()):
            # A node that is about to stop itself would stop after whatever wakes it now, and for good.
            if one.moments.reached(one.slot) and self._processes.state(one.name) in ("stopped", "gone"):
                return one.name
        return None

    def seen(self, label: str) -> Mapping[str, int]:
        return {one.name: one.moments.seen(one.slot) for one in self._expected.get(label, ())}

    def go_on(self, label: str) -> None:
        for one in self._expected.pop(label, ()):
            one.moments.disarm(one.slot)
            if one.moments.reached(one.slot):
                self._processes.wake(one.name)
