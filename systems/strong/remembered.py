"""What a replica must still know after a crash, compared with what a start would find on its disk."""

from __future__ import annotations

from systems.strong.replica import Replica


def forgotten(replica: Replica, started: Replica, sure_until: int | None) -> str | None:
    """What `replica` knows and the one `started` on its disk does not know; None if nothing.

    Entries after `sure_until` were being written, or the disk did not take them: it may have what was there before, or not;
    None if there are none.
    """
    if started.epoch < replica.epoch:
        return f"it would obey epoch {started.epoch} again, and has promised to obey none before {replica.epoch}"
    if not replica.ready:
        return None
    if not started.ready:
        return "it would not know whether it has everything that was acknowledged"
    log, found = replica.log, started.log
    last = log.last.index if sure_until is None else min(sure_until, log.last.index)
    if found.last.index < last:
        return f"its log would end with index {found.last.index}, and {last} was stored"
    for index in range(max(log.base, found.base) + 1, last + 1):
        if found.entry(index) != log.entry(index):
            epochs = found.position(index).epoch, log.position(index).epoch
            return f"it would hold an entry of epoch {epochs[0]} at index {index}, in place of one of epoch {epochs[1]}"
    return None
