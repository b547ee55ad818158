"""A register: read, written, compared and set, deleted."""

from __future__ import annotations

from typing import cast

from harness.model.object_model import SAME, Call, Refused, Rule, State
from harness.model.objects._values import elements


class Register:
    """A register that holds null at first: `read`, `write`, `cas`, `delete`.

    | kind     | value                                                                                        |
    | -------- | -------------------------------------------------------------------------------------------- |
    | `read`   | what was read; null: nothing there                                                           |
    | `write`  | what was written; null: nothing                                                              |
    | `delete` | none: the same as a write of null                                                            |
    | `cas`    | `[expected, new]`, or `[expected, new, false]` if the answer was that it held another value  |
    """

    kinds = frozenset({"read", "write", "cas", "delete"})
    initial: State = None
    clients_alike = True

    def step(self, state: State, call: Call) -> State | Refused:
        return self.rule(call).after(state)

    def rule(self, call: Call) -> Rule:
        match call.kind:
            case "read":
                return Rule(expected=call.value) if call.answered else Rule()
            case "write":
                return Rule(leaves=call.value)
            case "delete":
                return Rule(leaves=None)
        expected, new, swapped = compared(call)
        if not call.answered:
            return Rule(expected=expected, leaves=new, otherwise=SAME)
        return Rule(expected=expected, leaves=new) if swapped else Rule(expected=expected, differs=True)


def compared(call: Call) -> tuple[str | None, str | None, bool]:
    """A compare-and-set's expected value, its new value, and whether it swapped. Raises `ValueError` if it is malformed."""
    match elements(call):
        case (expected, new):
            return expected, new, True
        case (expected, new, "true" | "false" as swapped):
            return expected, new, cast(str, swapped) == "true"
    raise ValueError(f"the value of cas must be [expected, new] or [expected, new, false]; it is {call.value!r}")
