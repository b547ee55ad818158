"""Which replica a balancer may choose for a request: one that is up and was not tried yet, as long as there is one."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Sequence, Set
from itertools import islice
from typing import Final, NamedTuple

_KEPT: Final = 256
"""More choices than a balancer makes between two looks."""

_SURELY: Final = 100
"""Of this many choices, some fall on a replica that has nothing to do, whatever the strategy."""


class Choice(NamedTuple):
    """The replica that was chosen for some requests, None if none was, and the replicas that had been `tried` before."""

    name: str | None
    tried: Sequence[str]


class Choices:
    """The last choices, and how many there were in all."""

    def __init__(self) -> None:
        self.made = 0
        self._last: deque[Choice] = deque(maxlen=_KEPT)

    def add(self, name: str | None, tried: Sequence[str]) -> None:
        self.made += 1
        self._last.append(Choice(name, tried))

    def since(self, made: int) -> Iterator[Choice]:
        """The choices after the first `made`, as far as they are kept."""
        return islice(self._last, max(0, len(self._last) - (self.made - made)), None)


class ChoiceRules:
    """Checks the choices of one balancer at each look."""

    def __init__(self, most_tries: int) -> None:
        """A request may be sent `most_tries` times at most."""
        self._most_tries = most_tries
        self._made = 0
        self._passed_over: Counter[str] = Counter()
        """By idle replica, how many choices have not fallen on it since it became idle."""

    def look(self, choices: Choices, surely_up: Set[str], perhaps_up: Set[str], idle: Set[str]) -> Iterator[str]:
        """What is wrong, if anything. Since the last look, replicas were `surely_up` all the time, or `perhaps_up` for a while.

        Replicas that are `idle` are up, have nothing to do and should get a full share.
        """
        for name, tried in choices.since(self._made):
            others = sorted(surely_up - {*tried, name})
            if name in tried:
                yield f"{name} was chosen for a request for which it had been tried"
            elif name is None and others:
                yield f"no replica was chosen, and {', '.join(others)} could have been"
            elif name not in perhaps_up and others:
                yield f"{name} was chosen, which is down, and {', '.join(others)} could have been"
            elif name is not None and len(tried) >= self._most_tries:
                yield f"{name} was chosen for a request that was sent {len(tried)} times before; {self._most_tries} is the most"
            for one in self._passed_over:
                self._passed_over[one] += one not in tried
            del self._passed_over[name or ""]
        self._passed_over = Counter({one: self._passed_over[one] for one in idle})
        for one, times in self._passed_over.items():
            if times >= _SURELY:
                yield f"{one} is up and has nothing to do, and none of the last {times} choices fell on it"
        self._made = choices.made
