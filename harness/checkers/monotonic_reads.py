"""Check that clients never read something older than they have read."""

from __future__ import annotations

from typing import Final

import numpy as np

from harness.checkers._sessions import Sessions, judged, latest
from harness.checkers._timeline import NONE, Integers
from harness.model.history import History
from harness.model.verdict import Verdict
from harness.model.vocabulary import READ, WRITE

KINDS: Final = (READ, WRITE)


def monotonic_reads(history: History) -> Verdict:
    """A client that has read a value of a key reads that value or a newer one, never an older one.

    Judges `read` and `write` calls on registers whose values differ; a client is a session that makes one call at a time. Newer
    and older are not taken from the clock: there must be one order of all calls, the same for all clients, that keeps each
    client's order, has each write before the reads of its value, and has what a client read first before what it reads
    later.

    Unknown if no read has to see a write.

    O(n log n). It is one of the session guarantees: D. Terry et al., "Session Guarantees for Weakly Consistent Replicated
    Data", PDIS 1994; as constraints on an order: R. Biswas, C. Enea, "On the Complexity of Checking Transactional
    Consistency", OOPSLA 2019.
    """
    return judged(history, "monotonic", _read_before, "no client read a key again in which it had found a value")


def _read_before(found: Sessions) -> tuple[Integers, Integers]:
    reads = np.flatnonzero(~found.write)
    before = latest(found, ~found.write, found.client[reads], found.key[reads], reads)
    earlier = np.where(before == NONE, NONE, found.source[before])
    return earlier[earlier >= 0], reads[earlier >= 0]


def applies(history: History) -> bool:
    """Never by itself: `linearizable` is chosen for registers, and checks more."""
    return False
