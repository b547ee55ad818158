"""Check that a write is seen only together with what its writer had read."""

from __future__ import annotations

from typing import Final

import numpy as np

from harness.checkers._sessions import Sessions, judged, latest, seen_writes
from harness.checkers._timeline import NONE, Integers
from harness.model.history import History
from harness.model.verdict import Verdict
from harness.model.vocabulary import READ, WRITE

KINDS: Final = (READ, WRITE)


def writes_follow_reads(history: History) -> Verdict:
    """A client that has read a write sees, for any key, what its writer had last read before writing, or something newer.

    An answer is not seen without its question. The latest write that the client has read of each writer counts. Judges `read`
    and `write` calls on registers whose values differ; a client is a session that makes one call at a time. There must be one
    order of all calls, the same for all clients, that keeps each client's order, has each write before the reads of its
    value, and has what must be seen before what is read. It is observed through a reader, so a reader that switches between
    replicas may break it although the writer did nothing wrong.

    Unknown if no read has to see a write.

    O(n · clients · log n). It is one of the session guarantees: D. Terry et al., "Session Guarantees for Weakly Consistent
    Replicated Data", PDIS 1994; as constraints on an order: R. Biswas, C. Enea, "On the Complexity of Checking
    Transactional Consistency", OOPSLA 2019.
    """
    return judged(
        history,
        "seeing writes with what they follow",
        _read_by_the_writer,
        "no client that had read a write then read a key in which its writer had found a value before",
    )


def _read_by_the_writer(found: Sessions) -> tuple[Integers, Integers]:
    reads = np.flatnonzero(~found.write)
    seen = seen_writes(found, reads)
    at, writer = np.nonzero(seen != NONE)
    followed = latest(found, ~found.write, writer, found.key[reads[at]], seen[at, writer])
    older = np.where(followed == NONE, NONE, found.source[followed])
    return older[older >= 0], reads[at[older >= 0]]


def applies(history: History) -> bool:
    """Never by itself: `linearizable` is chosen for registers, and checks more."""
    return False
