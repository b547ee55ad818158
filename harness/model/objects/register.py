"""A register: read, written, compared and set, deleted."""

from __future__ import annotations

from typing import cast

from harness.model.object_model import REFUSED, Call, Refused, State
from harness.model.objects._values import elements


class Register:
    """A register that holds null at first: `read`, `write`, `cas`, `delete`.

    | kind     | value                                                                                        |
    | -------- | -------------------------------------------------------------------------------------------- |
    | `read`   | what was read; null: nothing there                                                           |
    | `write`  | what was written; null: nothing                                                              |
    | `delete` | none: the same as a write of null                                                            |
    | `cas`    | `[expected, new]`, or `[expected, new, false]` if it was answered that another value is there |
    """

    kinds = frozenset({"read", "write", "cas", "delete"})
    initial: State = None

    def step(self, state: State, call: Call) -> State | Refused:
        match call.kind:
            case "read":
                return state if not call.answered or call.value == state else REFUSED
            case "write":
                return call.value
            case "delete":
                return None
        expected, new, swapped = compared(call)
        if not call.answered:
            return new if state == expected else state
        if not swapped:
            return state if state != expected else REFUSED
        return new if state == expected else REFUSED

    def observes(self, call: Call) -> bool:
        return call.kind == "read" or (call.kind == "cas" and call.answered and not compared(call)[2])

    def overwrites(self, call: Call) -> bool:
        return call.kind in ("write", "delete")


def compared(call: Call) -> tuple[str | None, str | None, bool]:
    """What a compare-and-set expected, what it would write, and whether it did. Raises `ValueError` if it does not say."""
    match elements(call):
        case (expected, new):
            return expected, new, True
        case (expected, new, "true" | "false" as swapped):
            return expected, new, cast(str, swapped) == "true"
    raise ValueError(f"the value of cas must be [expected, new] or [expected, new, false]; it is {call.value!r}")
