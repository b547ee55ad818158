"""What a node must still know after a crash, compared with what a start would find on its disk."""

from __future__ import annotations

from systems.quorum.messages import Entry
from systems.quorum.replica import Replica, is_none
from systems.quorum.storage import Storage


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
    if started.replica.floor < node.replica.floor:
        return f"of all other keys, it would know counters up to {started.replica.floor} only, and not {node.replica.floor}"
    knows, finds = _by_place(node.replica), _by_place(started.replica)
    for place in dict.fromkeys([*knows, *finds]):
        known, found = knows.get(place), finds.get(place)
        if found != known and found not in [
            None if is_none(entry) else entry for key, entry, home in node.in_doubt if (home, key) == place
        ]:
            home, key = place
            whose = f"of key {key}, kept for {home}" if home else f"of key {key}"
            return f"{whose}, it would hold {_as_text(found)} in place of {_as_text(known)}"
    return None


def _by_place(replica: Replica) -> dict[tuple[str, str], Entry]:
    """By whom it is for, "" for itself, and key. Not by what is written into a new log, which may leave something out."""
    kept = {(home, key): hint.what for home, hints in replica.kept_by_home().items() for key, hint in hints.items()}
    return {("", key): entry for key, entry in replica.by_key.items()} | kept


def _as_text(entry: Entry | None) -> str:
    if entry is None:
        return "nothing"
    version, successor = entry.version, entry.successor
    promised = "" if successor is None else f", whose successor has the ballot {successor.promised} promised"
    accepted = "" if successor is None or successor.accepted is None else f" and {successor.accepted} accepted"
    return f"version {version.counter} of {version.writer}{promised}{accepted}"
