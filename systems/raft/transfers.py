"""Snapshots on their way: whatever a node has received of one brings it further.

While writes go on, a leader takes newer snapshots all the time, pieces are lost, and answers come late. A transfer that starts
over each time never ends if it takes longer than that, and no client notices: the others commit without this node. When the
load is over, even such a transfer comes to its end, and nobody sees that the group could not have lost another node.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from systems.raft.core.core import Core
from systems.raft.core.leader import Leader
from systems.raft.core.pieces import Which

_MOST: Final = 4
"""Answers from before a transfer, which come late, can make the leader give it up; hardly so often."""


class _Sending(NamedTuple):
    match: int
    """What the other node had when the first of these was seen."""
    begun: tuple[int, ...]
    """The last entries in the snapshots that have been sent to it since."""


class _Received(NamedTuple):
    core: Core
    """Pieces are kept in memory, so another life of the node has none."""
    which: Which | None
    offset: int


class Transfers:
    """Looks at what leaders send and at what their followers have of it; it remembers the last look at each."""

    def __init__(self) -> None:
        self._sending: dict[str, tuple[Leader, dict[str, _Sending]]] = {}
        self._received: dict[str, _Received] = {}

    def broken(self, name: str, core: Core) -> str | None:
        return self._begun_anew(name, core) or self._lost(name, core)

    def _begun_anew(self, name: str, core: Core) -> str | None:
        """A leader begins another snapshot once the last one, or entries after all, have brought the node further."""
        leader = core.leading
        if leader is None:
            self._sending.pop(name, None)
            return None
        led, before = self._sending.get(name, (leader, {}))
        matches = leader.matches
        kept = before if led is leader else {}
        now = {to: one for to, one in kept.items() if to in matches and matches[to] <= one.match}
        for to, last in leader.sending.items():
            one = now.get(to, _Sending(matches[to], ()))
            if last not in one.begun:
                one = one._replace(begun=(*one.begun, last))
            if len(one.begun) > _MOST:
                which = ", ".join(map(str, one.begun))
                return f"{name} has begun to send {to} snapshots up to index {which}, and {to} is no further"
            now[to] = one
        self._sending[name] = leader, now
        return None

    def _lost(self, name: str, core: Core) -> str | None:
        """Within a term, a node forgets pieces only for those of a newer snapshot, or once it has what is in them."""
        receiving = core.state.receiving
        last = self._received.get(name)
        self._received[name] = _Received(core, receiving.which, receiving.offset)
        if last is None or last.core is not core or last.which is None or receiving.which not in (None, last.which):
            return None
        if last.which.term != core.term or receiving.offset >= last.offset or core.state.commit >= last.which.last:
            return None
        return (
            f"{name} had {last.offset} of {last.which.size} characters of {last.which.leader}'s snapshot up to index"
            f" {last.which.last}, and has {receiving.offset} now"
        )
