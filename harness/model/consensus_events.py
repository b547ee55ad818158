"""The events that nodes of a replicated log report, as rows of the history's `events`: `kind`, and `detail` as JSON.

| kind | when the node emits it | `detail` |
| --- | --- | --- |
| `vowed` | its term and its vote in that term are on its disk; also at its start | `{"term": 3, "vote": "n1"}`, or null |
| `leader` | it has become the leader | `{"term": 3}` |
| `appended` | an entry is now the last of its log, at that index | `{"index": 7, "entry_term": 3, "entry": "digest"}` |
| `truncated` | its log now ends before that index, perhaps because a crash took the tail | `{"index": 7}` |
| `committed` | it knows that the entry is committed | `{"index": 7, "entry_term": 3, "term": 3}` |
| `applied` | its state machine has executed the entry | `{"index": 7, "entry": "digest"}` |
| `installed` | a snapshot has replaced its log up to that index | `{"index": 7, "entry_term": 3}` |
| `obeys` | it has carried out a request of the leader of a new term, or leads in that term | `{"term": 3}` |
| `refused` | it refused a request of the leader of an earlier term | `{"term": 3, "obeyed": 4}` |

`index` counts from 1. `term` is the node's current term, `entry_term` the term in which a leader made the entry. `entry` is
any text that tells entries apart. If a system has several groups of nodes, each event names its group: `"group": "shard-2"`.
A node emits an event as soon as the fact is durable (`leader`, `committed`, `applied`: as soon as the node knows it), in the
order in which things happened to it. An appended entry replaces whatever was at its index and after it. A snapshot replaces
the whole log: entries kept after it are appended again. Compacting a log needs no event: the node still has the entries, in
its own snapshot.
"""

from __future__ import annotations

from typing import Final

import msgspec


class _Event(msgspec.Struct, frozen=True, kw_only=True):
    group: str = ""


class Vowed(_Event, frozen=True, kw_only=True):
    term: int
    vote: str | None
    anew: bool = False
    """The node knows that its disk was damaged and follows the rules for that, so it need not remember earlier vows."""


class Leader(_Event, frozen=True, kw_only=True):
    term: int


class Appended(_Event, frozen=True, kw_only=True):
    index: int
    entry_term: int
    entry: str


class Truncated(_Event, frozen=True, kw_only=True):
    index: int


class Committed(_Event, frozen=True, kw_only=True):
    index: int
    entry_term: int
    term: int


class Applied(_Event, frozen=True, kw_only=True):
    index: int
    entry: str


class Installed(_Event, frozen=True, kw_only=True):
    index: int
    entry_term: int


class Obeys(_Event, frozen=True, kw_only=True):
    term: int


class Refused(_Event, frozen=True, kw_only=True):
    term: int
    obeyed: int


ConsensusEvent = Vowed | Leader | Appended | Truncated | Committed | Applied | Installed | Obeys | Refused

KINDS: Final[dict[str, type[ConsensusEvent]]] = {
    "vowed": Vowed,
    "leader": Leader,
    "appended": Appended,
    "truncated": Truncated,
    "committed": Committed,
    "applied": Applied,
    "installed": Installed,
    "obeys": Obeys,
    "refused": Refused,
}
