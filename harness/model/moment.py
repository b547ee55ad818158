"""A moment in a node's own work at which a fault may begin: just when it sends, reads, answers or writes something."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, unique
from typing import Final

from harness.model.errors import UsageError

MATCH_BYTES: Final = 64
"""The longest `match`, encoded."""


@unique
class Event(IntEnum):
    """What a node does, as its disk and its connections see it. `what` is the path of a request, or the name of a file or
    a collective."""

    SENT = 1
    """A request was sent to another node, with everything else sent in the same iteration of the event loop."""
    RECEIVED = 2
    """A request was read but not handled yet."""
    HEARD = 3
    """The answer to one of its own requests was read but not handled yet."""
    ANSWERING = 4
    """A request was handled, but its answer is not sent yet."""
    SYNCING = 5
    """A file is about to be synced."""
    SYNCED = 6
    """A file was just synced."""
    RENAMING = 7
    """A complete file is about to be renamed into place, as when a log is compacted. `what` is the new name."""
    COLLECTIVE = 8
    """A rank of a training is about to take part in a collective: "gather" (a step's gradients), "exchange", "broadcast"."""


EVENT_NAMES: Final = {event: event.name.lower() for event in Event}


@dataclass(frozen=True, kw_only=True)
class Moment:
    """The `nth` time after the window's beginning that a node does this with something whose name begins with `match`.

    The node stops itself there (SIGSTOP), so that the fault begins exactly then. It goes on once the fault has begun, unless
    the fault keeps it down or stopped.
    """

    event: str
    """A name of `EVENT_NAMES`."""
    match: str = ""
    nth: int = 1
    at: str = ""
    """The node; empty: the fault's own target."""
    for_s: float = 1.0
    """How long the fault holds from then on."""

    def __post_init__(self) -> None:
        if self.event not in EVENT_NAMES.values():
            raise UsageError(f"A fault when {self.event!r}: there are {', '.join(EVENT_NAMES.values())}.")
        if len(self.match.encode()) > MATCH_BYTES:
            raise UsageError(f"A fault when {self.event}={self.match!r}: that has more than {MATCH_BYTES} bytes. Shorten it.")
        if self.nth < 1:
            raise UsageError(f"A fault when {self.event}={self.match!r}, nth={self.nth}: needs nth >= 1.")
        if not 0.001 <= self.for_s < float("inf"):
            raise UsageError(f"A fault when {self.event}={self.match!r}, for_s={self.for_s:g}: needs for_s >= 0.001.")

    @property
    def number(self) -> Event:
        return Event[self.event.upper()]

    def __str__(self) -> str:
        at = f"{self.at} " if self.at else ""
        return f"when {at}{self.event} {self.match or 'anything'} #{self.nth} for {self.for_s:g} s"
