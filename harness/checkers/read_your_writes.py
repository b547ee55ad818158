"""Check that clients see their own writes."""

from __future__ import annotations

from typing import Final

from harness.checkers._sessions import judged, own_writes
from harness.model.history import History
from harness.model.verdict import Verdict
from harness.model.vocabulary import READ, WRITE

KINDS: Final = (READ, WRITE)


def read_your_writes(history: History) -> Verdict:
    """A client that has written to a key reads that value or a newer one, never an older one.

    Judges `read` and `write` calls on registers whose values differ; a client is a session that makes one call at a time. Its
    own acknowledged writes count. Newer and older are not taken from the clock: there must be one order of all calls, the
    same for all clients, that keeps each client's order, has each write before the reads of its value, and has the client's own
    writes before what it reads. Whether replicas agree about time does not matter.

    Unknown if no read has to see a write.

    O(n log n). It is one of the session guarantees: D. Terry et al., "Session Guarantees for Weakly Consistent Replicated
    Data", PDIS 1994; as constraints on an order: R. Biswas, C. Enea, "On the Complexity of Checking Transactional
    Consistency", OOPSLA 2019.
    """
    return judged(history, "reading one's own writes", own_writes, "no client read a key to which it had written before")


def applies(history: History) -> bool:
    """Never by itself: `linearizable` is chosen for registers, and checks more."""
    return False
