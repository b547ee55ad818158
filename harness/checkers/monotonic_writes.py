"""Check that a client's writes are seen in the order in which it made them."""

from __future__ import annotations

from typing import Final

import numpy as np

from harness.checkers._sessions import Sessions, judged, latest, seen_writes
from harness.checkers._timeline import NONE, Integers
from harness.model.history import History
from harness.model.verdict import Verdict
from harness.model.vocabulary import READ, WRITE

KINDS: Final = (READ, WRITE)


def monotonic_writes(history: History) -> Verdict:
    """A client that has read one write sees, for any key, what the same writer wrote before it, or something newer.

    Judges `read` and `write` calls on registers whose values differ; a client is a session that makes one call at a time. Only
    acknowledged writes must be seen. There must be one order of all calls, the same for all clients, that keeps each client's
    order, has each write before the reads of its value, and has what must be seen before what is read. Values of one key
    that are read the wrong way round are for `monotonic_reads` to find. It is observed through a reader, so a reader that
    switches between replicas may break it although the writer did nothing wrong.

    Unknown if no read has to see a write.

    O(n · clients · log n). It is one of the session guarantees: D. Terry et al., "Session Guarantees for Weakly Consistent
    Replicated Data", PDIS 1994; as constraints on an order: R. Biswas, C. Enea, "On the Complexity of Checking
    Transactional Consistency", OOPSLA 2019.
    """
    return judged(
        history,
        "seeing writes in their order",
        _written_before,
        "no client that had read a write then read a key to which its writer had written before",
    )


def _written_before(found: Sessions) -> tuple[Integers, Integers]:
    reads = np.flatnonzero(~found.write)
    seen = seen_writes(found, reads)
    at, writer = np.nonzero(seen != NONE)
    older = latest(found, found.write & found.chained, writer, found.key[reads[at]], seen[at, writer])
    return older[older != NONE], reads[at[older != NONE]]


def applies(history: History) -> bool:
    """Never by itself: `linearizable` is chosen for registers, and checks more."""
    return False
