"""A log: appended to, read whole."""

from __future__ import annotations

from typing import cast

from harness.model.object_model import REFUSED, Call, Refused, State
from harness.model.objects._values import elements, single


class Log:
    """A log that is empty at first: `append`, `read`.

    | kind     | value                                                                      |
    | -------- | -------------------------------------------------------------------------- |
    | `append` | the element                                                                |
    | `read`   | all elements in order, a JSON array; null is the same as an empty one      |
    """

    kinds = frozenset({"append", "read"})
    initial: State = ()
    clients_alike = True

    def step(self, state: State, call: Call) -> State | Refused:
        if call.kind == "append":
            return (*cast(tuple[str | None, ...], state), single(call))
        if not call.answered:
            return state
        return state if state == (elements(call) if call.value is not None else ()) else REFUSED

    def observes(self, call: Call) -> bool:
        return call.kind == "read"
