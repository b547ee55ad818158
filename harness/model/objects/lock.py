"""A lock: held by one client at a time."""

from __future__ import annotations

from harness.model.object_model import SAME, Call, Refused, Rule, State


class Lock:
    """A lock that is free at first, held by one client at a time, not reentrant: `acquire`, `release`.

    | kind      | value                                                                                     |
    | --------- | ----------------------------------------------------------------------------------------- |
    | `acquire` | null or a fencing token if the client got it, `false` if the answer was that it is held   |
    | `release` | null if the client gave it back, `false` if the answer was that it is not the holder      |
    """

    kinds = frozenset({"acquire", "release"})
    initial: State = None

    def step(self, state: State, call: Call) -> State | Refused:
        return self.rule(call).after(state)

    def rule(self, call: Call) -> Rule:
        before, after = (None, call.client) if call.kind == "acquire" else (call.client, None)
        if not call.answered:
            return Rule(expected=before, leaves=after, otherwise=SAME)
        refused = call.value is not None and call.value.lower() == "false"
        return Rule(expected=before, differs=True) if refused else Rule(expected=before, leaves=after)
