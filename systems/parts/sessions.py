"""Sessions of a replicated state machine, by which retried commands are recognized and carried out once.

A client opens a session and numbers its commands in it. The last command of each session is remembered with its answer, so that
a retry gets the answer and is not carried out again. The number of sessions is bounded: the least recently used is dropped, in
the order of the log and so identically on all nodes. Source: D. Ongaro, "Consensus: Bridging Theory and Practice", 2014,
section 6.3.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

import msgspec

A = TypeVar("A")


class Latest(msgspec.Struct, Generic[A], frozen=True, array_like=True):
    """The last command of a session that was carried out."""

    number: int
    answer: A


class Sessions(Generic[A]):
    """The sessions of one state machine, whose commands have answers of type `A`."""

    def __init__(self, most: int, kept: Iterable[tuple[int, Latest[A]]] = ()) -> None:
        """At most `most` sessions, beginning with `kept`, the most recently used last."""
        self._most = most
        self._latest = dict(kept)
        """The most recently used session is last."""

    def __len__(self) -> int:
        return len(self._latest)

    def begin(self, session: int, first: A) -> None:
        """Open a session. `first` stands for the answer to a command before the first one, and is never given."""
        self._latest[session] = Latest(0, first)
        if len(self._latest) > self._most:
            del self._latest[next(iter(self._latest))]

    def once(self, session: int, number: int, do: Callable[[], A], *, recognized: bool = True) -> Latest[A] | None:
        """The command and its answer, from `do()` or, for a retry, from the first time. O(1).

        None if the session was dropped or has moved on to later commands: whether the command was carried out is then unknown.
        None also for a number below 1: such a command is never carried out. `recognized=False` carries retries out again,
        which is a bug.
        """
        latest = self._latest.pop(session, None)
        if latest is None:
            return None
        if number > latest.number or not recognized:
            latest = Latest(number, do())
        self._latest[session] = latest
        return latest if number == latest.number > 0 else None

    def kept(self) -> list[tuple[int, Latest[A]]]:
        """All sessions for a snapshot, the most recently used last."""
        return list(self._latest.items())
