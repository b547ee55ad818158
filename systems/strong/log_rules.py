"""What a replica's log says of its epochs: the same wherever it is cut off. And what it is rewritten to: the same log.

Logs are cut where another one begins to differ, and where a snapshot was taken, which seldom is just where an epoch ends, or
when the log is due to be rewritten. So that is imagined.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Final

from systems.parts.rules import InTurn
from systems.strong.log import Log
from systems.strong.messages import Begin, Command, Entry, Matched, Position
from systems.strong.replica import Replica, Take
from systems.strong.shown import Shown
from systems.strong.storage import rewritten

_EVERY: Final = 4
"""At one in so many looks, one replica's log is rewritten."""


def strange_ends(name: str, log: Log) -> str | None:
    """Where this log, cut off around the end of an epoch, would not end with the entry that is there."""
    ends = log.ends()
    if not _ascend(ends):
        return f"{name} has a log with the ends {_as_text(ends)}"
    for index in dict.fromkeys(end.index + step for end in ends for step in (-1, 0, 1)):
        if not 0 < index <= log.last.index:
            continue
        cut = log.ends(index)
        if not _ascend(cut) or cut[-1] != log.position(index):
            return f"{name} has a log with the ends {_as_text(ends)}, and cut off at {index} it would have {_as_text(cut)}"
    return None


class ImaginedRewriting:
    """Imagines that an entry arrives for which a replica's log has to be rewritten: after its last one, or in place of it."""

    def __init__(self) -> None:
        self._in_turn = InTurn(_EVERY)

    def broken(self, shown_by: Mapping[str, Shown]) -> str | None:
        name = self._in_turn.pick(shown_by)
        if name is None:
            return None
        replica = shown_by[name].replica
        for after in (replica.log.last.index, replica.log.last.index - 1):
            if after >= replica.committed and (why := _changed_when_rewritten(name, replica, after)) is not None:
                return why
        return None


def _changed_when_rewritten(name: str, replica: Replica, after: int) -> str | None:
    log, entries = replica.log, [Entry(replica.log.last.epoch + 1, Command(Begin()))]
    due = Log(log.ends(log.base), log.after(log.base))
    due.put(after, entries)
    snapshot, kept = rewritten(replica, Take(after, entries, Matched(after + 1)))
    found = Log(snapshot.ends, kept)
    if found.ends() == due.ends() and found.after(found.base) == due.after(found.base):
        return None
    return (
        f"{name} has the log up to {log.last.index}, and if it were rewritten for an entry after {after}, it would have the"
        f" ends {_as_text(found.ends())}"
    )


def _ascend(ends: list[Position]) -> bool:
    return all(one.epoch < other.epoch and one.index < other.index for one, other in pairwise(ends))


def _as_text(ends: list[Position]) -> str:
    return ", ".join(f"{end.index} of epoch {end.epoch}" for end in ends) or "of no epoch"
