"""Decide in O(n) whether at most two changes of a replica's version explain its answers.

Each answer was computed at some moment between its call's sending and the answer's arrival, by the version active then. With
changes at t1 <= t2, each call answered by the first version was sent by t1; each answer of the last version arrived at t2 or
later; each call answered by the version in between was sent by t2, and its answer arrived at t1 or later. So for given versions
the bounds of t1 and t2 are known. Times that touch are concurrent.
"""

from __future__ import annotations

from itertools import permutations

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]


def contradiction(models: Integers, sent_ns: Integers, done_ns: Integers) -> tuple[int, ...] | None:
    """Positions of answers that show more than two changes of version; None if two changes explain all answers.

    `models` numbers the version of each answer.
    """
    versions = [np.flatnonzero(models == model) for model in np.unique(models)]
    if len(versions) < 2:
        return None
    if len(versions) == 2:
        inner, outer = (
            _between(versions[0], versions[1], sent_ns, done_ns),
            _between(versions[1], versions[0], sent_ns, done_ns),
        )
        return None if inner is None or outer is None else tuple(sorted({*inner, *outer}))
    if len(versions) == 3 and any(_in_turn(*order, sent_ns=sent_ns, done_ns=done_ns) for order in permutations(versions)):
        return None
    return tuple(sorted({edge for rows in versions for edge in _edges(rows, sent_ns, done_ns)}))


def _between(outer: Integers, inner: Integers, sent_ns: Integers, done_ns: Integers) -> tuple[int, ...] | None:
    """Three answers that show that `inner` was not active in one interval amid `outer`; None if it may have been."""
    first, last = _edges(inner, sent_ns, done_ns)
    torn = outer[(sent_ns[outer] > done_ns[first]) & (done_ns[outer] < sent_ns[last])]
    return (first, int(torn[0]), last) if len(torn) else None


def _in_turn(one: Integers, two: Integers, three: Integers, *, sent_ns: Integers, done_ns: Integers) -> bool:
    """Whether three versions can have been active one after another."""
    begun = int(sent_ns[one].max())
    ended = int(done_ns[three].min())
    return begun <= int(done_ns[two].min()) and int(sent_ns[two].max()) <= ended and begun <= ended


def _edges(rows: Integers, sent_ns: Integers, done_ns: Integers) -> tuple[int, int]:
    """The answer that arrived first, and the answer whose call was sent last."""
    return int(rows[np.argmin(done_ns[rows])]), int(rows[np.argmax(sent_ns[rows])])
