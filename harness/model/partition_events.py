"""What a partitioned store tells of itself, as rows of the history's `events`: `kind`, and `detail` as JSON.

| kind | who tells it, and when | `detail` |
| --- | --- | --- |
| `served` | a node has answered a client for a key, for the first time in an epoch | `{"key": "r1", "epoch": 7}` |
| `map` | the keeper of the map has made another one | `{"epoch": 7, "method": "jump", "whole": false, "partitions": […]}` |
| `planned` | the keeper has decided where partitions are to be | `{"epoch": 7, "why": "members", "members": {"n1": 1.0}, …}` |
| `copied` | a node has a copy of a partition that moves to it | `{"low": "8", "move": 7, "taken_bytes": 9, "of_bytes": 9}` |
| `settled` | every partition is where it is to be | `{"epoch": 9}` |

`epoch` of `served` is that of the key's partition, of all others that of the map. A map's `partitions` are lists of where a
partition begins, its epoch, its owners, and those who are about to own it: all of them if it is `whole`, else those that
changed. Of a plan, `copies` is how many copies of partitions there are, `moves` how many of them are to be on another node than
before, and `ideal` the share of them that has to move at least for each member to have its share by weight; null if the
method does not promise to move about as little.
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
