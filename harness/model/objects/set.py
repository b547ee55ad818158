"""A set: elements added, removed and looked for."""

from __future__ import annotations

from typing import cast

from harness.model.object_model import REFUSED, Call, Refused, State
from harness.model.objects._values import elements, single


class Set:
    """A set that is empty at first: `add`, `remove`, `contains`, `read`.

    | kind            | value                                                                    |
    | --------------- | ------------------------------------------------------------------------ |
    | `add`, `remove` | the element                                                              |
    | `contains`      | `[element, true]` or `[element, false]`                                  |
    | `read`          | all elements, a JSON array in any order; null is the same as none at all |
    """

    kinds = frozenset({"add", "remove", "contains", "read"})
    initial: State = frozenset()
    clients_alike = True

    def step(self, state: State, call: Call) -> State | Refused:
        held = cast(frozenset[str | None], state)
        match call.kind:
            case "add":
                return held | {single(call)}
            case "remove":
                return held - {single(call)}
        if not call.answered:
            return state
        if call.kind == "read":
            return state if held == frozenset(elements(call) if call.value is not None else ()) else REFUSED
        match elements(call):
            case (element, "true" | "false" as found):
                return state if (element in held) == (found == "true") else REFUSED
        raise ValueError(f"the value of contains must be [element, true] or [element, false]; it is {call.value!r}")

    def observes(self, call: Call) -> bool:
        return call.kind in ("contains", "read")
