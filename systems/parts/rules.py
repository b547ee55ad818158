"""Rules that hold over all nodes at once, each checked at every look at the nodes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol, TypeVar

Shown_contra = TypeVar("Shown_contra", contravariant=True)
T = TypeVar("T")


class Rule(Protocol[Shown_contra]):
    """One rule. It remembers what it has seen, so it has to see every look."""

    def broken(self, shown: Mapping[str, Shown_contra], /) -> str | None:
        """What is wrong according to what each running node shows now; None if nothing is."""


class InTurn:
    """Picks one node at each look, each in turn, for what would take too long with all of them."""

    def __init__(self) -> None:
        self._looks = 0

    def pick(self, shown: Mapping[str, object]) -> str | None:
        """The name of a running node; None if there is none."""
        self._looks += 1
        return sorted(shown)[self._looks % len(shown)] if shown else None


def first_broken(rules: Iterable[Rule[T]], shown: Mapping[str, T]) -> str | None:
    """Check all rules, because each must see every look; returns the first violation."""
    found = [rule.broken(shown) for rule in rules]
    return next((why for why in found if why is not None), None)
