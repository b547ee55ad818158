"""A lock: held by one client at a time."""

from __future__ import annotations

from harness.model.object_model import REFUSED, Call, Refused, State


class Lock:
    """A lock that is free at first, held by one client at a time, not reentrant: `acquire`, `release`.

    | kind      | value                                                                                     |
    | --------- | ----------------------------------------------------------------------------------------- |
    | `acquire` | null if the client got it, `false` if it was answered that the lock is held               |
    | `release` | null if the client gave it back, `false` if it was answered that it is not the holder     |
    """

    kinds = frozenset({"acquire", "release"})
    initial: State = None

    def step(self, state: State, call: Call) -> State | Refused:
        may = state is None if call.kind == "acquire" else state == call.client
        after = call.client if call.kind == "acquire" else None
        if not call.answered:
            return after if may else state
        if refused(call):
            return REFUSED if may else state
        return after if may else REFUSED

    def observes(self, call: Call) -> bool:
        return call.answered and refused(call)


def refused(call: Call) -> bool:
    """Whether the call was answered that it cannot be done."""
    return call.value == "false"
