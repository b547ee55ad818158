"""The rule of sessions: while a state machine has fewer than it may have, it drops none.

A client whose session was dropped opens another one, and one command of unknown outcome is all that a history shows of it.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Protocol, runtime_checkable


@runtime_checkable
class HasSessions(Protocol):
    """A state machine with sessions: they are opened, and only dropped to make room for others."""

    @property
    def sessions(self) -> int:
        """How many there are."""


class SessionsStay:
    """Checks all copies of one state machine: one that has applied more entries has at least as many sessions."""

    def __init__(self) -> None:
        self._after: list[int] = []
        """Entries after which there were more sessions than had been seen before, in order …"""
        self._had: list[int] = []
        """… and how many there were then."""

    def broken(self, name: str, applied: int, machine: object) -> str | None:
        """What is wrong with this copy, which has applied the entries up to an index; None if nothing is."""
        if not isinstance(machine, HasSessions):
            return None
        has, at = machine.sessions, bisect_right(self._after, applied)
        if at and has < self._had[at - 1]:
            had = f"{self._had[at - 1]} were open after {self._after[at - 1]}"
            return f"{name} has {has} sessions after entry {applied}, and {had}"
        if not at or has > self._had[at - 1]:
            while at < len(self._had) and self._had[at] <= has:  # a copy that is behind shows that there were as many before
                del self._after[at], self._had[at]
            self._after.insert(at, applied)
            self._had.insert(at, has)
        return None
