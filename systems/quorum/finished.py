"""The last operations of a node that are over, to look at."""

from __future__ import annotations

from collections import deque
from typing import Final, NamedTuple

from systems.quorum.comparing import Comparing, Undone
from systems.quorum.messages import Store, Version
from systems.quorum.protocol import Done, Operation, Outcome

_SHOWN: Final = 100
"""Far more than end between two looks at what a node shows."""


class Told(NamedTuple):
    """The version of a key that an answer was about: the one that was read, or written."""

    key: str
    version: Version


class Finished:
    """Those of one node."""

    def __init__(self) -> None:
        self.undone: deque[Undone] = deque(maxlen=_SHOWN)
        """The last compare-and-sets of which it told the client that they have not taken effect."""
        self.told: deque[Told] = deque(maxlen=_SHOWN)
        """The last answers."""
        self.answers = 0
        """How many there were in all."""

    def add(self, operation: Operation, outcome: Outcome) -> None:
        """An operation is over."""
        if isinstance(operation, Comparing) and (undone := operation.undone) is not None:
            self.undone.append(undone)
        if isinstance(outcome, Done):
            phase = operation.phase
            request = phase.request
            entry = request.entry if isinstance(request, Store) else phase.newest
            self.told.append(Told(request.key, entry.version))
            self.answers += 1
