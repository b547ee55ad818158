"""A queue, first in, first out."""

from __future__ import annotations

from typing import cast

from harness.model.object_model import REFUSED, Call, Refused, State
from harness.model.objects._values import single


class Queue:
    """A queue that is empty at first, first in, first out: `enqueue`, `dequeue`.

    | kind      | value                                               |
    | --------- | --------------------------------------------------- |
    | `enqueue` | the element, not null                               |
    | `dequeue` | the element that came; null: the queue was empty    |
    """

    kinds = frozenset({"enqueue", "dequeue"})
    initial: State = ()
    clients_alike = True

    def step(self, state: State, call: Call) -> State | Refused:
        waiting = cast(tuple[str | None, ...], state)
        if call.kind == "enqueue":
            if call.value is None:
                raise ValueError("null cannot be enqueued: a dequeue of null says that the queue was empty")
            return (*waiting, single(call))
        if not call.answered:
            return waiting[1:]
        if call.value is None:
            return REFUSED if waiting else state
        return waiting[1:] if waiting and waiting[0] == single(call) else REFUSED

    def observes(self, call: Call) -> bool:
        return call.kind == "dequeue" and call.answered and call.value is None
