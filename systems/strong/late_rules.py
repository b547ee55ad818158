"""The rules of what comes late, or again: it takes nothing away from a replica, and a primary counts on nothing because of it.

A request is rarely so late that the log goes on after what it holds, a backup rarely loses its log between two answers, and its
answer rarely comes in the same turn of the loop as a later epoch. So all of them are imagined.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from systems.parts.rules import InTurn
from systems.strong.messages import Append, Configuration, Diverged, Install, Matched
from systems.strong.pieces import Sending
from systems.strong.protocol import Primary
from systems.strong.replica import Replica, Take
from systems.strong.shown import Shown

_EVERY: Final = 4
"""At one in so many looks, one replica is looked at."""

_ENTRIES: Final = 8
_CHARACTERS: Final = 1024
"""Of a late request."""


class ImaginedLateness:
    """Imagines that a replica gets again what it has, that a primary's backup has lost what it had, and that the answers of its
    backups come after its epoch."""

    def __init__(self) -> None:
        self._in_turn = InTurn(_EVERY)

    def broken(self, shown_by: Mapping[str, Shown]) -> str | None:
        name = self._in_turn.pick(shown_by)
        if name is None:
            return None
        shown = shown_by[name]
        why = _replaced(name, shown.replica)
        why = why or (None if shown.primary is None else _counted(name, shown.primary, shown.now_s))
        return why or _counted_when_over(name, shown)


def _replaced(name: str, replica: Replica) -> str | None:
    """What a replica would put in the place of what it has, if it got a part of that again."""
    log, configuration = replica.log, Configuration(0, replica.epoch, "", ())
    committed = replica.committed
    requests = (
        Install(
            configuration=configuration,
            piece=Sending(replica.snapshot()).piece(_CHARACTERS),
            committed=committed,
            established=False,
        ),
        Append(
            configuration=configuration,
            previous=log.position(log.base),
            entries=log.after(log.base, _ENTRIES),
            committed=committed,
            established=False,
        ),
    )
    for request in requests:
        placed = replica.place(request)
        if not isinstance(placed, Take) or placed.entries:
            what = "a snapshot" if isinstance(request, Install) else "entries"
            return f"{name}, which has the log up to {log.last.index}, would not keep it if {what} that it has came again"
    return None


def _counted_when_over(name: str, shown: Shown) -> str | None:
    """What a primary would count as acknowledged after its epoch, although its log may be another primary's by then."""
    if shown.committed_when_over is None or (index := shown.committed_when_over()) <= shown.replica.committed:
        return None
    return f"{name}, the primary of epoch {shown.epoch}, would count {index} as acknowledged by answers after its epoch"


def _counted(name: str, primary: Primary, now_s: float) -> str | None:
    """On what a primary would still count although the backup has said otherwise, or said it too early."""
    last, who = primary.replica.log.last.index, f"{name}, the primary of epoch {primary.configuration.epoch}"
    for other, matched in primary.matches.items():
        for says in (Matched(0), Diverged([])):
            imagined = primary.imagined()
            imagined.answered(other, says)
            if imagined.matches[other]:
                return f"{who}, would count on {other} to have {matched} if it said that it has nothing"
        imagined, used = primary.imagined(), msgspec.structs.replace(primary.configuration, used=True)
        imagined.configuration = msgspec.structs.replace(used, used=False)
        imagined.send(other, now_s, _CHARACTERS)
        imagined.kept(msgspec.structs.replace(used, version=used.version + 1))
        imagined.answered(other, Matched(last))
        if imagined.matches[other]:
            return (
                f"{who}, would count on {other} to have {last}, by an answer to what was sent before the configuration was in"
                " use: since then it may have lost its disk, and have been told that it lacks nothing"
            )
    return None
