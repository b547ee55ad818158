"""Check that a key had one owner at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from harness.checkers._wording import count
from harness.model.history import History
from harness.model.node_events import BrokenEvent, Told, told
from harness.model.partition_events import Served, ToldMap, ToldPartition
from harness.model.verdict import Verdict

_Told = Told[Served | ToldMap]
_KINDS: Final[Mapping[str, type[Served | ToldMap]]] = {"served": Served, "map": ToldMap}


def one_owner(history: History) -> Verdict:
    """No two nodes answer for a key in one epoch, and each epoch has one map.

    Judges `served` and `map` events (`harness.model.partition_events`). The keeper of the map never goes back to an earlier
    epoch. A node that answers under an old epoch, because it has not heard of the newer one, does not count as answering in
    the new one: whether its answer is stale is for `linearizable` to say. O(n).
    """
    try:
        events: list[_Told] = told(history, _KINDS)
    except BrokenEvent as error:
        return Verdict(valid=None, why=str(error))
    served: dict[tuple[str, int], _Told] = {}
    entries: dict[tuple[str, int], tuple[_Told, ToldPartition]] = {}
    newest: _Told | None = None
    changed: dict[int, tuple[_Told, set[str]]] = {}
    """By the map's epoch, the partitions whose epoch it is, by their lower bounds."""
    for each in events:
        if isinstance(each.event, Served):
            first = served.setdefault((each.event.key, each.event.epoch), each)
            if first.node != each.node:
                return Verdict(
                    valid=False,
                    why=f"two nodes answered for {each.event.key} in epoch {each.event.epoch}: {first}, and {each}",
                )
            continue
        if newest is not None and isinstance(newest.event, ToldMap) and each.event.epoch < newest.event.epoch:
            return Verdict(
                valid=False, why=f"{each} went back to epoch {each.event.epoch}; epoch {newest.event.epoch} was {newest}"
            )
        newest = each
        lows = {partition.low for partition in each.event.partitions if partition.epoch == each.event.epoch}
        first, those = changed.setdefault(each.event.epoch, (each, lows))
        if more := sorted(lows - those):
            why = f"epoch {each.event.epoch} has two maps: by {each}, the partition from {more[0]!r} is of it, not by {first}"
            return Verdict(valid=False, why=why)
        for partition in each.event.partitions:
            before, known = entries.setdefault((partition.low, partition.epoch), (each, partition))
            if known != partition:
                return Verdict(
                    valid=False,
                    why=f"the partition from {partition.low!r} has two lists of owners in epoch {partition.epoch}:"
                    f" {', '.join(known.owners)} by {before}, {', '.join(partition.owners)} by {each}",
                )
    if not served:
        return Verdict(valid=None, why="no node told that it had answered for a key")
    keys = {key for key, _ in served}
    return Verdict(
        valid=True, why=f"{count(len(keys), 'key')} had one owner each in every one of {count(len(served), 'epoch')} of theirs"
    )


def applies(history: History) -> bool:
    """Whether nodes reported for which keys they answered."""
    return bool((history.events["kind"] == "served").any())
