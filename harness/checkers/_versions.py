"""Whether what a replica answered can be explained by at most two changes of its version, in O(n).

Each answer was made at some moment between the sending of its call and its coming, by the version that was in force then.
With the changes at t1 <= t2, an answer of the first version was sent by t1, one of the last came at t2 or later, and one of the
version between was sent by t2 and came at t1 or later. So for given versions it is known how early and how late t1 and t2 can
be, and whether there is room for the rest. Times that touch are concurrent.
"""

from __future__ import annotations

from itertools import permutations

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]


def contradiction(models: Integers, sent_ns: Integers, done_ns: Integers) -> tuple[int, ...] | None:
    """Answers that show that a version changed more than twice, as positions; None if two changes explain all answers.

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
    """Three answers that show that one version was not in force just once, amid the other; None if it may have been."""
    first, last = _edges(inner, sent_ns, done_ns)
    torn = outer[(sent_ns[outer] > done_ns[first]) & (done_ns[outer] < sent_ns[last])]
    return (first, int(torn[0]), last) if len(torn) else None


def _in_turn(one: Integers, two: Integers, three: Integers, *, sent_ns: Integers, done_ns: Integers) -> bool:
    """Whether three versions can have been in force one after another."""
    begun = int(sent_ns[one].max())
    ended = int(done_ns[three].min())
    return begun <= int(done_ns[two].min()) and int(sent_ns[two].max()) <= ended and begun <= ended


def _edges(rows: Integers, sent_ns: Integers, done_ns: Integers) -> tuple[int, int]:
    """The answer that came first, and the one that was asked for last."""
    return int(rows[np.argmin(done_ns[rows])]), int(rows[np.argmax(sent_ns[rows])])
