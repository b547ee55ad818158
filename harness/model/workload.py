"""The calls that a drill makes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from random import Random
from typing import Protocol, runtime_checkable

from harness.model.system import Answer, Call


class Workload(Protocol):
    """A source of calls, drawn from a seeded random stream."""

    def calls(self, random: Random) -> Iterator[Call]:
        """An endless iterator; the same `random` gives the same calls."""


@runtime_checkable
class HasFinalCalls(Protocol):
    """A workload with final calls after all faults are healed, so that losses show."""

    def final_calls(self) -> Iterable[Call]: ...


@runtime_checkable
class Drains(HasFinalCalls, Protocol):
    """A workload whose final calls take what is left, however much that is."""

    def left_more(self, answer: Answer) -> bool:
        """Whether a final call with this answer must be made again, because there may be more."""
