"""Rules that hold over all nodes at once, each checked from look to look."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol, TypeVar

Shown_contra = TypeVar("Shown_contra", contravariant=True)
T = TypeVar("T")


class Rule(Protocol[Shown_contra]):
    """One rule. It remembers what it has seen, so it has to see every look."""

    def broken(self, shown: Mapping[str, Shown_contra], /) -> str | None:
        """What is wrong by now, by what each running node shows; None if nothing is."""


def first_broken(rules: Iterable[Rule[T]], shown: Mapping[str, T]) -> str | None:
    """Show all rules this look; what is wrong by the first one that says so."""
    found = [rule.broken(shown) for rule in rules]
    return next((why for why in found if why is not None), None)
