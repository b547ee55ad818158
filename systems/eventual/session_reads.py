"""The reads for which a node asks others, because it lacks what their sessions have seen."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

from systems.eventual.messages import Context

_DENIED_SHOWN: Final = 100
"""Far more than there are between two looks at what a node shows."""


@dataclass(eq=False)
class SessionRead:
    """A read of a session that has seen more than the node holds."""

    key: str
    seen: Context


class SessionReads:
    """Those of one node."""

    def __init__(self) -> None:
        self.under_way: dict[SessionRead, None] = {}
        self.denied: deque[SessionRead] = deque(maxlen=_DENIED_SHOWN)
        """The last ones that were answered with less than they had seen."""

    def begin(self, key: str, seen: Context) -> SessionRead:
        read = SessionRead(key, seen)
        self.under_way[read] = None
        return read

    def end(self, read: SessionRead, *, denied: bool) -> None:
        del self.under_way[read]
        if denied:
            self.denied.append(read)
