"""The toxics of one proxy: two chains, names unique across both, every change acting at once on all connections."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Literal

import msgspec

from faults.plane import errors
from faults.plane.link import Link
from faults.plane.toxic import Kind, Shared

Direction = Literal["upstream", "downstream"]


@dataclass(slots=True, eq=False)
class Toxic:
    """One toxic on one stream of a proxy. `stream` is the direction as its maker spelled it."""

    name: str
    type: str
    stream: str
    direction: Direction
    toxicity: float
    kind: Kind
    attributes: msgspec.Struct
    shared: Shared = field(default_factory=Shared)
    waiting: set[asyncio.Future[None]] = field(default_factory=set)
    """New connections that it holds before their upstream is dialled."""


class Toxics:
    """The chains, in the order in which their toxics were made."""

    def __init__(self, links: Callable[[Direction], Iterable[Link]]) -> None:
        self._links = links
        self._chains: dict[Direction, list[Toxic]] = {"upstream": [], "downstream": []}

    def chain(self, direction: Direction) -> list[Toxic]:
        return self._chains[direction]

    def all(self) -> list[Toxic]:
        """Every toxic, upstream first."""
        return [*self._chains["upstream"], *self._chains["downstream"]]

    def get(self, name: str) -> Toxic:
        for toxic in self.all():
            if toxic.name == name:
                return toxic
        raise errors.toxic_not_found()

    def has(self, name: str) -> bool:
        return any(toxic.name == name for toxic in self.all())

    def add(self, toxic: Toxic) -> None:
        self._chains[toxic.direction].append(toxic)
        for link in self._links(toxic.direction):
            link.add(toxic)

    def update(self, toxic: Toxic, attributes: msgspec.Struct, toxicity: float) -> None:
        toxic.attributes = attributes
        toxic.toxicity = toxicity
        for link in self._links(toxic.direction):
            link.update(toxic)

    def remove(self, toxic: Toxic) -> None:
        self._chains[toxic.direction].remove(toxic)
        for future in toxic.waiting:
            release(future)
        for link in self._links(toxic.direction):
            link.remove(toxic)

    def clear(self) -> None:
        for toxic in self.all():
            self.remove(toxic)


def release(waiting: asyncio.Future[None]) -> None:
    """Let what waits go on; nothing where it does already."""
    if not waiting.done():
        waiting.set_result(None)
