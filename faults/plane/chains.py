"""The toxics of one proxy: one chain for each stream, with names unique across both. Changes act at once on all connections."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from faults.plane import errors
from faults.plane.link import Link
from faults.plane.scope import Scope
from faults.plane.toxic import Direction, Toxic


class Chains:
    """Both chains, each in the order in which its toxics were created."""

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

    def update(self, toxic: Toxic, attributes: msgspec.Struct, scope: Scope, toxicity: float) -> None:
        toxic.attributes = attributes
        toxic.scope = scope
        toxic.toxicity = toxicity
        for link in self._links(toxic.direction):
            link.update(toxic)

    def remove(self, toxic: Toxic) -> None:
        self._chains[toxic.direction].remove(toxic)
        toxic.release_waiting()
        for link in self._links(toxic.direction):
            link.remove(toxic)

    def clear(self) -> None:
        for toxic in self.all():
            self.remove(toxic)
