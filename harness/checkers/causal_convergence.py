"""Check that what clients see respects cause and effect, and one order of all writes."""

from __future__ import annotations

from typing import Final

import numpy as np

from harness.checkers._causality import TooMany, clocks, latest_known
from harness.checkers._cycles import first_cycle
from harness.checkers._sessions import Overlapping, Story, sessions
from harness.checkers.causal import cyclic, replaced
from harness.model.history import History
from harness.model.verdict import Verdict
from harness.model.vocabulary import READ, WRITE

KINDS: Final = (READ, WRITE)


def causal_convergence(history: History) -> Verdict:
    """Like `causal`; also, there is one order of all writes by which each read finds the latest write that it knows of.

    This is the promise of stores whose replicas eventually agree on which of two concurrent writes is the newer one. It adds
    a fifth bad pattern, CyclicCF: a cycle of causal order and of "was read, so it is the newer one": if a write comes before
    a read in causal order, and the read found another write of the key, then the other one is newer. The check includes
    `read_your_writes`, `monotonic_reads`, `monotonic_writes` and `writes_follow_reads`.

    O(n · clients · log n), and as much memory: unknown beyond two gigabytes. The patterns are those of A. Bouajjani, C. Enea,
    R. Guerraoui, J. Hamza, "On Verifying Causal Consistency", POPL 2017 (there called CCv).
    """
    promise = "causally convergent"
    try:
        found = sessions(history)
        story = Story(history, found)
        if (first := story.first_of_causes()) is not None:
            return first
        order = clocks(found)
    except (Overlapping, TooMany) as error:
        return Verdict(valid=None, why=str(error))
    if order is None:
        return cyclic(found, story)
    if (wrong := replaced(found, order, story)) is not None:
        return wrong
    reads = np.flatnonzero(~found.write)
    place, known = latest_known(found, order, reads)
    newer = found.source[reads[place]]
    apart = np.flatnonzero(known != newer)
    apart = apart[~order.before(known[apart], newer[apart])]
    pairs = np.unique(np.column_stack([known[apart], newer[apart]]), axis=0)
    so_source, so_target = found.edges()
    source, target = np.concatenate([so_source, pairs[:, 0]]), np.concatenate([so_target, pairs[:, 1]])
    cycle = first_cycle(len(found.row), source, target)
    return story.valid(promise) if cycle is None else story.cycle(promise, *cycle)


def applies(history: History) -> bool:
    """Never by itself: `linearizable` is chosen for registers, and checks more."""
    return False
