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


def first_broken(rules: Iterable[Rule[T]], shown: Mapping[str, T]) -> str | None:
    """Check all rules, because each must see every look; returns the first violation."""
    found = [rule.broken(shown) for rule in rules]
    return next((why for why in found if why is not None), None)
