"""Shrink a failing list: drop items, then shorten the rest, while a predicate still fails. Pure.

Both functions are generators. Each result was just seen to fail and is smaller than the one before, so a caller that stops
early keeps the last one. They terminate even if the predicate is flaky, because they only ever move on to something smaller.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import TypeVar

T = TypeVar("T")

Fails = Callable[[tuple[T, ...]], bool]


def fewer(items: Sequence[T], fails: Fails[T]) -> Iterator[tuple[T, ...]]:
    """Smaller and smaller parts of `items` that fail, given that all of `items` fails.

    The last one is 1-minimal: without any one of its items it does not fail. This is ddmin (Zeller and Hildebrandt,
    "Simplifying and Isolating Failure-Inducing Input", IEEE TSE 28(2), 2002, section 3), except that the empty list is tried
    first. No part is tried twice.
    """
    current, tried = tuple(range(len(items))), {tuple(range(len(items)))}

    def reduces(part: tuple[int, ...]) -> bool:
        new = part not in tried
        tried.add(part)
        return new and fails(tuple(items[place] for place in part))

    if current and reduces(()):
        yield ()
        return
    pieces = 2
    while len(current) >= 2:
        parts = _split(current, pieces)
        complements = [tuple(place for place in current if place not in part) for part in parts]
        found = next(filter(reduces, parts), None)
        if found is not None:
            current, pieces = found, 2
        else:
            found = next(filter(reduces, complements), None)
            if found is not None:
                current, pieces = found, max(pieces - 1, 2)
            elif pieces < len(current):
                pieces = min(2 * pieces, len(current))
            else:
                return
        if found is not None:
            yield tuple(items[place] for place in found)


def shorter(items: Sequence[T], fails: Fails[T], shorten: Callable[[T], Iterable[T]]) -> Iterator[tuple[T, ...]]:
    """The same items, made shorter and shorter one after another while the whole still fails.

    `shorten` gives the shorter forms of an item, the best first; none if it cannot be shortened.
    """
    current = tuple(items)
    for place in range(len(current)):
        found: tuple[T, ...] | None = current
        while found is not None:
            candidates = ((*current[:place], item, *current[place + 1 :]) for item in shorten(current[place]))
            found = next(filter(fails, candidates), None)
            if found is not None:
                current = found
                yield current


def _split(places: tuple[int, ...], pieces: int) -> list[tuple[int, ...]]:
    """`pieces` pieces, of sizes as equal as possible."""
    ends = [len(places) * number // pieces for number in range(pieces + 1)]
    return [places[begin:end] for begin, end in pairwise(ends)]
