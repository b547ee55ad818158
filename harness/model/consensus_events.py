"""What the nodes of a replicated log tell of themselves, as rows of the history's `events`: `kind`, and `detail` as JSON.

| kind | when the node emits it | `detail` |
| --- | --- | --- |
| `vowed` | its term, and whom it voted for in it, are on its disk; at its start too | `{"term": 3, "vote": "n1"}`, or null |
| `leader` | it has become the leader | `{"term": 3}` |
| `appended` | an entry is now the last of its log, at that index | `{"index": 7, "entry_term": 3, "entry": "digest"}` |
| `truncated` | its log ends before that index now, also because a crash took the tail | `{"index": 7}` |
| `committed` | it knows that the entry is committed | `{"index": 7, "entry_term": 3, "term": 3}` |
| `applied` | its state machine has executed the entry | `{"index": 7, "entry": "digest"}` |
| `installed` | a snapshot has replaced its log up to that index | `{"index": 7, "entry_term": 3}` |
| `obeys` | it has done what the leader of another term than before asked, or leads itself | `{"term": 3}` |
| `refused` | it refused what the leader of an earlier term asked | `{"term": 3, "obeyed": 4}` |

`index` counts from 1. `term` is the node's current term, `entry_term` the one in which a leader made the entry. `entry` is
any text that tells entries apart. Several groups of nodes in one system each name theirs: `"group": "shard-2"`; without it
there is one. An event is emitted as soon as what it tells is durable, or (`leader`, `committed`, `applied`) is so for the
node, and in the order in which things happened to it. An entry that is appended replaces what was at its index and after
it. A snapshot replaces all of the log: entries after it that are kept are appended again. Compacting a log needs no event:
what a snapshot of its own holds, a node still has.
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
    """It knows that its disk was damaged, and keeps to what rules that out: it need not remember what it vowed before."""


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
