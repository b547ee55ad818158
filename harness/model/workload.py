"""What is asked of a system."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from random import Random
from typing import Protocol, runtime_checkable

from harness.model.system import Call


class Workload(Protocol):
    """What is asked: calls drawn from a seeded stream."""

    def calls(self, random: Random) -> Iterator[Call]:
        """An endless stream; the same `random` gives the same calls."""


@runtime_checkable
class HasFinalCalls(Protocol):
    """A workload that asks something once more when all faults are healed, so that losses show."""

    def final_calls(self) -> Iterable[Call]: ...
