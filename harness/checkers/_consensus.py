"""Logs of nodes, replayed from the events that nodes emitted."""

from __future__ import annotations

from collections.abc import Sequence

from harness.model import node_events
from harness.model.consensus_events import KINDS, Appended, ConsensusEvent, Installed, Truncated
from harness.model.history import History
from harness.model.node_events import BrokenEvent

__all__ = ["MISSING", "BrokenEvent", "Log", "Told", "emitted", "told"]

Told = node_events.Told[ConsensusEvent]


def told(history: History, *kinds: type[ConsensusEvent]) -> list[Told]:
    """The events of these kinds by time. Raises `BrokenEvent` naming the first malformed one."""
    return node_events.told(history, {name: kind for name, kind in KINDS.items() if kind in kinds})


def emitted(history: History, kinds: Sequence[str]) -> bool:
    """Whether nodes emitted events of all these kinds."""
    return set(kinds) <= set(history.events["kind"].unique())


MISSING = -1
"""The term of a missing entry."""


class Log:
    """The terms of the entries in one node's log."""

    def __init__(self) -> None:
        self._terms: dict[int, int] = {}
        self._base = 0
        self._last = 0

    def play(self, event: ConsensusEvent) -> None:
        """Apply an event to the log; events of other kinds change nothing."""
        match event:
            case Appended(index=index, entry_term=term):
                if index > self._last + 1:  # truncated entries must not reappear in the gap
                    self._terms = {at: held for at, held in self._terms.items() if at <= self._last}
                self._terms[index] = term
                self._last = index
            case Truncated(index=index):
                self._last = min(self._last, index - 1)
            case Installed(index=index, entry_term=term):
                self._terms = {index: term}
                self._base = self._last = index

    def term(self, index: int) -> int | None:
        """The term of the entry at an index: 0 before the first, `MISSING` if there is none, None if a snapshot holds it."""
        if index == 0:
            return 0
        if index > self._last:
            return MISSING
        return self._terms.get(index, None if index < self._base else MISSING)
