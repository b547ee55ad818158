"""Events that nodes report of their own work (`NodeContext.event`), read back with their types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic, NamedTuple, TypeVar

import msgspec

from harness.model.history import History

T = TypeVar("T")


class BrokenEvent(Exception):
    """An event whose detail does not have the form of its kind."""


class Told(NamedTuple, Generic[T]):
    """An event, with the node that reported it and when."""

    at_ns: int
    node: str
    event: T

    def __str__(self) -> str:
        return f"{self.node} at {self.at_ns / 1e9:.3f} s"


def told(history: History, kinds: Mapping[str, type[T]]) -> list[Told[T]]:
    """The events of these kinds by time. Raises `BrokenEvent` naming the first malformed one."""
    found: list[Told[T]] = []
    for at_ns, node, kind, detail in history.events_in_order:
        if kind not in kinds:
            continue
        try:
            event = msgspec.json.decode(detail or "", type=kinds[kind])
        except msgspec.DecodeError as error:
            raise BrokenEvent(f"the event {kind} of {node} at {at_ns / 1e9:.3f} s says {detail}: {error}") from error
        found.append(Told(at_ns, str(node), event))
    return found
