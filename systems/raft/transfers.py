"""Transfers of snapshots make progress: no piece that a node has received is in vain, and the pieces belong together.

While writes go on, a leader takes newer snapshots all the time, pieces are lost, and answers come late. A transfer that starts
over each time may never end, and no client notices: the others commit without this node. After the load even such a transfer
ends, and nothing shows that the group could not have lost another node until then. Pieces of different snapshots seldom meet
either: it takes a lost answer, or a change of leaders, in the middle.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from systems.raft.core.core import Core
from systems.raft.core.leader import Leader
from systems.raft.core.pieces import Which

_MOST: Final = 4
"""The most snapshots that may be begun without progress: a node that loses its disk, and answers from before that, can make the
leader give a transfer up, but hardly more often than this."""


class _Sending(NamedTuple):
    match: int
    """The last entry that the other node had when the first of `begun` was seen."""
    begun: tuple[int, ...]
    """The last entries of the snapshots that the leader has begun to send it since."""


class _Received(NamedTuple):
    core: Core
    """The node's core, which is another one after a restart: pieces are only in memory."""
    which: Which | None
    offset: int


class Transfers:
    """Checks, at each look, what leaders send and what their followers have of it."""

    def __init__(self) -> None:
        self._sending: dict[str, tuple[Leader, dict[str, _Sending]]] = {}
        self._sent: dict[str, tuple[int, Mapping[int, str]]] = {}
        """By leader, its term and the snapshots that it sends, by the last entry in each."""
        self._received: dict[str, _Received] = {}

    def broken(self, name: str, core: Core) -> str | None:
        return self._begun_anew(name, core) or self._lost(name, core) or self._mixed_up(name, core)

    def _begun_anew(self, name: str, core: Core) -> str | None:
        """Whether a leader has begun too many snapshots for a node that made no progress."""
        leader = core.leading
        if leader is None:
            self._sending.pop(name, None)
            return None
        led, before = self._sending.get(name, (leader, {}))
        matches = leader.matches
        kept = before if led is leader else {}
        now = {to: one for to, one in kept.items() if to in matches and matches[to] <= one.match}
        self._sent[name] = core.term, {snapshot.index: snapshot.data for snapshot in leader.sending.values()}
        for to, snapshot in leader.sending.items():
            last, one = snapshot.index, now.get(to, _Sending(matches[to], ()))
            if last not in one.begun:
                one = one._replace(begun=(*one.begun, last))
            if len(one.begun) > _MOST:
                which = ", ".join(map(str, one.begun))
                return f"{name} has begun to send {to} snapshots up to index {which}, and {to} is no further"
            now[to] = one
        self._sending[name] = leader, now
        return None

    def _lost(self, name: str, core: Core) -> str | None:
        """Whether a node has lost pieces within a term, although it neither has their content nor gets a newer snapshot."""
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

    def _mixed_up(self, name: str, core: Core) -> str | None:
        """A node puts pieces together in their order, each once, and only those of one snapshot."""
        receiving = core.state.receiving
        which = receiving.which
        if which is None:
            return None
        term, sent = self._sent.get(which.leader, (0, {}))
        data = sent.get(which.last) if term == which.term else None
        if data is None or data.startswith(receiving.data):
            return None
        return (
            f"{name} has put together {receiving.offset} characters that are not how {which.leader}'s snapshot up to index"
            f" {which.last} begins"
        )
