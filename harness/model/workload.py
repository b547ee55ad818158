"""The calls that a drill makes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from random import Random
from typing import Protocol, runtime_checkable

from harness.model.system import Call


class Workload(Protocol):
    """A source of calls, drawn from a seeded random stream."""

    def calls(self, random: Random) -> Iterator[Call]:
        """An endless iterator; the same `random` gives the same calls."""


@runtime_checkable
class HasFinalCalls(Protocol):
    """A workload with final calls after all faults are healed, so that losses show."""

    def final_calls(self) -> Iterable[Call]: ...
