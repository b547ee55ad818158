"""A register of text that can be appended to."""

from __future__ import annotations

from typing import cast

from harness.model.object_model import REFUSED, Call, Refused, State


class Text:
    """A text that is empty at first: `read`, `write`, `append`.

    | kind     | value                                             |
    | -------- | ------------------------------------------------- |
    | `read`   | the whole text; null is the same as an empty one  |
    | `write`  | the text that replaces what was there             |
    | `append` | the text added at the end                         |
    """

    kinds = frozenset({"read", "write", "append"})
    initial: State = ""
    clients_alike = True

    def step(self, state: State, call: Call) -> State | Refused:
        text = call.value or ""
        match call.kind:
            case "write":
                return text
            case "append":
                return cast(str, state) + text
        return state if not call.answered or text == state else REFUSED

    def observes(self, call: Call) -> bool:
        return call.kind == "read"

    def overwrites(self, call: Call) -> bool:
        return call.kind == "write"
