"""Check that all clients' calls fit into one order."""

from __future__ import annotations

from typing import Final

from harness.checkers._interleaving import MOST_STEPS, GivenUp, Interleaving
from harness.checkers._sessions import MOST_OPS, Overlapping, Sessions, Story, parts, sessions
from harness.checkers._timeline import NONE
from harness.checkers._wording import count
from harness.checkers.causal_convergence import causal_convergence
from harness.checkers.linearizable import linearizable
from harness.model.history import History
from harness.model.verdict import Verdict
from harness.model.vocabulary import READ, WRITE

KINDS: Final = (READ, WRITE)

PROMISE: Final = "sequentially consistent"


def sequential(history: History) -> Verdict:
    """There is one order of all calls that keeps each client's order and in which each read finds its key's latest write.

    Like `linearizable`, but without real time: a read may be stale, as long as it is so consistently. Judges `read` and
    `write` calls on registers whose values differ; a client is a session that makes one call at a time. Keys cannot be
    judged one by one.

    The problem is NP-complete (P. B. Gibbons, E. Korach, "Testing Shared Memories", SIAM Journal on Computing 26(4), 1997),
    so the quick tests come first: what is not `causal_convergence` is not sequential, and what is `linearizable` is. For the
    rest, an order is searched for during some seconds; beyond that the verdict is unknown. The definition is L. Lamport's,
    "How to Make a Multiprocessor Computer That Correctly Executes Multiprocess Programs", IEEE Transactions on Computers
    C-28(9), 1979.
    """
    weaker = causal_convergence(history)
    if weaker.valid is False:
        return Verdict(valid=False, why=f"not {PROMISE}, as it is not causally convergent either: {weaker.why}", ops=weaker.ops)
    try:
        found = sessions(history)
    except Overlapping as error:
        return Verdict(valid=None, why=str(error))
    story = Story(history, found)
    if (first := story.first()) is not None:
        return first
    if _apart(history, found) and linearizable(history).valid:
        return story.valid(PROMISE)
    sent = history.ops["sent_ns"].to_numpy()
    for part in parts(found):
        search = Interleaving(part, sent[part.row])
        try:
            if search.exists():
                continue
        except GivenUp:
            calls = count(len(part.row), "call")
            return Verdict(valid=None, why=f"no order of {calls} found, nor that there is none, within {MOST_STEPS:,} steps")
        stuck, of_part = search.stuck[:MOST_OPS], Story(history, part)
        return Verdict(
            valid=False,
            why=f"no order explains {count(len(part.row), 'call')}; in the longest, none of these can come next:"
            f" {', '.join(of_part.call(at) for at in stuck[:4])}",
            ops=of_part.rows(stuck),
        )
    return story.valid(PROMISE)


def _apart(history: History, found: Sessions) -> bool:
    """Whether no client's calls touch in time: `linearizable` takes those that do as concurrent; here they are in order."""
    sent, done = history.ops["sent_ns"].to_numpy()[found.row], history.ops["done_ns"].to_numpy()[found.row]
    later = found.before != NONE
    return bool((done[found.before[later]] < sent[later]).all())


def applies(history: History) -> bool:
    """Never by itself: `linearizable` is chosen for registers, and checks more."""
    return False
