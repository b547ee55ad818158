"""The events that a partitioned store reports, as rows of the history's `events`: `kind`, and `detail` as JSON.

| kind | when it is reported | `detail` |
| --- | --- | --- |
| `served` | a node has answered a client for a key, for the first time in an epoch | `{"key": "r1", "epoch": 7}` |
| `map` | the map's keeper has published a new map | `{"epoch": 7, "method": "jump", "whole": false, "partitions": […]}` |
| `planned` | the keeper has decided where partitions should be | `{"epoch": 7, "why": "members", "members": {"n1": 1.0}, …}` |
| `copied` | a node has a copy of a partition that moves to it | `{"low": "8", "move": 7, "taken_bytes": 9, "of_bytes": 9}` |
| `settled` | every partition is where it should be | `{"epoch": 9}` |

In `served`, `epoch` is the epoch of the key's partition; elsewhere, of the map. A map's `partitions` are lists of a
partition's lower bound, its epoch, its owners, and its next owners: all partitions if the map is `whole`, else the changed
ones. In a plan, `copies` counts copies of partitions, `moves` counts the copies that move to another node, and `ideal` is the
smallest share of copies that must move for each member to have its share by weight; null if the method does not promise to
move about as little.
"""

from __future__ import annotations

from typing import Final

import msgspec


class Served(msgspec.Struct, frozen=True, kw_only=True):
    key: str
    epoch: int


class ToldPartition(msgspec.Struct, frozen=True, array_like=True):
    low: str
    epoch: int
    owners: list[str]
    target: list[str]


class ToldMap(msgspec.Struct, frozen=True, kw_only=True):
    epoch: int
    method: str
    whole: bool
    partitions: list[ToldPartition]


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    epoch: int
    why: str
    members: dict[str, float]
    """Their weights."""
    copies: int
    moves: int
    ideal: float | None


class Copied(msgspec.Struct, frozen=True, kw_only=True):
    low: str
    move: int
    taken_bytes: int
    of_bytes: int


class Settled(msgspec.Struct, frozen=True, kw_only=True):
    epoch: int


PartitionEvent = Served | ToldMap | Planned | Copied | Settled

KINDS: Final[dict[str, type[PartitionEvent]]] = {
    "served": Served,
    "map": ToldMap,
    "planned": Planned,
    "copied": Copied,
    "settled": Settled,
}
