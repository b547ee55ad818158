"""A counter: incremented, decremented, read."""

from __future__ import annotations

from typing import cast

from harness.model.object_model import REFUSED, Call, Refused, State
from harness.model.objects._values import number


class Counter:
    """A counter that is 0 at first: `increment`, `decrement`, `read`.

    | kind                     | value                                |
    | ------------------------ | ------------------------------------ |
    | `increment`, `decrement` | by how much; null: by 1              |
    | `read`                   | what was read; null is the same as 0 |
    """

    kinds = frozenset({"increment", "decrement", "read"})
    initial: State = 0
    clients_alike = True

    def step(self, state: State, call: Call) -> State | Refused:
        total = cast(int, state)
        match call.kind:
            case "increment":
                return total + number(call, 1)
            case "decrement":
                return total - number(call, 1)
        return state if not call.answered or number(call, 0) == total else REFUSED

    def observes(self, call: Call) -> bool:
        return call.kind == "read"
