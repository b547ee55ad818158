"""The rule of repairs: which it must accept, and which it must find."""

from __future__ import annotations

import pytest

from systems.eventual import Eventual
from systems.eventual.agreeing import Attempt, Attempts
from systems.eventual.agreeing_rules import AgreedHoldTheSame
from systems.eventual.messages import Context, State
from systems.eventual.resolution import LastWriterWins
from systems.eventual.shown import Shown
from systems.parts.hybrid_clock import HybridClock

LATEST = LastWriterWins(HybridClock("n1", lambda: 0))
OLD = LATEST.written(None, "old", Context())
NEW = LATEST.written(OLD, "new", Context())
LATER = LATEST.written(NEW, "later", Context())
GONE = LATEST.written(LATER, None, Context())

Held = State | None


class Two:
    """Two replicas; the first tries to agree with the second."""

    def __init__(self) -> None:
        self.rule = AgreedHoldTheSame(LATEST)
        self.attempts = Attempts()
        self.lives = {"n1": 0, "n2": 0}

    def look(self, n1: Held, n2: Held) -> str | None:
        shown = {
            name: Shown(
                states={} if held is None else {"k": held}, life=self.lives[name], attempts=[self.attempts] if at else ()
            )
            for at, (name, held) in zip((True, False), (("n1", n1), ("n2", n2)), strict=True)
        }
        return self.rule.broken(shown)

    def agree(
        self, before: tuple[Held, Held], after: tuple[Held, Held], *, key: str | None = None, seen: bool = True
    ) -> str | None:
        """What the rule finds when they are to agree; `seen`: some look comes meanwhile."""
        assert self.look(*before) is None
        attempt = self.attempts.begin("n2", key)
        if seen:
            assert self.look(*before) is None
        self.attempts.end(attempt, agreed=True)
        return self.look(*after)


@pytest.mark.parametrize("seen", [True, False])
@pytest.mark.parametrize("key", [None, "k"])
def test_what_one_has_held_all_the_while_the_other_one_has(key: str | None, seen: bool) -> None:
    why = "n1 and n2 were to agree, and n2 lacks what n1 has held of key k since before"
    for lacking in (None, OLD):
        assert Two().agree((NEW, lacking), (NEW, lacking), key=key, seen=seen) == why
    assert Two().agree((None, NEW), (None, NEW), key=key, seen=seen) is not None
    assert Two().agree((NEW, OLD), (NEW, NEW), key=key, seen=seen) is None
    assert Two().agree((NEW, None), (NEW, LATER), key=key, seen=seen) is None
    assert Two().agree((NEW, None), (NEW, None), key="another", seen=seen) is None


def test_what_came_or_went_meanwhile_is_not_judged() -> None:
    assert Two().agree((None, None), (NEW, None)) is None
    assert Two().agree((OLD, OLD), (LATER, NEW)) is None
    assert Two().agree((NEW, None), (None, None)) is None
    assert Two().agree((GONE, None), (GONE, None)) is None
    assert Two().agree((GONE, NEW), (GONE, NEW)) is None


def test_an_attempt_is_judged_once_and_only_if_it_ended_well() -> None:
    two = Two()
    assert two.agree((NEW, NEW), (NEW, NEW)) is None
    assert two.look(NEW, None) is None
    two.attempts.end(two.attempts.begin("n2"), agreed=False)
    assert two.look(NEW, None) is None


def test_what_was_lost_with_a_disk_is_not_judged() -> None:
    two = Two()
    two.look(NEW, NEW)
    two.attempts.end(two.attempts.begin("n2"), agreed=True)
    two.lives["n2"] = 1
    assert two.look(NEW, None) is None


def test_a_peer_that_was_not_seen_before_or_is_not_now_is_not_judged() -> None:
    rule, attempts = AgreedHoldTheSame(LATEST), Attempts()
    n1 = Shown(states={"k": NEW}, attempts=[attempts])
    assert rule.broken({"n1": n1}) is None
    attempts.end(attempts.begin("n2"), agreed=True)
    assert rule.broken({"n1": n1, "n2": Shown(states={})}) is None
    attempts.end(attempts.begin("n2"), agreed=True)
    assert rule.broken({"n1": n1}) is None


def test_a_store_is_held_to_it() -> None:
    invariant, attempts = Eventual().invariant(), Attempts()
    shown = {"n1": Shown(states={"k": NEW}, attempts=[attempts]), "n2": Shown(states={})}
    assert invariant.broken(shown) is None
    attempts.end(attempts.begin("n2"), agreed=True)
    assert invariant.broken(shown) is not None


def test_attempts_are_told_apart() -> None:
    attempts = Attempts()
    first, second = attempts.begin("n2"), attempts.begin("n2")
    attempts.end(first, agreed=True)
    assert list(attempts.under_way) == [second]
    assert list(attempts.agreed) == [first]
    assert Attempt("n2") != Attempt("n2")
