"""The rule of sessions: a read returns less than its session has seen only if that is gone everywhere.

A history shows a violation only if the client's calls happen to tell which of two values is newer.
"""

from __future__ import annotations

from collections.abc import Mapping

from systems.eventual.messages import State
from systems.eventual.resolution import Resolution
from systems.eventual.session_reads import SessionRead
from systems.eventual.shown import Shown


class DeniedIsGone:
    """If a read is answered with less than its session has seen, no replica has held what is missing since before the read.

    What is missing was then a tombstone that all have dropped. A replica that is down or unreachable still holds what it had.
    """

    def __init__(self, resolution: Resolution) -> None:
        self._resolution = resolution
        self._last: dict[str, Mapping[str, State]] = {}
        """What each node held when it was looked at last."""
        self._holders: dict[SessionRead, dict[str, State]] = {}
        """By read, the nodes that have held what it needs since before it began."""

    def broken(self, shown: Mapping[str, Shown]) -> str | None:
        denied = {read: name for name, state in shown.items() for read in state.session_reads.denied}
        reads = [read for state in shown.values() for read in state.session_reads.under_way] + list(denied)
        holders = {read: self._holders[read] if read in self._holders else self._holding(read) for read in reads}
        self._last |= {name: state.states for name, state in shown.items()}
        self._holders = {
            read: {name: held for name, held in had.items() if self._last[name].get(read.key) == held}
            for read, had in holders.items()
        }
        for read, name in denied.items():
            for holder in self._holders[read]:
                return f"{name} answered a read of {read.key} with less than its session had seen, which {holder} holds"
        return None

    def _holding(self, read: SessionRead) -> dict[str, State]:
        """The nodes that held what a read needs at the last look; the read has begun since."""
        held = {name: states[read.key] for name, states in self._last.items() if read.key in states}
        return {name: state for name, state in held.items() if self._resolution.covers(state, read.seen)}
