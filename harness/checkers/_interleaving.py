"""Search for one order of all sessions' calls in which each read finds the latest write of its key.

Three rules keep the search small. They hold because each value is written once. A read whose write is the latest is placed at
once, because it does not affect others. A write may be placed only when no remaining call has to read the value that it
replaces. A write that nothing reads is placed as soon as it may be. Only the choice of the next write remains open. The set of
placed writes determines the state, so no state is visited twice.

The search of `linearizable` does not fit here: it treats calls as intervals in real time and judges keys one by one. Here only
the calls of one client are ordered, and an order has to hold for all keys at once.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

import numpy as np

from harness.checkers._sessions import INITIAL, Sessions
from harness.checkers._timeline import NONE, Integers

MOST_STEPS: Final = 3_000_000
"""How often a client's next call is examined before the search gives up: some seconds."""


class GivenUp(Exception):
    """The search did not end within the bound."""


class Interleaving:
    """One search; `sent` is the order in which to try writes."""

    def __init__(self, found: Sessions, sent: Integers) -> None:
        read_from = set(found.source[found.source >= 0].tolist())
        chained = np.flatnonzero(found.chained)
        bounds = np.searchsorted(found.client[chained], np.arange(found.clients + 1))
        self._calls = [chained[bounds[at] : bounds[at + 1]].tolist() for at in range(found.clients)]
        floating = np.flatnonzero(~found.chained).tolist()
        # Writes of unknown outcome that nothing reads may never have happened.
        self._floating = [(call, int(found.before[call])) for call in floating if call in read_from]
        self._key, self._source, self._write, self._sent = (
            each.tolist() for each in (found.key, found.source, found.write, sent)
        )
        self._left: Counter[tuple[int, int]] = Counter()
        for call in np.flatnonzero(~found.write).tolist():
            self._left[self._key[call], self._source[call]] += 1
        self._latest = [INITIAL] * len(found.keys)
        self._next = [0] * found.clients
        self._done = [False] * len(self._key)
        self._trail: list[tuple[int, int, int]] = []
        self._total = len(chained)
        self._furthest = 0
        self._steps = 0
        self.stuck: list[int] = []
        """The calls that could not come next at the furthest point of the search."""

    def exists(self) -> bool:
        """Whether there is such an order. Raises `GivenUp` if the bound is reached first."""
        self._take_what_is_free()
        seen: set[tuple[int, ...]] = set()
        open_ = [(len(self._trail), self._choices())]
        while not self._complete():
            while open_ and not open_[-1][1]:
                open_.pop()
            if not open_:
                return False
            length, choices = open_[-1]
            self._undo(length)
            self._take(choices.pop())
            self._take_what_is_free()
            state = (*self._next, *(self._done[call] for call, _ in self._floating))
            if state not in seen:
                seen.add(state)
                open_.append((len(self._trail), self._choices()))
        return True

    def _complete(self) -> bool:
        if sum(self._next) > self._furthest or not self.stuck:
            self._furthest = sum(self._next)
            self.stuck = [self._calls[client][at] for client, at in enumerate(self._next) if at < len(self._calls[client])]
        return sum(self._next) == self._total

    def _choices(self) -> list[int]:
        """The writes that may come next, the earliest sent last."""
        heads = [self._calls[client][at] for client, at in enumerate(self._next) if at < len(self._calls[client])]
        heads += [call for call, before in self._floating if not self._done[call] and (before == NONE or self._done[before])]
        return sorted((call for call in heads if self._may_follow(call)), key=lambda call: -self._sent[call])

    def _may_follow(self, call: int) -> bool:
        key = self._key[call]
        return self._write[call] and not self._left[key, self._latest[key]]

    def _take_what_is_free(self) -> None:
        progress = True
        while progress:
            progress = False
            self._steps += len(self._calls)
            if self._steps > MOST_STEPS:
                raise GivenUp
            for client, calls in enumerate(self._calls):
                while self._next[client] < len(calls) and self._is_free(calls[self._next[client]]):
                    self._take(calls[self._next[client]], client)
                    progress = True

    def _is_free(self, call: int) -> bool:
        if self._write[call]:
            return self._may_follow(call) and not self._left[self._key[call], call]
        return bool(self._source[call] == self._latest[self._key[call]])

    def _take(self, call: int, client: int | None = None) -> None:
        if client is None:
            client = next(
                (each for each, at in enumerate(self._next) if at < len(self._calls[each]) and self._calls[each][at] == call),
                NONE,
            )
        key = self._key[call]
        self._trail.append((call, client, self._latest[key]))
        self._done[call] = True
        if client != NONE:
            self._next[client] += 1
        if self._write[call]:
            self._latest[key] = call
        else:
            self._left[key, self._source[call]] -= 1

    def _undo(self, length: int) -> None:
        while len(self._trail) > length:
            call, client, latest = self._trail.pop()
            self._done[call] = False
            if client != NONE:
                self._next[client] -= 1
            if self._write[call]:
                self._latest[self._key[call]] = latest
            else:
                self._left[self._key[call], self._source[call]] += 1
