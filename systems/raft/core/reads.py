"""Linearizable reads without an entry in the log: read index, and leases (Ongaro's thesis, section 6.4).

A read that came to a leader may be answered from its state machine once that has applied what was committed then, if it was
still the leader then. To find that out, the leader sends a *round* to all: a message with a number that each answer repeats.
A majority that answers in the leader's term has not elected another one before it was asked. Reads that come while a round
is under way wait for the next one, so that many share it.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class ReadReady:
    """A read that may be answered when the state machine has applied the entry at an index."""

    number: int
    index: int


class _Round(NamedTuple):
    number: int
    begun_ms: int
    reads: list[ReadReady]


class Reads:
    """The reads that a leader has yet to answer, and the rounds that it has begun."""

    def __init__(self) -> None:
        self.last_round = 0
        self.confirmed_ms: int | None = None
        """It led at that time for sure, and began to ask then."""
        self.ready: list[ReadReady] = []
        """May be answered."""
        self._waiting: list[ReadReady] = []
        self._rounds: deque[_Round] = deque()

    @property
    def need_round(self) -> bool:
        """Whether reads wait that no round under way is for."""
        return bool(self._waiting) and not any(one.reads for one in self._rounds)

    def add(self, number: int, index: int) -> None:
        """A read that may be answered with what was committed up to an index."""
        self._waiting.append(ReadReady(number, index))

    def begin_round(self, now_ms: int) -> int:
        """Its number, to be sent to all."""
        self.last_round += 1
        self._rounds.append(_Round(self.last_round, now_ms, self._waiting))
        self._waiting = []
        return self.last_round

    def confirm(self, number: int) -> None:
        """A majority has answered this round, or a later one."""
        while self._rounds and self._rounds[0].number <= number:
            one = self._rounds.popleft()
            self.confirmed_ms = one.begun_ms
            self.ready += one.reads
