"""What a node must still know after a crash, compared with what a start would find on its disk."""

from __future__ import annotations

from collections.abc import Iterable

from systems.quorum.messages import Entry
from systems.quorum.replica import Held, is_none
from systems.quorum.storage import Storage

_FLOOR = ("", "")
"""Where the entry is that stands for all keys that are not held: no key is empty."""


def forgotten(node: Storage, started: Storage) -> str | None:
    """What `node` knows, or has done, and the node `started` on its disk does not know; None if nothing.

    A replica may have reported all of it to others: an entry that is older again, a promise that is gone, an entry that it
    keeps again although it has delivered it. Only what was being written may have reached the disk or not.
    """
    if started.start <= node.start:
        return f"start {node.start} would be followed by start {started.start}"
    if node.in_memory or node.damaged is not None:
        return None
    if started.damaged is not None:
        return f"the log would count as damaged: {started.damaged}"
    knows, finds = _by_place(node.replica.entries()), _by_place(started.replica.entries())
    for place in dict.fromkeys([*knows, *finds]):
        known, found = knows.get(place), finds.get(place)
        if place == _FLOOR:
            lost = known is not None and (found is None or found.floor < known.floor)
        else:
            lost = found != known and found not in [
                None if is_none(entry) else entry for key, entry, home in node.in_doubt if (home, key) == place
            ]
        if lost:
            home, key = place
            whose = f"of key {key}, kept for {home}" if home else f"of key {key}" if key else "of all other keys"
            return f"{whose}, it would hold {_as_text(found)} in place of {_as_text(known)}"
    return None


def _by_place(held: Iterable[Held]) -> dict[tuple[str, str], Entry]:
    return {(home, key): entry for key, entry, home in held}


def _as_text(entry: Entry | None) -> str:
    if entry is None:
        return "nothing"
    version, successor = entry.version, entry.successor
    promised = "" if successor is None else f", whose successor has the ballot {successor.promised} promised"
    accepted = "" if successor is None or successor.accepted is None else f" and {successor.accepted} accepted"
    return f"version {version.counter} of {version.writer}{promised}{accepted}"
