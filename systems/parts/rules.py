"""Rules that hold over all nodes at once, each checked at every look at the nodes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol, TypeVar

Shown_contra = TypeVar("Shown_contra", contravariant=True)
T = TypeVar("T")


class Rule(Protocol[Shown_contra]):
    """One rule. It remembers what it has seen, so it has to see every look."""

    def broken(self, shown: Mapping[str, Shown_contra], /) -> str | None:
        """What is wrong according to what each running node shows now; None if nothing is."""


class InTurn:
    """Picks one node at each look, or at one in so many, each in turn, for what would take too long with all of them."""

    def __init__(self, every: int = 1) -> None:
        self._every = every
        self._looks = 0
        self.turn = 0
        """How often it was a node's turn."""

    def pick(self, shown: Mapping[str, T], wanted: Callable[[T], object] = lambda state: True) -> str | None:
        """The name of a running node of which this is wanted; None if there is none, or it is no node's turn."""
        self._looks += 1
        if self._looks % self._every:
            return None
        self.turn += 1
        names = sorted(name for name, state in shown.items() if wanted(state))
        return names[self.turn % len(names)] if names else None


def first_broken(rules: Iterable[Rule[T]], shown: Mapping[str, T]) -> str | None:
    """Check all rules, because each must see every look; returns the first violation."""
    found = [rule.broken(shown) for rule in rules]
    return next((why for why in found if why is not None), None)
