"""The rule of requests that a node carries out with one sync: together they leave what they would leave one after another.

Two of one key are seldom in one batch, and still more seldom in the order in which a mistake would show. So that is imagined.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from systems.parts.hints import Hint
from systems.parts.rules import InTurn
from systems.quorum.messages import Entry, Keep, ReplicaRequest
from systems.quorum.replica import Held, Release, Replica
from systems.quorum.shown import Shown


class TogetherAsInTurn:
    """Imagines that a node is to keep something newer than it keeps for a replica, just as that has taken the older one.

    It is another node at each look.
    """

    def __init__(self) -> None:
        self._in_turn = InTurn()

    def broken(self, shown: Mapping[str, Shown]) -> str | None:
        name = self._in_turn.pick(shown)
        if name is None:
            return None
        state = shown[name]
        home, hint = next(((home, hint) for home, kept in state.kept.items() for hint in kept.values()), ("", None))
        if hint is None or state.changes is None:
            return None
        newer = Entry(msgspec.structs.replace(hint.what.version, counter=hint.what.version.counter + 1), hint.what.value)
        keep, release = Keep(hint.key, newer, home), Release(hint.key, hint.what.version, home)
        orders: list[list[ReplicaRequest | Release]] = [[keep, release], [release, keep]]
        for batch in orders:
            together, in_turn = _keeping(home, hint), _keeping(home, hint)
            for held in state.changes(batch):
                together.logged(held)
            _carry_out(in_turn, batch)
            if together.kept_by_home() != in_turn.kept_by_home():
                order = " and then to ".join(type(request).__name__.lower() for request in batch)
                return f"{name}, asked to {order} something of one key for {home}, would not be left with the newer entry"
        return None


def _keeping(home: str, hint: Hint[Entry]) -> Replica:
    """A replica that keeps this and nothing else."""
    replica = Replica(peers=[home])
    replica.logged(Held(hint.key, hint.what, home))
    return replica


def _carry_out(replica: Replica, requests: Sequence[ReplicaRequest | Release]) -> None:
    for request in requests:
        if (held := replica.after(request, replica.entry(request.key))) is not None:
            replica.logged(held)
