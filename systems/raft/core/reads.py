"""Linearizable reads without a log entry: read index and leases (Ongaro's thesis, section 6.4).

A leader may answer a read from its state machine once that has applied everything that was committed when the read arrived,
provided that it was still the leader then. To confirm that, it sends a *round* to all members: a message with a number that
each answer repeats. A majority that answers in the leader's term had not elected another leader when it was asked. Reads that
arrive during a round wait for the next one, so that many share it.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class ReadReady:
    """A read that may be answered once the state machine has applied the entry at `index`."""

    number: int
    index: int


class _Round(NamedTuple):
    number: int
    begun_ms: int
    reads: list[ReadReady]


class Reads:
    """A leader's pending reads, and the rounds that it has begun."""

    def __init__(self) -> None:
        self.last_round = 0
        self.confirmed_ms: int | None = None
        """When the last confirmed round began: at that time, this node certainly led."""
        self.ready: list[ReadReady] = []
        """Reads that may be answered."""
        self._waiting: list[ReadReady] = []
        self._rounds: deque[_Round] = deque()

    def __copy__(self) -> Reads:
        """The same rounds and waiting reads, which can go on by themselves, and none that are ready."""
        other = type(self)()
        other.last_round, other.confirmed_ms, other._waiting = self.last_round, self.confirmed_ms, self._waiting[:]
        other._rounds = deque(_Round(one.number, one.begun_ms, one.reads[:]) for one in self._rounds)
        return other

    @property
    def need_round(self) -> bool:
        """Whether reads wait and no round with reads is in progress."""
        return bool(self._waiting) and not any(one.reads for one in self._rounds)

    def add(self, number: int, index: int) -> None:
        """Add a read that needs everything up to `index` applied."""
        self._waiting.append(ReadReady(number, index))

    def begin_round(self, now_ms: int) -> int:
        """Begin a round; returns its number, to be sent to all members."""
        self.last_round += 1
        self._rounds.append(_Round(self.last_round, now_ms, self._waiting))
        self._waiting = []
        return self.last_round

    def confirm(self, number: int) -> None:
        """A majority has answered this round or a later one."""
        while self._rounds and self._rounds[0].number <= number:
            one = self._rounds.popleft()
            self.confirmed_ms = one.begun_ms
            self.ready += one.reads
