"""A register: read, written, compared and set, deleted."""

from __future__ import annotations

from typing import Final, NamedTuple

from harness.model.object_model import SAME, WHATEVER, Call, Refused, Rule, State, Whatever
from harness.model.objects._values import elements, single


class Register:
    """A register that holds null at first: `read`, `write`, `cas`, `delete`.

    | kind     | value                                                                                        |
    | -------- | -------------------------------------------------------------------------------------------- |
    | `read`   | what was read; null: nothing there                                                           |
    | `write`  | what was written; null: nothing                                                              |
    | `delete` | none: the same as a write of null                                                            |
    | `cas`    | `[expected, new]`, or `[expected, new, false]` if the answer was that it held another value; |
    |          | `[expected, new, false, held]` if the answer says which: then it is a read, too              |
    """

    kinds = frozenset({"read", "write", "cas", "delete"})
    initial: State = None
    clients_alike = True

    def step(self, state: State, call: Call) -> State | Refused:
        return self.rule(call).after(state)

    def rule(self, call: Call) -> Rule:
        match call.kind:
            case "read":
                return Rule(expected=single(call)) if call.answered else Rule()
            case "write":
                return Rule(leaves=single(call))
            case "delete":
                return Rule(leaves=None)
        expected, new, swapped, held = compared(call)
        if not call.answered:
            return Rule(expected=expected, leaves=new, otherwise=SAME)
        if swapped:
            return Rule(expected=expected, leaves=new)
        if held is WHATEVER:
            return Rule(expected=expected, differs=True)
        return Rule(expected=held) if held != expected else _IMPOSSIBLE


_IMPOSSIBLE: Final = Rule(expected=("held by no register",))
"""The rule of a refusal that names the very value that was expected."""


class Comparison(NamedTuple):
    """What a compare-and-set expects and sets, whether it swapped and, of a refusal that tells, what was held instead."""

    expected: str | None
    new: str | None
    swapped: bool = True
    held: str | Whatever | None = WHATEVER


def compared(call: Call) -> Comparison:
    """A compare-and-set as its value spells it. Raises `ValueError` if that is malformed."""
    match elements(call):
        case (expected, new):
            return Comparison(expected, new)
        case (expected, new, "true" | "false" as swapped):
            return Comparison(expected, new, swapped == "true")
        case (expected, new, "false", held):
            return Comparison(expected, new, False, held)
    forms = "[expected, new], [expected, new, false] or [expected, new, false, held]"
    raise ValueError(f"the value of cas must be {forms}; it is {call.value!r}")
