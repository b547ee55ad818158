"""The rule of sessions: which denials it must accept, and which it must find."""

from __future__ import annotations

from systems.eventual import Eventual
from systems.eventual.messages import Context, State
from systems.eventual.resolution import KeepSiblings, LastWriterWins
from systems.eventual.session_reads import SessionReads
from systems.eventual.session_rules import DeniedIsGone
from systems.eventual.shown import Shown
from systems.parts.hybrid_clock import HybridClock

LATEST = LastWriterWins(HybridClock("n1", lambda: 0))
OLD = LATEST.written(None, "old", Context())
SEEN = LATEST.written(OLD, "seen", Context())
LATER = LATEST.written(SEEN, "later", Context())

Held = State | None
"""What a node holds of the key; `DOWN` if it is not running."""
DOWN = b""


def denied(*n1: Held, looked_at: bool = True, denies: bool = True) -> str | None:
    """What the rule finds if n1 holds these, look by look, while n2 is asked from the second look on, and then denies.

    `looked_at`: whether some look comes while it asks.
    """
    rule, reads = DeniedIsGone(LATEST), SessionReads()
    asking = None
    for number, held in enumerate(n1):
        last = number == len(n1) - 1
        if asking is None and (number if looked_at else last):
            asking = reads.begin("k", LATEST.context(SEEN))
        if last and asking is not None:
            reads.end(asking, denied=denies)
        shown = {"n2": Shown(states={"k": OLD}, session_reads=reads)}
        if held != DOWN:
            shown["n1"] = Shown(states={} if held is None else {"k": held})
        why = rule.broken(shown)
        if why is not None:
            return why
    return None


def test_what_a_replica_held_all_the_while_is_not_denied() -> None:
    why = "n2 answered a read of k with less than its session had seen, which n1 holds"
    for looked_at in (True, False):
        assert denied(SEEN, SEEN, SEEN, looked_at=looked_at) == why
        assert denied(SEEN, DOWN, DOWN, looked_at=looked_at) == why
        assert denied(LATER, LATER, LATER, looked_at=looked_at) == why
        assert denied(SEEN, SEEN, SEEN, looked_at=looked_at, denies=False) is None


def test_what_was_dropped_or_lost_or_came_later_may_be_denied() -> None:
    assert denied(None, None, None) is None
    assert denied(OLD, OLD, OLD) is None
    assert denied(OLD, SEEN, SEEN) is None
    assert denied(OLD, OLD, SEEN, looked_at=False) is None
    assert denied(SEEN, None, None) is None
    assert denied(SEEN, SEEN, LATER) is None
    assert denied(SEEN, DOWN, OLD) is None


def test_siblings_are_judged_by_what_the_session_has_seen_of_them() -> None:
    resolution = KeepSiblings("n1")
    state = resolution.written(None, "1", Context())
    for held, allowed in ((state, False), (KeepSiblings("n3").written(None, "2", Context()), True)):
        rule, reads = DeniedIsGone(resolution), SessionReads()
        assert rule.broken({"n1": Shown(states={"k": held}), "n2": Shown(states={}, session_reads=reads)}) is None
        reads.end(reads.begin("k", resolution.context(state)), denied=True)
        why = rule.broken({"n1": Shown(states={"k": held}), "n2": Shown(states={}, session_reads=reads)})
        assert (why is None) is allowed


def test_a_store_is_held_to_it() -> None:
    invariant, reads = Eventual().invariant(), SessionReads()
    assert invariant.broken({"n1": Shown(states={"k": SEEN}), "n2": Shown(states={}, session_reads=reads)}) is None
    reads.end(reads.begin("k", LATEST.context(SEEN)), denied=True)
    assert invariant.broken({"n1": Shown(states={"k": SEEN}), "n2": Shown(states={}, session_reads=reads)}) is not None
